"""Makes what Upgates answers, and a client whose network is a function."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from tests.support.clock import NOON
from tests.support.vendor_files import CAPTURED, vendor_file
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.rate_limits.record_response import Response
from upbridge.systems.http.exact_json import decode
from upbridge.systems.upgates.client import UpgatesClient
from upbridge.systems.upgates.shop_profile import FACTS
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy

SHOP = ShopId(UUID(int=7))
API_URL = "https://shop.admin.s1.upgates.com/api/v2"

Json = dict[str, Any]
Handler = Callable[[httpx.Request], httpx.Response]


def captured(name: str) -> Any:
    """A real answer that was recorded, or skip where the recordings are not."""
    return decode((vendor_file(CAPTURED) / name).read_bytes())


def raw_product(**overrides: Any) -> Json:
    """A product without variants, as GET /products lists it."""
    return {
        "product_id": 41,
        "code": "GAR-41",
        "ean": "8594000000415",
        "active_yn": True,
        "archived_yn": False,
        "can_add_to_basket_yn": True,
        "set_yn": False,
        "descriptions": [{"language": "cs", "title": "Kabát", "url": "https://example.cz/p/kabat"}],
        "manufacturer": "Dílna",
        "stock": 4,
        "limit_orders": None,
        "weight": 900,
        "images": [],
        "categories": [{"category_id": 1, "main_yn": True, "name": "Kabáty"}],
        "prices": [raw_prices()],
        "variants": [],
        "last_update_time": "2026-11-20T10:00:00+01:00",
        **overrides,
    }


def raw_prices(**overrides: Any) -> Json:
    """A price object of one language with one price list."""
    listed = overrides.pop("pricelist", {})
    return {
        "language": "cs",
        "currency": "CZK",
        "price_purchase": 40,
        "vat": 21,
        "pricelists": [
            {
                "name": "Výchozí",
                "price_original": 121,
                "product_discount": None,
                "product_discount_real": 0,
                "price_sale": None,
                "price_with_vat": 121,
                "price_without_vat": 100,
                **listed,
            }
        ],
        **overrides,
    }


def raw_variant(**overrides: Any) -> Json:
    """A variant that inherits everything it can."""
    return {
        "variant_id": 5001,
        "code": "GAR-41-RED-M",
        "ean": None,
        "active_yn": None,
        "can_add_to_basket_yn": None,
        "stock": None,
        "image": None,
        "prices": [],
        **overrides,
    }


def raw_line(**overrides: Any) -> Json:
    """A line of an order."""
    return {
        "product_id": 41,
        "option_set_id": 5001,
        "type": "product",
        "uuid": "l-1",
        "parent_uuid": None,
        "code": "GAR-41-RED-M",
        "ean": None,
        "title": "Kabát",
        "quantity": 2,
        "price_per_unit": 121,
        "price_per_unit_with_vat": 121,
        "price_per_unit_without_vat": 100,
        "price": 242,
        "price_with_vat": 242,
        "price_without_vat": 200,
        "vat": 21,
        **overrides,
    }


def raw_order(**overrides: Any) -> Json:
    """An order as GET /orders lists it."""
    return {
        "order_number": "OBJ-1",
        "order_id": 11,
        "uuid": "u-1",
        "language_id": "cs",
        "currency_id": "CZK",
        "prices_with_vat_yn": True,
        "status_id": 1,
        "paid_date": None,
        "statistics_yn": True,
        "last_update_time": "2026-11-20T10:00:00+01:00",
        "creation_time": "2026-11-20T09:00:00+01:00",
        "order_total": 331,
        "order_total_before_round": 331.2,
        "order_total_rest": -0.2,
        "origin": "frontend",
        "customer": {
            "email": "jana@example.cz",
            "firstname_invoice": "Jana",
            "surname_invoice": "Nová",
            "country_id_invoice": "cz",
            "postal_yn": False,
            "company_yn": False,
            "company": "Zbytek s.r.o.",
        },
        "products": [raw_line()],
        "shipment": {
            "id": 4,
            "name": "WEDO",
            "price": 89,
            "price_with_vat": 89,
            "price_without_vat": 73.55,
            "vat": 21,
        },
        "payment": {"id": 3, "name": "Převodem", "price": 0, "vat": 0},
        **overrides,
    }


def listed(name: str, rows: list[Json], **overrides: Any) -> Json:
    """A page of a list."""
    return {
        "current_page": 1,
        "current_page_items": len(rows),
        "number_of_pages": 1,
        "number_of_items": len(rows),
        name: rows,
        **overrides,
    }


@dataclass
class FakePermit:
    """Remembers what the server said."""

    said: list[Response]

    async def answered(self, response: Response) -> None:
        self.said.append(response)


@dataclass
class FakeLedger:
    """A budget without end that remembers what was paid for."""

    paid: list[tuple[ShopId, str, Purpose]] = field(default_factory=list)
    said: list[Response] = field(default_factory=list)
    refusal: Exception | None = None

    @asynccontextmanager
    async def call(self, shop_id: ShopId, *, access: str, purpose: Purpose) -> AsyncIterator[FakePermit]:
        if self.refusal is not None:
            raise self.refusal
        self.paid.append((shop_id, access, purpose))
        yield FakePermit(self.said)


@dataclass
class Upgates:
    """A client of which every request goes to *handler*."""

    handler: Handler
    policy: HostPolicy = field(default_factory=HostPolicy)
    api_key: str = "secret-key"
    requests: list[httpx.Request] = field(default_factory=list)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    moves: list[str] = field(default_factory=list)
    client: UpgatesClient = field(init=False)
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        self.client = UpgatesClient(
            http=self.http,
            ledger=self.ledger,
            account=Account(shop_id=SHOP, api_url=API_URL, api_user="12345678", api_key=self.api_key),
            clock=_noon,
            policy=self.policy,
            on_moved=self._moved,
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.handler(request)

    async def _moved(self, api_url: str) -> None:
        self.moves.append(api_url)

    def bodies(self) -> list[Any]:
        """What was sent, parsed."""
        return [json.loads(request.content) if request.content else None for request in self.requests]


def _noon() -> datetime:
    return NOON


def answering(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Upgates:
    """A client to which everything is answered by *body*."""
    return Upgates(lambda _request: httpx.Response(status, json=body, headers=headers))


def by_path(answers: Mapping[str, Any]) -> Upgates:
    """A client that is answered by the path below /api/v2; 404 for any other."""

    def handle(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        if path not in answers:
            return httpx.Response(404, json={"messages": []})
        return httpx.Response(200, json=answers[path])

    return Upgates(handle)


OWNER = {
    "owner": [
        {"company": "Cizí s.r.o.", "language_id": "sk"},
        {
            "company": "Šatník s.r.o.",
            "company_number": 12345679,
            "country_id": "cz",
            "language_id": "cs",
            "email": None,
        },
    ]
}
LANGUAGES = {
    "languages": [
        {"language_id": "sk", "active_yn": "1", "default_yn": "0", "currency_id": "eur"},
        {"language_id": "cs", "active_yn": True, "default_yn": 1, "currency_id": "CZK"},
        {"language_id": "de", "active_yn": 0, "default_yn": False, "currency_id": "EUR"},
    ]
}
PRICELISTS = {
    "pricelists": [{"id": 2, "name": "VIP", "default_yn": "0"}, {"id": 1, "name": "Výchozí", "default_yn": "1"}]
}
CONFIG = {"config": {"prices_with_vat_yn": 0, "vat_payer_yn": True}}
STATUSES = {
    "order_statuses": [
        {"id": "1", "type": "Received", "descriptions": [{"language_id": "cs", "name": "Přijatá"}]},
        {"id": 9, "type": None, "descriptions": None},
    ]
}
STATUS = {
    "services": [
        {"service": "Objednávky", "url": "https://shop.admin.s1.upgates.com/api/v2/orders/", "privilege": "all"},
        {"service": "products", "url": None, "privilege": "readonly"},
        {"service": "owner", "url": "https://shop.admin.s1.upgates.com/api/v2/owner", "privilege": "deny"},
    ]
}


def facts_of(**answers: Any) -> ShopProfile:
    """The facts that *answers* make, as the client reads them one after another."""
    facts = ShopProfile()
    for name, (_, parse, _) in FACTS.items():
        if name.replace("-", "_") in answers:
            facts = facts.model_copy(update=parse(facts, answers[name.replace("-", "_")]))
    return facts
