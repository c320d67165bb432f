"""Each answer of another system that is beyond a bound ends the call with an error, and no more of it is taken."""

import ast
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.project.arrows import modules
from tests.support.clock import NOON
from tests.support.engine import settings
from tests.support.shops import MakeShop
from tests.support.upgates import SHOP, FakeLedger
from upbridge.core.bounds import ANSWER, KEY, MIB, Bounds
from upbridge.core.encryption import Cipher
from upbridge.core.errors import RemoteError
from upbridge.domain.shop_id import ShopId
from upbridge.store.shops import Shops
from upbridge.systems.connecting import Tools
from upbridge.systems.http.published_key import fetch_key
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy

#: What sends a request, of httpx and of the standard library.
_SENDING = {"send", "request", "stream", "urlopen"}
_ONE_PLACE = "upbridge.systems.http.transport"
#: Hands on, unchanged, what the one place sends: it writes down what a trial said and heard.
_RECORDER = "upbridge.systems.uphance.probe"


class Endless(httpx.AsyncByteStream):
    """A body without end."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk = chunk
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += len(self.chunk)
            yield self.chunk


BOMB = gzip.compress(bytes(64 * MIB))
BODIES = {
    "bytes": (b" " * MIB, {}),
    "a bomb": (BOMB, {"Content-Encoding": "gzip"}),
    "two layers": (gzip.compress(BOMB), {"Content-Encoding": "gzip, gzip"}),
    "depth": (b"[" * 100_000 + b"]" * 100_000, {}),
    "values": (b"[" + b"[]," * (ANSWER.values + 1) + b"0]", {}),
    "digits": (b'{"expires_in": ' + b"9" * 5_000 + b', "access_token": "x"}', {}),
    "an exponent": (b'{"expires_in": 1e3000000, "access_token": "x"}', {}),
    "an exponent that no number has": (b'{"expires_in": 1e99999999999999999999, "access_token": "x"}', {}),
}
#: Nothing is expected of these but that their digits are harmless: a token may have no end that can be read.
_HARMLESS = {"digits", "an exponent", "an exponent that no number has"}

Call = Callable[[httpx.AsyncClient], Awaitable[object]]


@pytest.fixture
async def calls(engine: AsyncEngine, cipher: Cipher, make_shop: MakeShop) -> dict[str, tuple[Call, Bounds]]:
    """A call to each system that the service knows, by its name, with what its answer is held to."""
    shop = await Shops(engine, cipher, SYSTEMS.settings).get(ShopId(await make_shop()))

    def login(name: str) -> Call:
        connect = SYSTEMS.named(name).connect
        assert connect is not None

        async def call(http: httpx.AsyncClient) -> object:
            tools = Tools(http=http, settings=settings(), engine=engine, cipher=cipher, clock=lambda: NOON)
            return await connect.log_in(tools, shop, {one.name: "x" for one in connect.fields}, others=())

        return call

    async def nothing(_api_url: str) -> None:
        raise AssertionError("no shop has moved")

    async def status(http: httpx.AsyncClient) -> object:
        client = UpgatesClient(
            http=http,
            ledger=FakeLedger(),
            account=Account(SHOP, "https://shop.test/api/v2", "user", "key"),
            clock=lambda: NOON,
            policy=HostPolicy(("shop.test",)),
            on_moved=nothing,
        )
        return await client.webhooks()

    async def key(http: httpx.AsyncClient) -> object:
        return await fetch_key(http, "https://key.test/", lambda: NOON, deadline=KEY.seconds)

    connected = {one.name: (login(one.name), ANSWER) for one in SYSTEMS.connected if one.connect is not None}
    return {**connected, SYSTEMS.platform.name: (status, ANSWER), "the key": (key, KEY)}


@pytest.mark.parametrize("beyond", [name for name in BODIES if name != "bytes"])
async def test_an_answer_beyond_a_bound_is_an_error_of_the_system(
    calls: dict[str, tuple[Call, Bounds]], beyond: str
) -> None:
    body, headers = BODIES[beyond]
    for name, (call, _bounds) in calls.items():
        if name == "the key" and beyond in _HARMLESS:
            continue  # it is no JSON
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=_Whole(body), headers=headers))
        ) as http:
            with pytest.raises(RemoteError):
                await call(http)


class _Whole(httpx.AsyncByteStream):
    """A body as it is on the wire: httpx would undo its encodings at once."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), 65_536):
            yield self.body[start : start + 65_536]


async def test_of_an_answer_without_end_no_more_is_taken_than_the_bounds_say(
    calls: dict[str, tuple[Call, Bounds]],
) -> None:
    for name, (call, bounds) in calls.items():
        body = Endless(b" " * 4_096)
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _, body=body: httpx.Response(200, stream=body))
        ) as http:
            with pytest.raises(RemoteError):
                await call(http)
        assert body.taken <= bounds.bytes + 4_096, name


def test_every_call_goes_through_the_one_place_that_has_the_bounds() -> None:
    """So that no client of a system, also of one that comes later, can be without."""
    for name, source in modules():
        tree = ast.parse(source)
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        if name in {_ONE_PLACE, _RECORDER} or not names & {"httpx", "urllib.request", "aiohttp", "requests"}:
            continue
        called = {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & _SENDING, f"{name} sends a request by itself"
