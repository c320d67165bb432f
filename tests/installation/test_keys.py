"""The public key: in memory, for ten minutes, and never waited for longer than the deadline."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest

from tests.installation.signing import Upgates
from tests.project.documents import TOP, committed
from tests.support.clock import NOON
from upbridge.core.errors import NotReady
from upbridge.installation.keys import SignatureKeys

OLD = Upgates().pem.strip()
NEW = Upgates().pem.strip()
URL = "https://files.example/key"


@dataclass
class KeyHost:
    """The address of the key: what it serves, how often it was asked, and the time of day."""

    body: bytes = OLD
    status: int = 200
    asked: int = 0
    now: datetime = NOON
    hanging: asyncio.Event | None = None
    error: Exception | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.hanging is not None:
            await self.hanging.wait()
        if self.error is not None:
            raise self.error
        return httpx.Response(self.status, content=self.body)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)


@pytest.fixture
def host() -> KeyHost:
    return KeyHost()


@pytest.fixture
async def keys(host: KeyHost) -> AsyncIterator[SignatureKeys]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(host)) as http:
        keys = SignatureKeys(http, URL, lambda: host.now, deadline=0.05)
        yield keys
        await keys.close()


@pytest.mark.rule("R6")
async def test_the_key_is_fetched_once_for_many_calls(host: KeyHost, keys: SignatureKeys) -> None:
    answers = await asyncio.gather(*(keys.current() for _ in range(50)))

    assert answers == [[OLD]] * 50
    assert host.asked == 1


@pytest.mark.rule("R6")
async def test_after_ten_minutes_the_key_is_fetched_again(host: KeyHost, keys: SignatureKeys) -> None:
    await keys.current()
    host.wait(minutes=10)
    host.body = NEW

    assert await keys.current() == [NEW]


async def test_before_that_it_is_renewed_while_nobody_waits(host: KeyHost, keys: SignatureKeys) -> None:
    await keys.current()
    host.wait(minutes=6)
    host.hanging = asyncio.Event()

    assert await keys.current() == [OLD]
    host.hanging.set()
    await keys.unseen([])
    host.wait(minutes=6)

    assert await keys.current() == [OLD]
    assert host.asked >= 2


@pytest.mark.rule("R6")
async def test_ten_minutes_after_the_host_went_down_there_is_no_key(host: KeyHost, keys: SignatureKeys) -> None:
    await keys.current()
    host.error = httpx.ConnectError("down")
    host.wait(minutes=9)
    assert await keys.current() == [OLD]
    host.wait(minutes=1)

    with pytest.raises(NotReady):
        await keys.current()


async def test_a_mismatch_fetches_again_and_both_keys_count_during_the_overlap(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    host.body = NEW

    assert await keys.unseen(tried) == [NEW]
    assert await keys.current() == [NEW, OLD]


async def test_the_old_key_is_forgotten_ten_minutes_after_it_was_last_served(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    host.body = NEW
    host.wait(minutes=1)
    await keys.unseen(tried)
    host.wait(minutes=9)

    assert await keys.current() == [NEW]


async def test_mismatches_ask_the_host_once_a_minute_at_most(host: KeyHost, keys: SignatureKeys) -> None:
    tried = await keys.current()
    for _ in range(30):
        assert await keys.unseen(tried) == []
        host.wait(seconds=2)

    assert host.asked == 2
    await keys.unseen(tried)
    assert host.asked == 3


@pytest.mark.rule("R11")
@pytest.mark.timeout(5)
async def test_a_hanging_host_costs_no_more_than_the_deadline(host: KeyHost, keys: SignatureKeys) -> None:
    host.hanging = asyncio.Event()

    with pytest.raises(NotReady):
        await keys.current()


@pytest.mark.timeout(5)
async def test_a_caller_that_goes_away_does_not_take_the_fetch_with_it(host: KeyHost, keys: SignatureKeys) -> None:
    host.hanging = asyncio.Event()
    first = asyncio.create_task(keys.current())
    second = asyncio.create_task(keys.current())
    await asyncio.sleep(0)
    first.cancel()
    host.hanging.set()

    assert await second == [OLD]
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 500}, id="an error"),
        pytest.param({"status": 302}, id="a redirect"),
        pytest.param({"body": b"<html>maintenance</html>"}, id="a page"),
        pytest.param({"body": b"x" * 1_000_000}, id="a megabyte"),
        pytest.param({"error": httpx.ConnectError("down")}, id="nobody there"),
    ],
)
async def test_what_is_no_key_is_not_kept(host: KeyHost, keys: SignatureKeys, answer: dict[str, object]) -> None:
    for name, value in answer.items():
        setattr(host, name, value)

    with pytest.raises(NotReady):
        await keys.current()

    host.status, host.body, host.error = 200, OLD, None
    assert await keys.current() == [OLD]


async def test_a_host_that_serves_rubbish_does_not_take_the_good_key_away(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    host.body = b"rubbish"
    host.wait(minutes=2)

    assert await keys.unseen(tried) == []
    assert await keys.current() == [OLD]


@pytest.mark.rule("R6")
def test_no_key_is_shipped() -> None:
    shipped = [path for path in committed() if not path.is_relative_to(TOP / "tests")]

    assert len(shipped) > 100
    assert not [path for path in shipped if b"BEGIN PUBLIC " + b"KEY" in path.read_bytes()]
