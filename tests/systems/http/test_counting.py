"""Every call to another system is counted once: as many are counted as requests arrive, system by system."""

import re
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from prometheus_client import REGISTRY

from tests.support.clock import NOON
from tests.support.fake_uphance import FakeVault
from tests.support.upgates import SHOP, FakeLedger
from tests.support.upp import MemoryVault
from upbridge.core.errors import RemoteError
from upbridge.systems.http.classify import Action
from upbridge.systems.http.published_key import fetch_key
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.tokens import Tokens
from upbridge.systems.upp.client import UppClient

TOP = Path(__file__).parents[3]
SRC = TOP / "src" / "upbridge"


def counted(name: str) -> Counter[str]:
    """The samples of a metric, summed by system."""
    sums: Counter[str] = Counter()
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.name == name:
                sums[sample.labels["system"]] += int(sample.value)
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


async def test_as_many_calls_are_counted_as_arrive_at_each_system() -> None:
    network = Network()
    before, times = counted("upbridge_remote_calls_total"), counted("upbridge_remote_call_seconds_count")

    async with httpx.AsyncClient(transport=httpx.MockTransport(network)) as http:
        await _call_everything(http)

    assert set(network.seen) == {"upgates", "upp", "uphance", "signature_key"}
    assert counted("upbridge_remote_calls_total") - before == network.seen
    assert counted("upbridge_remote_call_seconds_count") - times == network.seen


async def _call_everything(http: httpx.AsyncClient) -> None:
    upgates = UpgatesClient(
        http=http,
        ledger=FakeLedger(),
        account=Account(SHOP, "https://shop.test/api/v2", "user", "key"),
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
    chapter = page.partition("## What came of a call")[2].partition("\n## ")[0]

    explained = re.findall(r"^\| `(\w+)` \|", chapter, re.MULTILINE)

    assert explained == [action.value for action in Action]
