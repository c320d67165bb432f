"""Halving: each thing ends in exactly one outcome, in order and in few calls, for any set of bad ones."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.core.errors import Missing, Rejected, TooMany, Unreachable
from upbridge.systems.http.batching import in_halves


class Server:
    """Refuses a batch that holds a bad thing, or more than *most* things."""

    def __init__(self, bad: set[int], most: int = 1000) -> None:
        self.bad = bad
        self.most = most
        self.calls: list[list[int]] = []

    async def __call__(self, batch: Sequence[int]) -> list[int]:
        self.calls.append(list(batch))
        if len(batch) > self.most:
            raise TooMany("too many", status=413)
        if self.bad & set(batch):
            raise Rejected("one of them", status=422)
        return list(batch)


async def sent(server: Server, things: Sequence[int]) -> list[tuple[int, bool]]:
    """Each thing, and whether it was taken."""
    return [
        (thing, not isinstance(answer, Rejected))
        async for batch, answer in in_halves(things, server, system="Upgates")
        for thing in batch
    ]


@given(count=st.integers(0, 200), bad=st.sets(st.integers(0, 199)), most=st.integers(1, 300))
async def test_every_thing_ends_in_exactly_one_outcome_in_order(count: int, bad: set[int], most: int) -> None:
    server = Server(bad, most)

    outcomes = await sent(server, range(count))

    assert outcomes == [(thing, thing not in bad) for thing in range(count)]


@given(count=st.integers(1, 1000), data=st.data())
async def test_one_bad_thing_costs_two_calls_a_halving(count: int, data: st.DataObject) -> None:
    server = Server({data.draw(st.integers(0, count - 1))})

    await sent(server, range(count))

    assert len(server.calls) <= 1 + 2 * math.ceil(math.log2(count))


@given(count=st.integers(1, 300), most=st.integers(1, 300))
async def test_too_many_is_found_out_once(count: int, most: int) -> None:
    server = Server(set(), most)

    await sent(server, range(count))

    refused = [len(call) for call in server.calls if len(call) > most]
    assert refused == sorted(set(refused), reverse=True)


@given(count=st.integers(1, 100), bad=st.sets(st.integers(0, 99)))
async def test_what_was_taken_is_not_sent_again(count: int, bad: set[int]) -> None:
    server = Server(bad)

    await sent(server, range(count))

    taken = [thing for call in server.calls if not bad & set(call) for thing in call]
    assert sorted(taken) == sorted(set(taken))


async def test_a_refusal_that_is_about_no_item_ends_it_after_one_call() -> None:
    calls = []

    async def gone(batch: Sequence[int]) -> None:
        calls.append(batch)
        raise Missing("not found", status=404)

    with pytest.raises(Unreachable, match="Upgates does not answer as published"):
        [one async for one in in_halves(range(8), gone, system="Upgates")]

    assert len(calls) == 1


async def test_what_was_taken_is_known_before_the_rest_is_sent() -> None:
    server = Server({7})
    outcomes = in_halves(range(8), server, system="Upgates")

    batch, _ = await anext(outcomes)
    await outcomes.aclose()

    assert list(batch) == [0, 1, 2, 3]
    assert server.calls == [list(range(8)), [0, 1, 2, 3]]
