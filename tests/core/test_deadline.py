"""A caller waits no longer than its deadline, however long the end of the work takes."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.support.clock import manual_timers
from upbridge.core.deadline import left_behind_ends, pause_deadline, time_limit, with_deadline


@dataclass
class Stubborn:
    """Work that has to be asked twice, like a query whose server does not hear that it is cancelled."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.told.set()
            await self.let_go.wait()
            self.ended.set()
            raise


async def test_what_is_done_in_time_is_returned_or_raised() -> None:
    async def divide(by: int) -> float:
        return 1 / by

    assert await with_deadline(60, divide(2)) == 0.5
    with pytest.raises(ZeroDivisionError):
        await with_deadline(60, divide(0))


@pytest.mark.timeout(10)
async def test_what_is_late_is_cancelled_and_not_waited_for() -> None:
    stubborn = Stubborn()

    with pytest.raises(TimeoutError):
        await with_deadline(0, stubborn.work())

    await stubborn.told.wait()
    assert not stubborn.ended.is_set()
    stubborn.let_go.set()
    await stubborn.ended.wait()


@pytest.mark.timeout(10)
async def test_the_end_of_what_was_left_behind_is_waited_for_as_long_as_one_likes() -> None:
    stubborn = Stubborn()
    with pytest.raises(TimeoutError):
        await with_deadline(0, stubborn.work())

    await left_behind_ends(within=0)
    assert not stubborn.ended.is_set()
    ending = asyncio.create_task(left_behind_ends(within=60))
    await stubborn.told.wait()
    stubborn.let_go.set()
    await ending

    assert stubborn.ended.is_set()
    await left_behind_ends(within=60)


@pytest.mark.timeout(10)
async def test_who_waited_may_go_and_the_work_is_cancelled() -> None:
    stubborn = Stubborn()
    waiting = asyncio.create_task(with_deadline(60, stubborn.work()))
    await stubborn.begun.wait()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    stubborn.let_go.set()
    await stubborn.ended.wait()


@pytest.mark.timeout(10)
async def test_a_pause_does_not_count_where_only_our_own_seconds_do() -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        with pause_deadline(), pause_deadline():
            begun.set()
            await done.wait()
        return "answered"

    with manual_timers() as timers:
        own = asyncio.create_task(with_deadline(1, ask(), own=True))
        all_of_it = asyncio.create_task(with_deadline(1, ask()))
        await begun.wait()
        timers.advance(100)
        with pytest.raises(TimeoutError):
            await all_of_it
        done.set()
        assert await own == "answered"


async def test_a_pause_without_a_deadline_is_none() -> None:
    with pause_deadline():
        pass


@pytest.mark.timeout(10)
async def test_our_own_seconds_before_and_after_a_pause_are_added_up() -> None:
    steps = [asyncio.Event() for _ in range(3)]
    begun, paused, resumed = [asyncio.Event() for _ in range(3)]

    async def ask() -> None:
        begun.set()
        await steps[0].wait()
        with pause_deadline():
            paused.set()
            await steps[1].wait()
        resumed.set()
        await steps[2].wait()

    with manual_timers() as timers:
        asking = asyncio.create_task(with_deadline(4, ask(), own=True))
        await begun.wait()
        timers.advance(2)
        steps[0].set()
        await paused.wait()
        timers.advance(100)
        steps[1].set()
        await resumed.wait()
        timers.advance(1.9)
        assert len(timers.waiting) == 1, "a tenth of a second is left"
        timers.advance(0.1)
        with pytest.raises(TimeoutError):
            await asking


@pytest.mark.timeout(10)
async def test_two_calls_at_once_pause_until_both_are_back() -> None:
    begun = [asyncio.Event(), asyncio.Event()]
    done = [asyncio.Event(), asyncio.Event()]

    async def call(number: int) -> None:
        with pause_deadline():
            begun[number].set()
            await done[number].wait()

    async def ask() -> None:
        await asyncio.gather(call(0), call(1))

    with manual_timers() as timers:
        asking = asyncio.create_task(with_deadline(1, ask(), own=True))
        for each in begun:
            await each.wait()
        done[0].set()
        timers.advance(100)
        done[1].set()
        await asking


@pytest.mark.timeout(10)
async def test_a_time_limit_is_measured_alike_and_waits_for_the_end_of_what_it_cancels() -> None:
    stubborn = Stubborn()

    async def limited() -> None:
        async with time_limit(1):
            await stubborn.work()

    with manual_timers() as timers:
        working = asyncio.create_task(limited())
        await timers.started()
        timers.advance(1)
        await stubborn.told.wait()
        assert not working.done()
        stubborn.let_go.set()
        with pytest.raises(TimeoutError):
            await working
