"""The set of what may have changed: repeats cost nothing, and nothing that was heard is lost."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.support.engine import Engine
from tests.support.postgres import wait_for_lock
from upbridge.domain.purpose import EVERYTHING, Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store import changes
from upbridge.store.change_queries import claim
from upbridge.store.changes import Change, Kind, Origin


async def take(machine: Engine, *, below: int = EVERYTHING, limit: int = 300) -> list[Change]:
    async with machine.db.begin() as tx:
        return await claim(tx, machine.shop_id, "upgates", below=below, limit=limit, now=machine.watch())


async def done(machine: Engine, *batch: Change) -> set[int]:
    async with machine.db.begin() as tx:
        return await changes.done(tx, machine.shop_id, "upgates", batch)


# --- mark ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R40")
async def test_many_marks_about_one_thing_are_one_row(machine: Engine) -> None:
    for _ in range(3):
        await machine.mark(Kind.PRODUCT, "1", "1")

    assert await machine.change_keys() == [("product", "1")]


async def test_no_marks_are_no_rows(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT)

    assert await machine.changes() == []


async def test_the_same_key_of_another_kind_or_source_is_another_thing(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1")
    await machine.mark(Kind.ORDER, "1")
    await machine.mark(Kind.CATALOGUE, "1", source="uphance")

    assert await machine.value("SELECT count(*) FROM changes") == 3


async def test_steady_marks_do_not_postpone_the_work(machine: Engine) -> None:
    first = machine.watch() + timedelta(seconds=10)
    await machine.mark(Kind.PRODUCT, "1", due_at=first)
    [before] = await machine.changes()
    machine.watch.move(seconds=9)

    await machine.mark(Kind.PRODUCT, "1", due_at=machine.watch() + timedelta(seconds=10))

    [after] = await machine.changes()
    assert (after["due_at"], after["marked_at"]) == (first, before["marked_at"])
    assert after["seq"] > before["seq"]


async def test_an_earlier_moment_hurries_the_work(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1", due_at=machine.watch() + timedelta(hours=1))
    await machine.mark(Kind.PRODUCT, "1", now=machine.watch())

    assert [row["due_at"] for row in await machine.changes()] == [machine.watch()]


async def test_the_more_urgent_purpose_wins(machine: Engine) -> None:
    for purpose in (Purpose.SAFETY, Purpose.PRODUCTS, Purpose.IMPORT):
        await machine.mark(Kind.PRODUCT, "1", purpose=purpose)

    assert [row["priority"] for row in await machine.changes()] == [Purpose.PRODUCTS]


async def test_a_mark_does_not_hurry_what_was_refused(machine: Engine) -> None:
    """What the schedule says every ten seconds must not turn a growing pause into a hammer."""
    await machine.mark(Kind.FACTS, "facts")
    [change] = await take(machine)
    until = machine.watch() + timedelta(minutes=4)
    async with machine.db.begin() as tx:
        await changes.postpone(tx, machine.shop_id, "upgates", [change], until=until)

    await machine.mark(Kind.FACTS, "facts")

    assert [(row["due_at"], row["attempts"]) for row in await machine.changes()] == [(until, 1)]
    assert await take(machine) == []
    machine.watch.now = until
    assert [one.attempts for one in await take(machine)] == [1]


# --- take ---------------------------------------------------------------------------------------------------


async def test_a_batch_has_one_purpose_the_most_urgent(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.mark(Kind.FACTS, "facts")

    assert [change.kind for change in await take(machine)] == [Kind.FACTS]


async def test_a_batch_is_limited_and_begins_with_the_oldest(machine: Engine) -> None:
    for number in range(5):
        await machine.mark(Kind.PRODUCT, str(number))

    assert [change.key for change in await take(machine, limit=3)] == ["0", "1", "2"]


async def test_what_is_due_comes_before_what_only_fills_the_batch(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "later", due_at=machine.watch() + timedelta(hours=1))
    await machine.mark(Kind.PRODUCT, "now")

    assert [change.key for change in await take(machine)] == ["now", "later"]
    assert [change.key for change in await take(machine, limit=1)] == ["now"]


async def test_what_has_been_due_for_longest_goes_first_however_often_it_is_marked(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "first")
    machine.watch.move(seconds=1)
    await machine.mark(Kind.PRODUCT, "second")
    await machine.mark(Kind.PRODUCT, "first")

    assert [change.key for change in await take(machine)] == ["first", "second"]


async def test_a_more_urgent_purpose_of_which_nothing_is_due_holds_up_no_other(machine: Engine) -> None:
    await machine.mark(Kind.ORDER, "A-1", due_at=machine.watch() + timedelta(hours=1))
    await machine.mark(Kind.PRODUCT, "1")

    assert [change.kind for change in await take(machine)] == [Kind.PRODUCT]


async def test_a_blocked_purpose_is_not_taken(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1")

    assert await take(machine, below=Purpose.PRODUCTS) == []
    assert len(await take(machine, below=Purpose.SAFETY)) == 1


async def test_the_shops_do_not_see_each_others_changes(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1")
    machine.shop_id = ShopId(await machine.make_shop())

    assert await take(machine) == []


# --- done ---------------------------------------------------------------------------------------------------


async def test_what_was_worked_on_goes(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1", "2")
    first, second = await take(machine)

    assert await done(machine, first) == {first.seq}

    assert await take(machine) == [second]
    assert await done(machine) == set()


@pytest.mark.rule("R40")
async def test_a_mark_during_the_work_survives_it(machine: Engine) -> None:
    await machine.mark(Kind.PRODUCT, "1")
    batch = await take(machine)
    await machine.mark(Kind.PRODUCT, "1")

    assert await done(machine, *batch) == set()

    [again] = await take(machine)
    assert again.seq > batch[0].seq


async def test_a_mark_that_commits_while_the_work_is_settled_survives_it(machine: Engine) -> None:
    """Who marks has the row locked when the work ends: `done` waits, and then sees that it moved."""
    await machine.mark(Kind.PRODUCT, "1")
    batch = await take(machine)
    async with machine.db.begin() as tx:
        await changes.mark_changed(
            tx,
            machine.shop_id,
            "upgates",
            Kind.PRODUCT,
            ["1"],
            origin=Origin.WEBHOOK,
            now=machine.watch(),
        )
        settling = asyncio.create_task(done(machine, *batch))
        await wait_for_lock(machine.db)

    assert await settling == set()
    assert len(await take(machine)) == 1


async def test_marks_and_endings_never_lock_each_other_out(machine: Engine) -> None:
    """Two writers that take the same rows in different orders: both sort them, so neither waits for the other."""
    keys = [str(number) for number in range(200)]
    await machine.mark(Kind.PRODUCT, *keys)

    async def marking() -> None:
        for turn in range(15):
            await machine.mark(Kind.PRODUCT, *(keys if turn % 2 else reversed(keys)))

    async def ending() -> None:
        for turn in range(15):
            batch = await take(machine)
            await done(machine, *(batch if turn % 2 else reversed(batch)))

    await asyncio.gather(marking(), marking(), ending(), ending())

    assert await machine.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_endings_lock_in_the_order_in_which_marks_do(machine: Engine) -> None:
    """With row 1 held, neither a mark nor an ending over 1, 2, 3 may hold 2 or 3 while it waits."""
    await machine.mark(Kind.PRODUCT, "1", "2", "3")
    batch = await take(machine)
    free = text("SELECT key FROM changes WHERE key > '1' ORDER BY key FOR UPDATE SKIP LOCKED")
    async with machine.db.begin() as holder:
        await holder.execute(text("SELECT FROM changes WHERE key = '1' FOR UPDATE"))
        for work in (done(machine, *reversed(batch)), machine.mark(Kind.PRODUCT, "3", "2", "1")):
            task = asyncio.create_task(work)
            await wait_for_lock(machine.db)
            async with machine.db.connect() as other:
                assert [row.key for row in await other.execute(free)] == ["2", "3"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# --- any history --------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["1", "2", "3"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.sets(KEYS, min_size=1)),
        st.tuples(st.just("take"), st.just(set[str]())),
        st.tuples(st.just("done"), st.just(set[str]())),
        st.tuples(st.just("postpone"), st.just(set[str]())),
    ),
    max_size=15,
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(steps=STEPS)
async def test_what_was_heard_after_it_was_taken_still_waits(
    machine: Engine, steps: list[tuple[str, set[str]]]
) -> None:
    await machine.run("DELETE FROM changes")
    unread: set[str] = set()
    batch: list[Change] = []
    fresh: set[str] = set()
    for step, keys in steps:
        match step:
            case "mark":
                await machine.mark(Kind.PRODUCT, *keys)
                unread |= keys
                fresh |= keys
            case "take":
                machine.watch.move(hours=1)
                batch = await take(machine)
                assert {change.key for change in batch} == unread
                fresh = set()
            case "done":
                await done(machine, *batch)
                unread -= {change.key for change in batch} - fresh
                batch = []
            case _:
                async with machine.db.begin() as tx:
                    await changes.postpone(
                        tx,
                        machine.shop_id,
                        "upgates",
                        batch,
                        until=machine.watch() + timedelta(minutes=1),
                    )

    assert {row["key"] for row in await machine.changes()} == unread
