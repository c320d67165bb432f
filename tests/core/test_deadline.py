"""Nobody waits longer than he said, however long the end of the work takes."""

import asyncio
from dataclasses import dataclass, field

import pytest

from upbridge.core.deadline import pause_deadline, with_deadline


@dataclass
class Stubborn:
    """Work that has to be asked twice, like a query whose server does not hear that it is cancelled."""

    told: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
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
async def test_what_is_late_is_told_to_end_and_not_waited_for() -> None:
    stubborn = Stubborn()

    with pytest.raises(TimeoutError):
        await with_deadline(0, stubborn.work())

    await stubborn.told.wait()
    assert not stubborn.ended.is_set()
    stubborn.let_go.set()
    await stubborn.ended.wait()


@pytest.mark.timeout(10)
async def test_who_waited_may_go_and_the_work_is_told_to_end() -> None:
    stubborn = Stubborn()
    waiting = asyncio.create_task(with_deadline(60, stubborn.work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    stubborn.let_go.set()
    await stubborn.ended.wait()


@pytest.mark.timeout(10)
async def test_seconds_elsewhere_do_not_count_where_only_our_own_do() -> None:
    async def ask() -> str:
        with pause_deadline(), pause_deadline():
            await asyncio.sleep(0.3)
        return "answered"

    assert await with_deadline(0.1, ask(), own=True) == "answered"
    with pytest.raises(TimeoutError):
        await with_deadline(0.1, ask())
    assert await ask() == "answered"


@pytest.mark.timeout(10)
async def test_our_own_seconds_before_and_after_are_added_up() -> None:
    told = asyncio.Event()

    async def ask() -> None:
        await asyncio.sleep(0.2)
        with pause_deadline():
            await asyncio.sleep(0.3)
        told.set()
        await asyncio.Event().wait()

    started = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await with_deadline(0.4, ask(), own=True)

    assert told.is_set()
    assert 0.7 <= asyncio.get_running_loop().time() - started < 2


@pytest.mark.timeout(10)
async def test_two_calls_at_once_are_elsewhere_until_both_are_back() -> None:
    async def call(seconds: float) -> None:
        with pause_deadline():
            await asyncio.sleep(seconds)

    async def ask() -> None:
        await asyncio.gather(call(0.05), call(0.4))

    await with_deadline(0.2, ask(), own=True)
