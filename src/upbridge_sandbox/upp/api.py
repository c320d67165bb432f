"""The simulated Upp.ai service: six calls, four required headers, batches of a thousand, no per-item answers."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import too_many
from upbridge_sandbox.asgi.routing import Operation, Refused, application
from upbridge_sandbox.simulated import not_published, simulated
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
    """The operations."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def token(self, call: Call) -> Any:
        """Client credentials as a form; a token lives for 24 hours."""
        if "application/x-www-form-urlencoded" not in call.headers.get("content-type", ""):
            call.violation("bad-content-type", "the token call is a form")
        form = call.fields()
        tenant = self.state.tenants.get(form.get("client_id", ""))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if tenant is None or tenant.secret != form.get("client_secret"):
            return JSONResponse({"error": "invalid_client"}, 401)
        token = tenant.new_token(self.state.now())
        return {"access_token": token, "expires_in": tenant.token_seconds, "token_type": "Bearer"}

    async def products(self, call: Call) -> Response:
        """Full products; 202 says accepted and nothing more."""
        tenant, body = self._tenant(call), _body(call)
        if not isinstance(body, dict) or set(body) != {"products"} or not isinstance(body["products"], list):
            raise _bad(call, 'the body is {"products": [...]}')
        self._check_batch(call, body["products"], "externalProductId", _wrong_product)
        tenant.take_products(body["products"])
        return JSONResponse({}, 202)

    async def order(self, call: Call) -> Response:
        """One order, created or updated."""
        tenant = self._tenant(call)
        return self._take_orders(call, tenant, [_body(call)])

    async def orders(self, call: Call) -> Response:
        """A bare array of orders."""
        tenant, body = self._tenant(call), _body(call)
        if not isinstance(body, list):
            raise _bad(call, "the body is a bare array")
        return self._take_orders(call, tenant, body)

    def _take_orders(self, call: Call, tenant: Tenant, items: list[Any]) -> Response:
        self._check_batch(call, items, "externalOrderId", _wrong_order)
        self._look_for_personal_data(call)
        tenant.take_orders(items)
        return JSONResponse({}, 201)

    async def sent_orders(self, call: Call) -> Any:
        """What came by API; no shape is published."""
        return {"orders": list(self._tenant(call).orders.values())}

    async def cpa(self, call: Call) -> Response:
        """The average cost of winning a customer, an entry a day."""
        tenant, body = self._tenant(call), _body(call)
        good = isinstance(body, dict) and isinstance(body.get("discriminator"), str)
        rows = body.get("payload") if good else None
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("date"), str) and _number(row.get("cpa")) for row in rows
        ):
            raise _bad(call, 'the body is {"discriminator", "payload": [{"date", "cpa"}]}')
        tenant.cpa.append(body)
        return JSONResponse({}, 202)

    def _tenant(self, call: Call) -> Tenant:
        """The tenant that calls; the four headers are required. Raises `Refused`."""
        for name, wanted in (("accept", "application/json"), ("api-version", "1")):
            if call.headers.get(name) != wanted:
                call.violation("missing-header", name)
        if call.headers.get("content-type", "").partition(";")[0] != "application/json":
            call.violation("missing-header", "content-type")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            call.violation("missing-header", "authorization")
            raise Refused(JSONResponse({"error": "unauthorized"}, 401))
        for tenant in self.state.tenants.values():
            expires = tenant.tokens.get(token)
            if expires is not None and expires > self.state.now():
                call.shop = tenant.client_id
                return tenant
        raise Refused(JSONResponse({"error": "invalid_token"}, 401))

    def _check_batch(self, call: Call, items: list[Any], key: str, wrong: Callable[[Any], str]) -> None:
        """Raise `Refused` for the whole batch if it is too large or one of its items is wrong or refused."""
        call.item_count = len(items)
        if len(items) > MOST_IN_BATCH:
            call.violation("too-large", str(len(items)))
            raise Refused(JSONResponse({"error": "payload too large"}, 413))
        ids = [item.get(key) for item in items if isinstance(item, dict)]
        for name, count in Counter(value for value in ids if isinstance(value, str)).items():
            if count > 1:
                call.violation("doubled-in-batch", f"{name} {count} times")
        for item in items:
            if reason := wrong(item):
                raise _bad(call, reason)
        refuse = self.state.faults["upp"].refuse
        if bad := [item[key] for item in items if item[key] in refuse]:
            raise Refused(JSONResponse({"error": f"validation failed for {bad[0]}"}, 400))

    def _look_for_personal_data(self, call: Call) -> None:
        """Addresses, names and phone numbers of the seeded shoppers have no business here."""
        text = call.content.decode("utf-8", "replace")
        if "\\u" in text:
            text = str(call.document())
        if "@" in text:
            call.violation("personal-data", "an @ in the body")
        for shop in self.state.shops.values():
            for shopper in shop.order_factory.customers:
                name = f"{shopper['firstname_invoice']} {shopper['surname_invoice']}"
                if any(value in text for value in (name, shopper["phone"], shopper["street_invoice"])):
                    call.violation("personal-data", "a shopper's name, phone or street")
                    return


def _body(call: Call) -> Any:
    """The body; None if it is not JSON, which is noted."""
    try:
        return call.document()
    except ValueError as error:
        call.violation("not-a-number" if "is not JSON" in str(error) else "bad-body", str(error))
        return None


def _bad(call: Call, why: str) -> Refused:
    call.violation("bad-body", why)
    return Refused(JSONResponse({"error": why}, 400))


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


def upp_api(state: State) -> ASGIApp:
    """The ASGI application of the simulated Upp.ai."""
    upp = Upp(state)
    routes = [
        Operation("POST", "/auth/oauth/token", upp.token),
        Operation("POST", "/ingest/bulk", upp.products),
        Operation("POST", "/orders", upp.order),
        Operation("POST", "/orders/bulk", upp.orders),
        Operation("GET", "/orders", upp.sent_orders),
        Operation("POST", "/cpa", upp.cpa),
    ]
    app = application(routes, {HTTPException: not_published})
    return simulated("upp", app, state, caller=lambda call: call.ip, busy=too_many)
