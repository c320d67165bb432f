"""The simulated Upp.ai service: six calls, four required headers, batches of a thousand, no per-item answers."""

from collections import Counter
from typing import Any

from starlette.responses import Response

from upbridge_sandbox.door import Call, Door, Json, Routes, answer, published_only, too_many
from upbridge_sandbox.state import State
from upbridge_sandbox.upp.tenant import Tenant

MOST_IN_BATCH = 1000
PRODUCT_NUMBERS = ("price", "stock", "costOfGoods", "salePrice")
PRODUCT_TEXTS = (
    "sku",
    "title",
    "groupId",
    "imageUrl",
    "currency",
    "priceCurrency",
    "ean",
    "brand",
    "url",
    "category",
)
ORDER_TEXTS = ("externalOrderId", "orderSubmittedOn", "currency", "sourceChannel")
ORDER_NUMBERS = ("netOrderAmount", "grossOrderAmount")


class Upp:
    """The endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def token(self, call: Call) -> Response:
        """POST /auth/oauth/token: client credentials as a form; 24 hours."""
        if "application/x-www-form-urlencoded" not in call.headers.get("content-type", ""):
            self._violation(call, "bad-content-type", "the token call is a form")
        form = call.form()
        tenant = self.state.tenants.get(form.get("client_id", ""))
        if form.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, 400)
        if tenant is None or tenant.secret != form.get("client_secret"):
            return answer({"error": "invalid_client"}, 401)
        token = tenant.new_token(self.state.now())
        return answer({"access_token": token, "expires_in": tenant.token_seconds, "token_type": "Bearer"})

    async def products(self, call: Call) -> Response:
        """POST /ingest/bulk: full products; 202 says accepted and nothing more."""
        tenant = self._tenant(call)
        if isinstance(tenant, Response):
            return tenant
        body = self._body(call)
        items = body.get("products") if isinstance(body, dict) else None
        if not isinstance(items, list) or (isinstance(body, dict) and set(body) != {"products"}):
            return self._bad(call, 'the body is {"products": [...]}')
        refusal = self._batch(call, items, "externalProductId")
        for item in items:
            if refusal is not None:
                break
            if wrong := _wrong_product(item):
                refusal = self._bad(call, wrong)
        if refusal is None:
            refusal = self._refused(items, "externalProductId")
        if refusal is not None:
            return refusal
        tenant.take_products(items)
        return answer({}, 202)

    async def order(self, call: Call) -> Response:
        """POST /orders: one order, created or updated."""
        tenant = self._tenant(call)
        return tenant if isinstance(tenant, Response) else self._take_orders(call, tenant, [self._body(call)])

    async def orders(self, call: Call) -> Response:
        """POST /orders/bulk: a bare array."""
        tenant = self._tenant(call)
        if isinstance(tenant, Response):
            return tenant
        body = self._body(call)
        if not isinstance(body, list):
            return self._bad(call, "the body is a bare array")
        return self._take_orders(call, tenant, body)

    def _take_orders(self, call: Call, tenant: Tenant, items: list[Any]) -> Response:
        refusal = self._batch(call, items, "externalOrderId")
        for item in items:
            if refusal is not None:
                break
            if wrong := _wrong_order(item):
                refusal = self._bad(call, wrong)
        if refusal is None:
            refusal = self._refused(items, "externalOrderId")
        if refusal is not None:
            return refusal
        self._personal(call)
        tenant.take_orders(items)
        return answer({}, 201)

    async def sent_orders(self, call: Call) -> Response:
        """GET /orders: what came by API; no shape is published."""
        tenant = self._tenant(call)
        return tenant if isinstance(tenant, Response) else answer({"orders": list(tenant.orders.values())})

    async def cpa(self, call: Call) -> Response:
        """POST /cpa: the average cost of winning a customer, a day an entry."""
        tenant = self._tenant(call)
        if isinstance(tenant, Response):
            return tenant
        body = self._body(call)
        good = isinstance(body, dict) and isinstance(body.get("discriminator"), str)
        rows = body.get("payload") if good else None
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("date"), str) and _number(row.get("cpa")) for row in rows
        ):
            return self._bad(call, 'the body is {"discriminator", "payload": [{"date", "cpa"}]}')
        tenant.cpa.append(body)
        return answer({}, 202)

    def _tenant(self, call: Call) -> Tenant | Response:
        """Who calls; the four headers are required."""
        for name, wanted in (("accept", "application/json"), ("api-version", "1")):
            if call.headers.get(name) != wanted:
                self._violation(call, "missing-header", name)
        if call.headers.get("content-type", "").partition(";")[0] != "application/json":
            self._violation(call, "missing-header", "content-type")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            self._violation(call, "missing-header", "authorization")
            return answer({"error": "unauthorized"}, 401)
        for tenant in self.state.tenants.values():
            expires = tenant.tokens.get(token)
            if expires is not None and expires > self.state.now():
                call.shop = tenant.client_id
                return tenant
        return answer({"error": "invalid_token"}, 401)

    def _body(self, call: Call) -> Any:
        try:
            return call.json()
        except ValueError as error:
            self._violation(call, "not-a-number" if "is not JSON" in str(error) else "bad-body", str(error))
            return None

    def _batch(self, call: Call, items: list[Any], key: str) -> Response | None:
        call.items = len(items)
        if len(items) > MOST_IN_BATCH:
            self._violation(call, "too-large", str(len(items)))
            return answer({"error": "payload too large"}, 413)
        counts = Counter(
            item.get(key) for item in items if isinstance(item, dict) and isinstance(item.get(key), str)
        )
        for name, count in counts.items():
            if count > 1:
                self._violation(call, "doubled-in-batch", f"{name} {count} times")
        return None

    def _refused(self, items: list[Json], key: str) -> Response | None:
        """400 for the whole batch where the control API said that an item is refused."""
        refuse = self.state.faults["upp"].refuse
        bad = [item[key] for item in items if item[key] in refuse]
        return answer({"error": f"validation failed for {bad[0]}"}, 400) if bad else None

    def _personal(self, call: Call) -> None:
        """Addresses, names and phone numbers of the seeded shoppers have no business here."""
        text = call.body.decode("utf-8", "replace")
        if "\\u" in text:
            text = str(call.json())
        if "@" in text:
            self._violation(call, "personal-data", "an @ in the body")
        for shop in self.state.shops.values():
            for shopper in shop.order_factory.customers:
                name = f"{shopper['firstname_invoice']} {shopper['surname_invoice']}"
                for value in (name, shopper["phone"], shopper["street_invoice"]):
                    if value in text:
                        self._violation(call, "personal-data", "a shopper's name, phone or street")
                        return

    def _bad(self, call: Call, why: str) -> Response:
        self._violation(call, "bad-body", why)
        return answer({"error": why}, 400)

    def _violation(self, call: Call, rule: str, detail: str) -> None:
        self.state.ledger.violation("upp", rule, call.line, detail)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong_product(item: Any) -> str:
    if not isinstance(item, dict):
        return "a product is an object"
    if not isinstance(item.get("externalProductId"), str) or not item["externalProductId"]:
        return "externalProductId is a string"
    for name in PRODUCT_NUMBERS:
        if name in item and not _number(item[name]):
            return f"{name} is a number"
    for name in PRODUCT_TEXTS:
        if name in item and not isinstance(item[name], str):
            return f"{name} is a string"
    return ""


def _wrong_order(item: Any) -> str:
    if not isinstance(item, dict):
        return "an order is an object"
    for name in ORDER_TEXTS:
        if not isinstance(item.get(name), str) or not item[name]:
            return f"{name} is a string"
    for name in ORDER_NUMBERS:
        if not _number(item.get(name)):
            return f"{name} is a number"
    lines = item.get("items")
    if not isinstance(lines, list):
        return "items is an array"
    return next((wrong for line in lines if (wrong := _wrong_line(line))), "")


def _wrong_line(line: Any) -> str:
    if not isinstance(line, dict) or not all(isinstance(line.get(name), str) for name in ("sku", "name")):
        return "an item has sku and name"
    if not all(_number(line.get(name)) for name in ("quantity", "price")):
        return "quantity and price are numbers"
    return ""


def upp_api(state: State) -> Door:
    """The ASGI application of the simulated Upp.ai."""
    upp, routes = Upp(state), Routes()
    routes.add("POST", "/auth/oauth/token", upp.token)
    routes.add("POST", "/ingest/bulk", upp.products)
    routes.add("POST", "/orders", upp.order)
    routes.add("POST", "/orders/bulk", upp.orders)
    routes.add("GET", "/orders", upp.sent_orders)
    routes.add("POST", "/cpa", upp.cpa)

    return Door(
        "upp",
        published_only("upp", routes, state.ledger),
        ledger=state.ledger,
        faults=state.faults["upp"],
        rng=state.rng,
        caller=lambda call: call.client,
        busy=too_many,
        sleep=state.sleep,
    )
