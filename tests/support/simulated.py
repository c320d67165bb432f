"""An Upgates in memory, and a scripted target, for tests that are about the engine.

A test puts in each product and each order, and answers a call itself where it wants. The sandbox is for the rest:
it has logins, limits, goods of its own, and one way to be right.
"""

import json
import operator
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from tests.support.upgates import raw_order, raw_product
from upbridge.core.canonical_json import canonical
from upbridge.domain.delivery import (
    Delivered,
    DesiredDocument,
    Document,
    Entity,
    Outcome,
    Unmappable,
)
from upbridge.domain.eligibility import OrderPolicy
from upbridge.domain.lane import Lane
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.shop_settings import ShopSettings
from upbridge.systems.base import Connection, MappingContext, UniqueName
from upbridge.systems.connecting import Vault
from upbridge.systems.links import Links
from upbridge.systems.uphance import order_policy as uphance
from upbridge.systems.upp import order_policy as upp

Json = dict[str, Any]
Said = list[tuple[Document, Outcome]]
Push = Callable[[Sequence[Document]], AsyncIterator[Said]]
Wants = Callable[[Entity], Iterable[DesiredDocument | Unmappable]]

#: What every shop of these tests is known to be.
FACTS: Json = {
    "company": "Dílna",
    "default_language": "cs",
    "currencies": {"cs": "CZK"},
    "pricelists": ["Výchozí"],
    "default_pricelist": "Výchozí",
    "status_types": {"1": "Received"},
}


#: What rarely changes, as the API says it.
_RARE: Mapping[str, Json] = {
    "/status": {"services": []},
    "/owner": {"owner": [{"company": "Dílna"}]},
    "/languages": {
        "languages": [{"language_id": "cs", "default_yn": True, "active_yn": True, "currency_id": "CZK"}]
    },
    "/pricelists": {"pricelists": [{"name": "Výchozí", "default_yn": True}]},
    "/config": {"config": {"vat_payer_yn": True, "prices_with_vat_yn": True}},
    "/order-statuses": {"order_statuses": [{"id": 1, "type": "Received"}]},
    "/webhooks/events": {
        "events": [
            {"name": name, "allowed_yn": True} for name in ("Orders.create", "Orders.update", "Products.delete")
        ]
    },
}


# --- a source -----------------------------------------------------------------------------------------------

#: Which rows a filter by time keeps.
_TIMES: Sequence[tuple[str, str, Callable[[datetime, datetime], bool]]] = (
    ("last_update_time_from", "last_update_time", operator.ge),
    ("creation_time_from", "creation_time", operator.ge),
    ("creation_time_to", "creation_time", operator.le),
)

Answer = Callable[[httpx.Request], httpx.Response | None]


@dataclass
class Upgates:
    """Products and orders behind the published API. *judges* are asked first: what one answers, goes.

    Of products a caller may have fewer a page than *page_size*: a smaller one is a size of the server's own.
    """

    products: dict[int, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    page_size: int = 100
    judges: list[Answer] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    hooks: list[Json] = field(default_factory=list)
    others: dict[str, Callable[[httpx.Request], Awaitable[httpx.Response]]] = field(default_factory=dict)
    """Other systems, by host."""
    rare: dict[str, Json] = field(default_factory=lambda: dict(_RARE))
    """What rarely changes, by path: a test changes it."""

    def sell(self, *numbers: int, **overrides: Any) -> None:
        """Put products on sale, or change them."""
        for number in numbers:
            values = {"product_id": number, "code": f"C-{number}", "ean": None, **overrides}
            self.products[number] = raw_product(**values)

    def order(self, *numbers: str, **overrides: Any) -> None:
        """Receive orders, or change them."""
        for number in numbers:
            self.orders[number] = raw_order(order_number=number, **overrides)

    async def route(self, request: httpx.Request) -> httpx.Response:
        """Where a request goes."""
        other = self.others.get(request.url.host)
        return self(request) if other is None else await other(request)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for judge in list(self.judges):
            if (answer := judge(request)) is not None:
                return answer
        path = request.url.path.removeprefix("/api/v2")
        match request.method, path:
            case "GET", "/products":
                return self._list("products", list(self.products.values()), "product_id", "product_ids", request)
            case "GET", "/orders":
                return self._list("orders", list(self.orders.values()), "order_number", "order_numbers", request)
            case "GET", "/webhooks":
                return httpx.Response(200, json={"webhooks": self.hooks})
            case "POST", "/webhooks":
                made = {**json.loads(request.content), "id": len(self.hooks) + 1}
                self.hooks.append(made)
                return httpx.Response(200, json={"webhook": made})
        return httpx.Response(200, json=self.rare[path]) if path in self.rare else httpx.Response(404, json={})

    def _list(self, name: str, rows: list[Json], key: str, asked: str, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        if asked in query:
            wanted = set(query[asked].split(";"))
            rows = [row for row in rows if str(row[key]) in wanted]
        if query.get("active_yn") == "true":
            rows = [row for row in rows if row["active_yn"] and not row["archived_yn"]]
        for parameter, field_name, keeps in _TIMES:
            if moment := query.get(parameter):
                limit = datetime.fromisoformat(moment)
                rows = [row for row in rows if keeps(datetime.fromisoformat(row[field_name]), limit)]
        if order_by := query.get("order_by"):
            rows = sorted(rows, key=lambda row: datetime.fromisoformat(row[order_by]))
        page, size = int(query.get("page", "1")), self.page_size
        if name == "products":
            size = min(size, int(query.get("current_page_items", "50")))
        some = rows[(page - 1) * size : page * size]
        return httpx.Response(
            200,
            json={
                "current_page": page,
                "current_page_items": len(some),
                "number_of_pages": max(1, -(-len(rows) // size)),
                "number_of_items": len(rows),
                name: some,
            },
        )

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.url.path.removeprefix("/api/v2") for request in self.requests]

    def asked(self, path: str, **query: str) -> list[Mapping[str, str]]:
        """The parameters of each call of *path* whose parameters hold *query*."""
        calls = [dict(one.url.params) for one in self.requests if one.url.path == f"/api/v2{path}"]
        return [call for call in calls if query.items() <= call.items()]


def answering(status: int, path: str = "", *, times: int = 10**9, **headers: str) -> Answer:
    """A judge that answers calls whose address holds *path* with *status*, so many times."""
    left = [times]

    def judge(request: httpx.Request) -> httpx.Response | None:
        if path not in str(request.url) or not left[0]:
            return None
        left[0] -= 1
        return httpx.Response(
            status, json={"messages": []}, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return judge


# --- a target -----------------------------------------------------------------------------------------------


def mirror(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
    """A draft per variant with its stock, a draft per order with its total."""
    match entity:
        case Product():
            for variant in entity.variants:
                body = {"id": variant.id, "stock": variant.stock, "code": variant.code}
                yield DesiredDocument("product", variant.id, entity.key, canonical(body))
        case Order():
            yield DesiredDocument(
                "order", entity.key, entity.key, canonical({"id": entity.key, "total": entity.total})
            )


async def accept(documents: Sequence[Document]) -> AsyncIterator[Said]:
    """Take everything; products are remembered, so that they can be taken back."""
    yield [(one, delivered(one)) for one in documents]


def delivered(document: Document) -> Delivered:
    """What *accept* says of a document."""
    return Delivered(remote_id=document.key, keep=document.body if document.kind == "product" else None)


@dataclass
class Target:
    """A target whose wishes and answers a test scripts."""

    system: str = "upp"
    mapping: Wants = mirror
    script: Push = accept
    received: list[Document] = field(default_factory=list)
    apart_by: UniqueName | None = None
    fronts: list[MappingContext] = field(default_factory=list)
    senders: int = 0

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:
        return self.apart_by

    def order_policy(self, context: MappingContext) -> OrderPolicy | None:
        policies = {"upp": upp.order_policy, "uphance": uphance.order_policy}
        return policies[self.system](context)

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        self.fronts.append(context)
        return self.mapping(entity)

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        body = json.loads(sent)
        return None if body.get("gone") else canonical({"id": body["id"], "gone": True})

    def sender(self, connection: Connection, vault: Vault, links: Links) -> "Target":
        self.senders += 1
        return self

    async def push(self, documents: Sequence[Document], context: MappingContext) -> AsyncGenerator[Said, None]:
        self.received += documents
        async for said in self.script(documents):
            yield said

    def bodies(self) -> list[Any]:
        """What was received, in order."""
        return [json.loads(one.body) for one in self.received]

    def times(self) -> Counter[str]:
        """How often each key was received."""
        return Counter(one.key for one in self.received)


@dataclass
class Woken:
    """Remembers which lanes were said to have work."""

    lanes: list[Lane] = field(default_factory=list)

    async def __call__(self, lane: Lane) -> None:
        self.lanes.append(lane)


One = Callable[[Document], Outcome]


def one_by_one(say: One) -> Any:
    """A script that settles one document at a time."""

    async def script(documents: Sequence[Document]) -> AsyncIterator[Said]:
        for document in documents:
            yield [(document, say(document))]

    return script
