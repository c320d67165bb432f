"""The public key: in memory, for ten minutes, and never waited for longer than the deadline."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import httpx
import pytest

from tests.installation.signing import Upgates
from tests.project.documents import TOP, committed
from tests.support.clock import NOON
from upbridge.core.errors import NotReady
from upbridge.installation.keys import LOOK_EVERY, LOOKS, MOST_WAITING, LookWithheld, SignatureKeys

_numbers = count()
OLD = Upgates().pem.strip()
NEW = Upgates().pem.strip()
URL = "https://files.example/key"


def some_signature() -> bytes:
    """One that no test has used before."""
    return str(next(_numbers)).encode()


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

    version: str | None = None
    unchanged: int = 0
    slept: float = 0.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.hanging is not None:
            await self.hanging.wait()
        if self.error is not None:
            raise self.error
        if self.version is not None and request.headers.get("if-none-match") == self.version:
            self.unchanged += 1
            return httpx.Response(304)
        return httpx.Response(
            self.status, content=self.body, headers={"ETag": self.version} if self.version else {}
        )

    async def sleep(self, seconds: float) -> None:
        """Let time pass; others go on meanwhile."""
        self.slept += seconds
        await asyncio.sleep(0)
        self.wait(seconds=seconds)

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)


@pytest.fixture
def host() -> KeyHost:
    return KeyHost()


@pytest.fixture
async def keys(host: KeyHost) -> AsyncIterator[SignatureKeys]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(host)) as http:
        keys = SignatureKeys(http, URL, lambda: host.now, deadline=0.05, sleep=host.sleep)
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


async def test_before_that_it_is_renewed_while_no_caller_waits(host: KeyHost, keys: SignatureKeys) -> None:
    await keys.current()
    host.wait(minutes=6)
    host.hanging = asyncio.Event()

    assert await keys.current() == [OLD]
    host.hanging.set()
    await keys.unseen([], b"")
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

    assert await keys.unseen(tried, some_signature()) == [NEW]
    assert await keys.current() == [NEW, OLD]


async def test_the_old_key_is_forgotten_ten_minutes_after_it_was_last_served(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    host.body = NEW
    host.wait(minutes=1)
    await keys.unseen(tried, some_signature())
    host.wait(minutes=9)

    assert await keys.current() == [NEW]


async def test_bad_signatures_ask_the_host_a_few_times_and_then_once_a_second(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    for _ in range(LOOKS):
        assert await keys.unseen(tried, some_signature()) == []
    assert (host.asked, host.slept) == (1 + LOOKS, 0)

    for _ in range(10):
        assert await keys.unseen(tried, some_signature()) == [], "bad, for certain"

    assert (host.asked, host.slept) == (1 + LOOKS + 10, 10 * LOOK_EVERY.total_seconds())


async def test_all_who_wait_for_a_look_share_it_and_too_many_are_asked_to_try_again(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    for _ in range(LOOKS):
        await keys.unseen(tried, some_signature())

    answers = await asyncio.gather(
        *(keys.unseen(tried, some_signature()) for _ in range(MOST_WAITING + 5)), return_exceptions=True
    )

    assert host.asked == 1 + LOOKS + 1
    assert answers[:MOST_WAITING] == [[]] * MOST_WAITING
    assert [type(one) for one in answers[MOST_WAITING:]] == [LookWithheld] * 5


async def test_a_change_of_the_key_among_bad_signatures_is_noticed_with_the_next_look(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    for _ in range(LOOKS + 5):
        assert await keys.unseen(tried, some_signature()) == []
    host.body = NEW

    assert await keys.unseen(tried, some_signature()) == [NEW]


async def test_a_signature_that_was_judged_needs_no_look(host: KeyHost, keys: SignatureKeys) -> None:
    tried = await keys.current()
    await keys.unseen(tried, b"bad")
    keys.judged(b"genuine")
    asked = host.asked

    assert await keys.unseen(tried, b"bad") == await keys.unseen(tried, b"genuine") == []
    assert host.asked == asked


async def test_an_unchanged_key_is_not_sent_again(host: KeyHost, keys: SignatureKeys) -> None:
    host.version = '"1"'
    tried = await keys.current()

    assert await keys.unseen(tried, some_signature()) == []
    assert host.unchanged == 1
    host.body, host.version = NEW, '"2"'
    assert await keys.unseen(tried, some_signature()) == [NEW]
    host.wait(minutes=9)
    await keys.unseen(tried, some_signature())
    host.wait(minutes=9)
    assert await keys.current() == [NEW], "an answer that nothing has changed makes the key younger"


async def test_where_the_look_gets_no_answer_it_is_not_said_that_the_signature_is_bad(
    host: KeyHost, keys: SignatureKeys
) -> None:
    tried = await keys.current()
    host.error = httpx.ConnectError("down")

    with pytest.raises(LookWithheld):
        await keys.unseen(tried, some_signature())


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

    with pytest.raises(LookWithheld):
        await keys.unseen(tried, some_signature())
    assert await keys.current() == [OLD]


@pytest.mark.rule("R6")
def test_no_key_is_shipped() -> None:
    shipped = [path for path in committed() if not path.is_relative_to(TOP / "tests")]

    assert len(shipped) > 100
    assert not [path for path in shipped if b"BEGIN PUBLIC " + b"KEY" in path.read_bytes()]
