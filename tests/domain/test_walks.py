"""Walks through lists that move while they are read: what was there before and after has been read."""

import random
from functools import partial
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.moving_lists import START, MovingList
from upbridge.domain.walk import ListRow, Walk
from upbridge.domain.walk_by_id import IdWalk
from upbridge.domain.walk_by_place import PlaceWalk
from upbridge.domain.walk_by_time import TimeAsk, TimeWalk, Window

By = Literal["created", "updated"]
SEEDS = st.integers(min_value=0, max_value=2**48)
MANY = settings(max_examples=400, deadline=None)
MOST_CALLS = 3000


def by_time(
    moving: MovingList, walk: TimeWalk, *, size: int = 10, sorts: bool = True
) -> tuple[TimeWalk, set[str]]:
    """Walk through *moving* as the server of orders lists it; returns the end, and what was read."""
    seen: set[str] = set()
    while not walk.ended:
        assert moving.calls < MOST_CALLS, "the walk does not end"
        answer = moving.answer(
            walk.ask.page, size, order=partial(_order, walk, sorts=sorts), only=partial(_chosen, walk.by, walk.ask)
        )
        if answer is None:
            walk = walk.failed(now=moving.now)
        else:
            seen |= set(answer.keys)
            walk = walk.read(answer)
        walk = TimeWalk.model_validate_json(walk.model_dump_json())
    return walk, seen


def _order(walk: TimeWalk, row: ListRow, *, sorts: bool) -> object:
    if not sorts:  # the newest first, no matter what was asked for
        return -int(row.key)
    return (row.created if walk.by == "created" or walk.ask.window else row.updated, int(row.key))


def _chosen(by: str, asked: TimeAsk, row: ListRow) -> bool:
    assert row.created is not None
    assert row.updated is not None
    window = asked.window
    if window is None:
        return asked.since is None or (row.created if by == "created" else row.updated) >= asked.since
    until, changed = window.created_to, window.changed_from
    return (
        row.created >= window.created_from
        and (until is None or row.created <= until)
        and (changed is None or row.updated >= changed)
    )


def by_place(moving: MovingList, *, own_size: int | None = None) -> tuple[PlaceWalk, set[str]]:
    """Walk through *moving* as the server of products lists it; returns the end, and what was read."""
    walk, seen = PlaceWalk(), set[str]()
    while not walk.ended:
        assert moving.calls < MOST_CALLS, "the walk does not end"
        asked = walk.ask
        answer = moving.answer(asked.page, own_size or asked.size, order=lambda row: int(row.key))
        if answer is None:
            walk = walk.failed()
        else:
            seen |= set(answer.keys)
            walk = walk.read(answer)
        walk = PlaceWalk.model_validate_json(walk.model_dump_json())
    return walk, seen


# --- by time ------------------------------------------------------------------------------------------------


@MANY
@given(SEEDS)
@pytest.mark.parametrize("by", ["created", "updated"])
def test_no_row_of_a_sorted_list_hides_however_it_moves(by: By, seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(
        rng, rng.randrange(80), moves=rng.choice((0, 0.3, 0.6)), per_second=rng.choice((1, 1, 3, 25))
    )

    walk, seen = by_time(moving, TimeWalk.begin(by, START))

    assert not walk.complete or moving.stayed <= seen
    if moving.per_second < 10:  # one pass is a proof, no matter what moves
        assert walk.complete
        assert moving.stayed <= seen


def test_a_list_that_stands_still_is_read_once_and_costs_a_row_a_page() -> None:
    moving = MovingList(random.Random(1), 95)

    walk, seen = by_time(moving, TimeWalk.begin("created", START))

    assert walk.complete
    assert len(seen) == walk.count == 95
    assert moving.calls == 11


@MANY
@given(SEEDS)
def test_a_server_that_does_not_sort_is_not_believed_before_two_looks_agree(seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(60), moves=rng.choice((0, 0.2)))

    walk, seen = by_time(moving, TimeWalk.begin("created", START), sorts=False)

    assert not walk.complete or moving.stayed <= seen
    assert walk.complete or moving.moved


@MANY
@given(SEEDS)
@pytest.mark.parametrize("by", ["created", "updated"])
def test_rows_that_cannot_be_read_cost_no_other_row(by: By, seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(1, 70), moves=rng.choice((0, 0.3)))
    moving.broken = set(rng.sample(sorted(moving.rows), k=min(len(moving.rows), rng.choice((1, 1, 2)))))

    walk, seen = by_time(moving, TimeWalk.begin(by, START))

    assert moving.stayed - moving.broken <= seen
    assert not walk.complete or not moving.broken & moving.stayed
    if not moving.moved:
        assert sum(_width(window) for window in walk.missed) <= 2


def _width(window: Window) -> float:
    assert window.created_to is not None
    return (window.created_to - window.created_from).total_seconds()


# --- by place -----------------------------------------------------------------------------------------------


@MANY
@given(SEEDS)
def test_no_row_hides_between_two_pages_that_overlap(seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(450), moves=rng.choice((0, 0.3, 0.7, 0.9)))

    walk, seen = by_place(moving)

    assert not walk.complete or moving.stayed <= seen
    if moving.moves < 0.9:
        assert walk.complete


@MANY
@given(SEEDS)
def test_a_server_with_its_own_page_size_is_not_believed_before_two_looks_agree(seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(80), moves=rng.choice((0, 0.1, 0.3)))

    walk, seen = by_place(moving, own_size=rng.choice((7, 10, 50)))

    assert not walk.complete or moving.stayed <= seen
    assert walk.complete or moving.moved


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_products_that_cannot_be_read_cost_no_other_product(seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(1, 350), moves=rng.choice((0, 0.2)))
    moving.broken = set(rng.sample(sorted(moving.rows), k=min(len(moving.rows), rng.choice((1, 1, 3)))))
    broken = set(moving.broken)

    walk, seen = by_place(moving)

    assert not walk.complete or moving.stayed <= seen
    if not moving.moved:
        assert seen == moving.stayed - broken
        assert sum(one.until - one.since + 1 for one in walk.missed) == len(broken)


def test_a_whole_list_of_products_costs_a_tenth_more() -> None:
    moving = MovingList(random.Random(1), 2000)

    walk, seen = by_place(moving)

    assert walk.complete
    assert len(seen) == walk.count == 2000
    assert moving.calls <= 23


# --- by id --------------------------------------------------------------------------------------------------


def by_id(
    moving: MovingList, *, size: int = 10, sorts: bool = True, filters: bool = True
) -> tuple[IdWalk, set[str]]:
    """Walk through *moving* as a server lists it that may sort by id and know `since_id`, or not."""
    walk, seen = IdWalk.begin(), set[str]()
    while not walk.ended:
        assert moving.calls < MOST_CALLS, "the walk does not end"
        asked = walk.ask
        answer = moving.answer(
            asked.page,
            size,
            order=lambda row: int(row.key) if sorts else -int(row.key),
            only=partial(_above, asked.since if filters else None),
        )
        assert answer is not None
        seen |= set(answer.keys)
        walk = walk.read([int(key) for key in answer.keys], last=asked.page >= answer.pages, pages=answer.pages)
    return walk, seen


def _above(since: int | None, row: ListRow) -> bool:
    return since is None or int(row.key) > since


@MANY
@given(SEEDS)
def test_no_row_of_a_list_by_ids_hides_however_it_moves(seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(90), moves=rng.choice((0, 0.3, 0.6)))

    walk, seen = by_id(moving)

    assert walk.complete
    assert moving.stayed <= seen


@MANY
@given(SEEDS)
@pytest.mark.parametrize("lacks", ["order", "filter", "both"])
def test_a_list_without_ids_in_order_is_not_believed_before_two_looks_agree(lacks: str, seed: int) -> None:
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(90), moves=rng.choice((0, 0.1, 0.3)))

    walk, seen = by_id(moving, sorts=lacks == "filter", filters=lacks == "order")

    assert not walk.complete or moving.stayed <= seen
    assert walk.complete or moving.moved


def test_a_list_by_ids_is_read_once() -> None:
    moving = MovingList(random.Random(1), 95)

    walk, seen = by_id(moving)

    assert walk.complete
    assert len(seen) == 95
    assert moving.calls == 10


# --- the shop is down ---------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("sort", ["by time", "by place", "own size"])
def test_an_outage_is_no_broken_page(sort: str, seed: int) -> None:
    """However long nothing comes: the walk ends afterwards, and what it has not read it names."""
    rng = random.Random(seed)
    moving = MovingList(rng, rng.randrange(1, 350))
    moving.down_from, moving.down_for = rng.randrange(1, 6), rng.randrange(1, 60)

    walk: Walk
    if sort == "by time":
        walk, seen = by_time(moving, TimeWalk.begin("created", START), size=25)
    else:
        walk, seen = by_place(moving, own_size=25 if sort == "own size" else None)

    assert not walk.complete or moving.stayed <= seen
    assert walk.missed or moving.stayed <= seen
