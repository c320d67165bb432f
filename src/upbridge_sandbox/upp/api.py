"""The simulated Upp.ai service: six calls, four required headers, batches of a thousand, no per-item answers."""

import json
from collections import Counter
from types import GenericAlias
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import too_many
from upbridge_sandbox.asgi.routing import Operation, Refused, application
from upbridge_sandbox.seed.customers import tells_of, words_of
from upbridge_sandbox.seed.formats import names
from upbridge_sandbox.simulated import not_published, simulated
from upbridge_sandbox.state import State
from upbridge_sandbox.upp.tenant import Tenant

MOST_IN_BATCH = 1000
_Name = Annotated[str, Field(min_length=1)]


def _model(name: str, /, **fields: Any) -> Any:
    """An object of these fields: numbers are numbers and texts are texts; other fields are not looked at."""
    return create_model(name, __config__=ConfigDict(strict=True), **fields)


PRODUCT = _model(
    "Product",
    externalProductId=(_Name, ...),
    **dict.fromkeys(names("sku title groupId imageUrl currency priceCurrency ean brand url category"), (str, "")),
    **dict.fromkeys(names("price stock costOfGoods salePrice"), (float, 0)),
)
_LINE = _model("Line", sku=(str, ...), name=(str, ...), quantity=(float, ...), price=(float, ...))
ORDER = _model(
    "Order",
    items=(GenericAlias(list, _LINE), ...),
    **dict.fromkeys(names("externalOrderId orderSubmittedOn currency sourceChannel"), (_Name, ...)),
    **dict.fromkeys(names("netOrderAmount grossOrderAmount"), (float, ...)),
)
_DAY = _model("Day", date=(str, ...), cpa=(float, ...))
CPA = _model("Cpa", discriminator=(str, ...), payload=(GenericAlias(list, _DAY), ...))


class Upp:
    """The operations."""

    def __init__(self, state: State) -> None:
        self.state = state

    def token(self, call: Call) -> Any:
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

    def products(self, call: Call) -> Response:
        """Full products; 202 says accepted and nothing more."""
        tenant, body = self._tenant(call), _body(call)
        if not isinstance(body, dict) or set(body) != {"products"} or not isinstance(body["products"], list):
            raise _bad(call, 'the body is {"products": [...]}')
        self._check_batch(call, body["products"], "externalProductId", PRODUCT)
        tenant.take_products(body["products"])
        return JSONResponse({}, 202)

    def order(self, call: Call) -> Response:
        """One order, created or updated."""
        tenant = self._tenant(call)
        return self._take_orders(call, tenant, [_body(call)])

    def orders(self, call: Call) -> Response:
        """A bare array of orders."""
        tenant, body = self._tenant(call), _body(call)
        if not isinstance(body, list):
            raise _bad(call, "the body is a bare array")
        return self._take_orders(call, tenant, body)

    def _take_orders(self, call: Call, tenant: Tenant, items: list[Any]) -> Response:
        self._check_batch(call, items, "externalOrderId", ORDER)
        self._look_for_personal_data(call)
        tenant.take_orders(items)
        return JSONResponse({}, 201)

    def sent_orders(self, call: Call) -> Any:
        """What came by API; no shape is published."""
        return {"orders": list(self._tenant(call).orders.values())}

    def cpa(self, call: Call) -> Response:
        """The average cost of winning a customer, an entry a day."""
        tenant, body = self._tenant(call), _body(call)
        _check(call, CPA, body)
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

    def _check_batch(self, call: Call, items: list[Any], key: str, model: type[BaseModel]) -> None:
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
            _check(call, model, item)
        refuse = self.state.faults["upp"].refuse
        if bad := [item[key] for item in items if item[key] in refuse]:
            raise Refused(JSONResponse({"error": f"validation failed for {bad[0]}"}, 400))

    def _look_for_personal_data(self, call: Call) -> None:
        """Addresses, names and phone numbers of the seeded shoppers have no business here."""
        text = call.content.decode("utf-8", "replace")
        if "\\u" in text:
            text = json.dumps(call.document(), ensure_ascii=False)
        if "@" in text:
            call.violation("personal-data", "an @ in the body")
        words = words_of(text)
        if any(tells_of(shop.order_factory.shoppers, text, words) for shop in self.state.shops.values()):
            call.violation("personal-data", "a shopper's name, phone or street")


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


def _check(call: Call, model: type[BaseModel], item: Any) -> None:
    """Raise `Refused` where *item* is not what *model* says."""
    try:
        model.model_validate(item)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise _bad(call, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


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
