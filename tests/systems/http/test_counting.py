"""Every call to another system is counted once, in one vocabulary: transport, ledger, metrics and pages agree."""

import re
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.fake_uphance import FakeVault
from tests.support.shops import MakeShop
from tests.support.upp import MemoryVault
from upbridge.core.errors import RemoteError
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
from upbridge.rate_limits.usage import usage
from upbridge.systems.http.classify import Action
from upbridge.systems.http.published_key import fetch_key
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.tokens import Tokens
from upbridge.systems.upp.client import UppClient
from upbridge.web.queries.usage import usage_of

TOP = Path(__file__).parents[3]
SRC = TOP / "src" / "upbridge"


def counted(name: str) -> Counter[tuple[str, str]]:
    """The samples of a metric, summed by system and operation."""
    sums: Counter[tuple[str, str]] = Counter()
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.name == name:
                sums[sample.labels["system"], sample.labels["operation"]] += int(sample.value)
    return sums


_HOSTS = {"shop.test": "upgates", "upp.test": "upp", "uphance.test": "uphance", "key.test": "signature_key"}


class Network:
    """Every system at once. The answer to the fourth of five calls is lost."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        system = _HOSTS[request.url.host]
        self.seen[system] += 1
        if self.seen[system] % 5 == 4:
            raise httpx.ReadError("lost")
        if request.url.host == "shop.test" and request.method == "POST":
            return httpx.Response(301, json={"api_url": "https://shop.test/api/v3"})
        return httpx.Response(200, json={"access_token": "t", "expires_in": 9, "seasons": [], "services": []})


async def test_transport_ledger_metrics_and_pages_count_the_same_calls_in_the_same_words(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    network, shop_id, ledger = Network(), ShopId(await make_shop()), Ledger(engine, _noon)
    before, times = counted("upbridge_remote_calls_total"), counted("upbridge_remote_call_seconds_count")

    async with httpx.AsyncClient(transport=httpx.MockTransport(network)) as http:
        await _call_everything(http, ledger, shop_id)

    calls = counted("upbridge_remote_calls_total") - before
    assert calls == counted("upbridge_remote_call_seconds_count") - times
    by_system: Counter[str] = Counter()
    for (system, _), number in calls.items():
        by_system[system] += number
    assert by_system == network.seen
    assert set(by_system) == {*(system.name for system in SYSTEMS.all), "signature_key"}, (
        "a system has no call in this test"
    )

    operators = await usage(engine, now=NOON, days=1)
    assert {access: used.calls for access, used in operators.by_access.items()} == {
        operation: number for (system, operation), number in calls.items() if system == "upgates"
    }
    snapshot = await ledger.snapshot(shop_id)
    page = await usage_of(engine, shop_id, snapshot, targets=(), import_ends_at=None, now=NOON)
    totals = (sum(operators.by_day.values()), sum(snapshot.calls_by_purpose.values()), page.total)
    assert totals == (network.seen["upgates"],) * 3


async def _call_everything(http: httpx.AsyncClient, ledger: Ledger, shop_id: ShopId) -> None:
    """Each client, with answers, lost answers and a shop that has moved."""
    upgates = UpgatesClient(
        http=http,
        ledger=ledger,
        account=Account(shop_id, "https://shop.test/api/v2", "user", "key"),
        clock=_noon,
        policy=HostPolicy(("shop.test",)),
        on_moved=_moved,
    )
    upp, vault = UppClient(http, "https://upp.test", _noon), MemoryVault()
    tokens = Tokens("token", "refresh", NOON + timedelta(days=1))
    uphance = UphanceClient(http, "https://uphance.test", FakeVault(tokens.stored()), _noon, 5, sleep=_no_sleep)
    for _ in range(7):
        with suppress(RemoteError):
            await upgates.status()
        with suppress(RemoteError):
            await upgates.add_history("1", [("name", "value")])  # has moved: two calls
        with suppress(RemoteError):
            await upp.ingest(vault, [b"{}"])
        with suppress(RemoteError):
            await uphance.get("/seasons")
        with suppress(RemoteError):
            await fetch_key(http, "https://key.test/", _noon, deadline=1)


def _noon() -> datetime:
    return NOON


async def _moved(api_url: str) -> None:
    del api_url


async def _no_sleep(seconds: float) -> None:
    del seconds


def test_nothing_is_sent_past_the_transport() -> None:
    """The trial of Uphance stands behind the transport and passes on what that has counted."""
    sends = re.compile(r"http\.(?:get|head|post|put|patch|delete|request|stream|send)\(")

    senders = {path.relative_to(SRC).as_posix() for path in SRC.rglob("*.py") if sends.search(path.read_text())}

    assert senders == {"systems/http/transport.py", "systems/uphance/probe.py"}


def test_every_outcome_is_explained_to_the_operator() -> None:
    page = (TOP / "docs" / "running.md").read_text()
    chapter = page.partition("## The outcome of a call")[2].partition("\n## ")[0]

    explained = re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE)

    assert explained == [action.value for action in Action]
