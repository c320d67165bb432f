"""A tiny shop at the transport that takes what is written back to it, and can lose its answers."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.support.clock import NOON
from tests.support.fake_uphance import FakeLinks, FakeVault
from tests.support.shop_settings import make_settings
from tests.support.upgates import SHOP, Json, Upgates, listed, raw_order
from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.domain.delivery import Delivered, Document, Link, Outcome
from upbridge.domain.shop_profile import ShopProfile
from upbridge.systems.base import Connection, MappingContext
from upbridge.systems.upgates.target import UpgatesTarget

Fault = Callable[[httpx.Request], Exception | httpx.Response | None]

#: Status 4 is the only one of type Sent.
KINDS = {1: "Received", 2: "PaymentSuccessful", 4: "Sent", 5: "Canceled"}


@dataclass
class Shop:
    """Orders, stock, histories. `before` may refuse a request, `after` may lose the answer of an applied one."""

    orders: dict[str, Json] = field(default_factory=dict)
    stock: dict[str, Any] = field(default_factory=dict)
    history: dict[str, list[Json]] = field(default_factory=dict)
    refuse: set[str] = field(default_factory=set)
    silent: bool = False
    """Answers of PUT mention no item."""
    before: Fault = lambda _: None
    after: Fault = lambda _: None
    mails: list[str] = field(default_factory=list)
    status: int = 503
    """What it answers when it is asked for its status."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        for fault in (self.before, None, self.after):
            if fault is None:
                answer = self._apply(request)
            elif (found := fault(request)) is not None:
                if isinstance(found, Exception):
                    raise found
                return found
        return answer

    def _apply(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        body = json.loads(request.content) if request.content else {}
        match request.method, path.split("/")[1:]:
            case "GET", ["orders"]:
                wanted = request.url.params["order_numbers"].split(";")
                return httpx.Response(
                    200, json=listed("orders", [self.orders[number] for number in wanted if number in self.orders])
                )
            case "PUT", ["orders"]:
                return self._orders(body)
            case "PUT", ["products"]:
                return self._products(body)
            case "GET", ["orders", number, "history"]:
                return httpx.Response(200, json={"history": self.history.get(number, [])})
            case "POST", ["orders", number, "history"]:
                self.history.setdefault(number, []).append(body)
                return httpx.Response(200, json={"updated": True, "messages": []})
        return httpx.Response(self.status if path == "/status" else 404, json={"services": []})

    def _orders(self, body: Json) -> httpx.Response:
        said = []
        for item in body["orders"]:
            number = item["order_number"]
            refused = number in self.refuse
            if not refused:
                self.orders[number].update(item)
                self.mails += [number] if body["send_emails_yn"] else []
            said.append(_said({"order_number": number}, refused=refused))
        return httpx.Response(200, json={"orders": [] if self.silent else said})

    def _products(self, body: Json) -> httpx.Response:
        answers: Json = {}
        for name in body:
            answers[name] = []
            for item in body[name]:
                refused = item["code"] in self.refuse
                if not refused:
                    self.stock[item["code"]] = item["stock"]
                answers[name].append(_said({"code": item["code"]}, refused=refused))
        return httpx.Response(200, json={name: [] for name in answers} if self.silent else answers)

    def entries(self, number: str) -> list[tuple[str, str]]:
        """What stands in an order's history."""
        return [(row["name"], row["value"]) for event in self.history.get(number, []) for row in event["data"]]


def _said(key: Json, *, refused: bool) -> Json:
    messages = [{"object": "x", "property": "code", "message": "no", "level": "error"}] if refused else []
    return {**key, "updated_yn": not refused, "messages": messages}


@dataclass
class Setup:
    """The target, its shop, and what the engine would remember."""

    shop: Shop = field(default_factory=Shop)
    settings: dict[str, Any] = field(default_factory=lambda: {"stock.write": True})
    facts: ShopProfile = field(default_factory=lambda: ShopProfile(status_types=KINDS))
    now: datetime = NOON
    links: FakeLinks = field(default_factory=FakeLinks)
    upgates: Upgates = field(init=False)

    def __post_init__(self) -> None:
        self.upgates = Upgates(self.shop)

    async def send(self, *documents: Document) -> dict[str, Outcome]:
        """Push them as the engine does: with the links of now, each outcome settled."""
        target = UpgatesTarget(self.upgates.client, lambda: self.now)
        linked = [replace(one, link=self.links.rows.get((one.kind, one.key))) for one in documents]
        outcomes: dict[str, Outcome] = {}
        sender = target.sender(self.context().connection, FakeVault(), self.links)
        async for settled in sender.push(linked, self.context()):
            for document, outcome in settled:
                assert document.key not in outcomes
                outcomes[document.key] = outcome
                if isinstance(outcome, Delivered):
                    link = Link(
                        document.kind,
                        document.key,
                        document.parent,
                        hash=document.hash,
                        sent=outcome.keep,
                        created_keys=outcome.created_keys,
                    )
                    self.links.rows[document.kind, document.key] = link
        return outcomes

    def context(self) -> MappingContext:
        tx = Connection(SHOP, "shop", "uphance", "5", "", NOON, {}, "Uphance")
        return MappingContext(make_settings(self.settings), self.facts, tx, self.now)

    def order(self, number: str, **overrides: Any) -> Json:
        """An order of the shop."""
        self.shop.orders[number] = raw_order(order_number=number, **overrides)
        return self.shop.orders[number]

    def calls(self) -> list[str]:
        """Method and path of every call."""
        return [f"{one.method} {one.url.path.removeprefix('/api/v2')}" for one in self.upgates.requests]

    def wait(self, **by: float) -> None:
        """Let time pass."""
        self.now += timedelta(**by)


def number_for(code: str, written: int = 3, *, key: str = "", level: str = "variant") -> Document:
    """A document about one number."""
    body = {"code": code, "level": level, "written": written, "uphance": 5, "open": 2, "safety": 0, "sku": 1}
    return _document("stock", key or f"v-{code}", body)


def parcel(ticket: int = 1, tracking: str | None = "CZ1", **overrides: Any) -> Mapping[str, Any]:
    """A shipped pick ticket as the document has it."""
    return {
        "id": ticket,
        "tracking": tracking,
        "carrier": "ppl",
        "shipment": f"S-{ticket}",
        "date": "2026-11-24",
        **overrides,
    }


def shipment_of(number: str, parcels: Sequence[Mapping[str, Any]] | None = None, **overrides: Any) -> Document:
    """A document about what was shipped of an order."""
    body = {
        "number": number,
        "uphance_order": "1001",
        "complete": True,
        "backfill": False,
        "tickets": [parcel()] if parcels is None else list(parcels),
        **overrides,
    }
    return _document("shipment", number, body)


def _document(kind: str, key: str, body: Json) -> Document:
    raw = canonical(body)
    return Document(kind, key, key, 1, raw, fingerprint(raw), 0, None)


def lost(method: str, end: str) -> Fault:
    """Loses the first answer to such a call."""
    left = [True]

    def fault(request: httpx.Request) -> Exception | None:
        if left and request.method == method and request.url.path.endswith(end):
            left.clear()
            return httpx.ReadError("cut")
        return None

    return fault


def answered(status: int, method: str, end: str, *, when: Callable[[Json], bool] = lambda _: True) -> Fault:
    """Answers such calls with *status*, where *when* says so of the body."""

    def fault(request: httpx.Request) -> httpx.Response | None:
        hit = request.method == method and request.url.path.endswith(end)
        return httpx.Response(status, json={}) if hit and when(json.loads(request.content or b"{}")) else None

    return fault


def codes(body: Json) -> Iterable[str]:
    """All codes in the body of a PUT."""
    return [item["code"] for rows in body.values() for item in rows]
