"""The simulated Uphance API: a login, a hidden organisation, pages of a hundred, numbers as strings."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.asgi.middleware import too_many
from upbridge_sandbox.asgi.routing import Handler, Operation, Refused, application
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.simulated import not_published, simulated
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.company import COUNTS, Organisation, Token
from upbridge_sandbox.uphance.customers import accept_customer
from upbridge_sandbox.uphance.sales import NotAcceptable, UnknownField, accept_order
from upbridge_sandbox.uphance.tickets import reserve

PAGE = 100
TICKET_FILTERS = {
    "by_order_number": "order_number",
    "by_order_id": "order_id",
    "by_shipment_number": "shipment_number",
    "filter[warehouse_name]": "warehouse",
}

Inside: TypeAlias = Callable[[Call, Organisation], Awaitable[Any]]
"""An operation: the call, and the organisation that its token has chosen."""


class Logins:
    """Tokens, and the organisation that each of them has chosen."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.uphance = state.uphance

    async def token(self, call: Call) -> Any:
        """Password grant and refresh grant, a JSON body."""
        body = _object(call)
        if body.get("grant_type") == "password":
            email = str(body.get("email"))
            if not email or self.uphance.users.get(email) != body.get("password"):
                raise _refused(401, "invalid_grant")
            return self._granted(self.uphance.issue(email))
        if body.get("grant_type") == "refresh_token":
            tokens = self.uphance.tokens.values()
            old = next((token for token in tokens if token.refresh == body.get("refresh_token")), None)
            if old is None or old.dead:
                raise _refused(401, "invalid_grant")
            return self._granted(self.uphance.renew(old))
        call.violation("bad-body", "grant_type")
        raise _refused(400, "unsupported_grant_type")

    def _granted(self, token: Token) -> Json:
        return {
            "access_token": token.value,
            "token_type": "Bearer",
            "expires_in": self.uphance.token_seconds,
            "refresh_token": token.refresh,
            "created_at": int(self.state.now().timestamp()),
        }

    async def revoke(self, call: Call) -> Any:
        """This token or those that are named; never all of the user's."""
        token = self._token(call)
        body = _object(call) if call.content else {}
        if body.get("revoke_all"):
            call.violation("revoke-all", token.email)
            for other in self.uphance.tokens.values():
                other.dead = other.dead or other.email == token.email
            return {}
        for value in body.get("tokens") or [token.value]:
            if value in self.uphance.tokens:
                self.uphance.tokens[value].dead = True
        return {}

    async def organisations(self, call: Call) -> Any:
        """The organisations of the user."""
        mine = [self.uphance.organisations[item] for item in self.uphance.members[self._token(call).email]]
        return {"organisations": [{"id": item.id, "name": item.name} for item in mine]}

    async def choose(self, call: Call) -> Any:
        """Choose an organisation: state on the server, 201."""
        token, wanted = self._token(call), _object(call).get("organizationId")
        if wanted not in self.uphance.members[token.email]:
            call.violation("bad-body", "organizationId is not one of this user's")
            raise _refused(404, "organisation not found")
        token.organisation = wanted
        return JSONResponse({"Status": "Updated"}, 201)

    def inside(self, handler: Inside) -> Handler:
        """*handler* for calls with a token that has chosen an organisation."""

        async def handle(call: Call) -> Any:
            token = self._token(call)
            if token.organisation is None:
                call.violation("no-organisation", token.email)
                raise _refused(403, "no organisation selected")
            call.shop = str(token.organisation)
            return await handler(call, self.uphance.organisations[token.organisation])

        return handle

    def _token(self, call: Call) -> Token:
        """The living token of a call. Raises `Refused`."""
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            call.violation("missing-header", "Authorization: Bearer")
            raise _refused(401, "unauthorized")
        token = self.uphance.tokens.get(value)
        if token is not None and token.dead:
            call.violation("dead-token")
        if token is None or token.dead:
            raise _refused(401, "unauthorized")
        if token.expires_at <= self.state.now():
            raise _refused(401, "token expired")
        if call.in_flight > 1:
            call.violation("parallel-uphance", str(call.in_flight))
        return token


async def channels(_call: Call, organisation: Organisation) -> Json:
    """Not paged, and `channel_ID` with a capital ID."""
    return {"channels": organisation.channels}


async def seasons(_call: Call, organisation: Organisation) -> Json:
    """Not paged either."""
    return {"seasons": organisation.seasons}


async def products(call: Call, organisation: Organisation) -> Json:
    """filter[product_identifier] filters, anything unknown is ignored."""
    items, wanted = list(organisation.products.values()), call.last("filter[product_identifier]")
    return _page(call, "products", [one for one in items if wanted in (None, one["product_identifier"])])


async def product(call: Call, organisation: Organisation) -> Json:
    """One product."""
    return {"product": _one(call, organisation.products)}


async def skus(call: Call, organisation: Organisation) -> Json:
    """filter[ean] filters."""
    wanted = call.last("filter[ean]")
    items = [
        {**sku, "product_name": product["name"], "product_id": product["id"], "variation_id": variation["id"]}
        for product in organisation.products.values()
        for variation in product["variations"]
        for sku in variation["skus"]
        if wanted is None or sku["ean"] == wanted
    ]
    return _page(call, "skus", items)


async def customers(call: Call, organisation: Organisation) -> Json:
    """All customers."""
    return _page(call, "customers", list(organisation.customers.values()))


async def customer(call: Call, organisation: Organisation) -> Json:
    """One customer."""
    return {"customer": _one(call, organisation.customers)}


async def orders(call: Call, organisation: Organisation) -> Json:
    """since_id and by_order_number filter; anything else is ignored and returns everything."""
    number = call.last("by_order_number")
    items = [one for one in _since(call, organisation.orders) if number in (None, one["order_number"])]
    return _page(call, "sales_orders", items)


async def order(call: Call, organisation: Organisation) -> Json:
    """One order, bare, as two public clients read it."""
    return _one(call, organisation.orders)


async def tickets(call: Call, organisation: Organisation) -> Json:
    """The filters that are known."""
    items = _since(call, organisation.tickets)
    for parameter, name in TICKET_FILTERS.items():
        if (wanted := call.last(parameter)) is not None:
            items = [item for item in items if str(item[name]) == wanted]
    if (after := call.last("since_created_at")) is not None:
        items = [item for item in items if item["created_at"] >= after[:19]]
    return _page(call, "pick_tickets", items)


async def ticket(call: Call, organisation: Organisation) -> Json:
    """One pick ticket."""
    return {"pick_ticket": _one(call, organisation.tickets)}


class Writing:
    """What creates and changes."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.uphance = state.uphance

    async def create_order(self, call: Call, organisation: Organisation) -> Response:
        """A new draft every time; the idempotency key is ignored."""
        body = _object(call)
        if set(body) - {"sales_order", "idempotency_key"}:
            call.violation("unknown-field", ", ".join(sorted(body)))
        made = accept_order(body.get("sales_order"), organisation, self.uphance)
        reference = made["purchase_order_ref"]
        if reference in self.state.faults["uphance"].refuse:
            raise _refused(422, {"message": "purchase order reference was refused"})
        if reference and any(item["purchase_order_ref"] == reference for item in organisation.orders.values()):
            call.violation("doubled-order", reference)
        organisation.orders[made["id"]] = made
        organisation.customers[made["company_id"]]["orders_count"] += 1
        if self.uphance.drafts_reserve:
            reserve(made, organisation)
        return JSONResponse({"sales_order": made}, 201)

    async def update_order(self, call: Call, organisation: Organisation) -> Json:
        """Only drafts can be changed."""
        found = _one(call, organisation.orders)
        if found["status"] != "draft":
            raise _refused(422, {"message": "the order is confirmed"})
        made = accept_order(_object(call).get("sales_order"), organisation, self.uphance, found)
        organisation.orders[made["id"]] = made
        return {"sales_order": made}

    async def create_customer(self, call: Call, organisation: Organisation) -> Response:
        """A new customer."""
        made = accept_customer(_object(call).get("customer"), organisation, self.uphance)
        organisation.customers[made["id"]] = made
        return JSONResponse({"customer": made}, 201)

    async def update_customer(self, call: Call, organisation: Organisation) -> Json:
        """The fields that are named."""
        found = _one(call, organisation.customers)
        made = accept_customer(_object(call).get("customer"), organisation, self.uphance, found)
        made["orders_count"] = found["orders_count"]
        organisation.customers[made["id"]] = made
        return {"customer": made}

    async def create_product(self, call: Call, organisation: Organisation) -> Response:
        """The body was never published; a product in the shape that GET shows is taken."""
        body = _object(call).get("product")
        if not isinstance(body, dict) or not body.get("product_identifier") or not body.get("name"):
            raise NotAcceptable("product_identifier and name are required")
        identifier = body["product_identifier"]
        if any(one["product_identifier"] == identifier for one in organisation.products.values()):
            call.violation("doubled-product", identifier)
        made: Json = {**body, "id": self.uphance.next_id(), "variations": []}
        for variation in body.get("variations") or []:
            new = [self._new_sku(sku, variation) for sku in variation.get("skus") or []]
            made["variations"].append({**variation, "id": self.uphance.next_id(), "skus": new})
        organisation.products[made["id"]] = made
        return JSONResponse({"product": made}, 201)

    async def update_product(self, call: Call, organisation: Organisation) -> Json:
        """Never published either: variations and SKUs are known by their id, new ones have none, and what a list
        leaves out stays."""
        found, body = _one(call, organisation.products), _object(call).get("product")
        if not isinstance(body, dict):
            raise NotAcceptable("product is an object")
        for row in body.get("variations") or []:
            there = next((one for one in found["variations"] if one["id"] == row.get("id")), None)
            if there is None and not row.get("color"):
                raise NotAcceptable("a new variation has a color")
            if there is None:
                there = {**row, "id": self.uphance.next_id(), "skus": []}
                found["variations"].append(there)
            there["skus"] += [self._new_sku(sku, there) for sku in row.get("skus") or [] if not sku.get("id")]
        found["sizing_system"] = body.get("sizing_system") or found.get("sizing_system")
        organisation.index_anew()
        return {"product": found}

    def _new_sku(self, sku: Json, variation: Json) -> Json:
        empty = {"sku_number": None, "ean": None}
        fixed = {"id": self.uphance.next_id(), "color": variation.get("color"), **dict.fromkeys(COUNTS, 0)}
        return {**empty, **sku, **fixed}


def _since(call: Call, items: dict[int, Json]) -> list[Json]:
    since = call.last("since_id") or ""
    return [item for item in items.values() if not since.isdigit() or item["id"] > int(since)]


def _page(call: Call, key: str, items: list[Json]) -> Json:
    asked = call.last("page") or "1"
    number = int(asked) if asked.isdigit() and int(asked) > 0 else 1
    pages = max(1, -(-len(items) // PAGE))
    chosen = items[(number - 1) * PAGE : number * PAGE]
    call.item_count = len(chosen)
    meta = {
        "current_page": number,
        "next_page": number + 1 if number < pages else None,
        "prev_page": number - 1 if number > 1 else None,
        "total_pages": pages,
        "total_count": len(items),
    }
    return {key: chosen, "meta": meta}


def _one(call: Call, items: dict[int, Json]) -> Json:
    """The item that the path names. Raises `Refused`."""
    wanted = call.path_params["id"]
    found = items.get(int(wanted)) if wanted.isdigit() else None
    if found is None:
        raise _refused(404, "not found")
    return found


def _object(call: Call) -> Json:
    if "application/json" not in call.headers.get("content-type", ""):
        call.violation("bad-content-type")
    try:
        body: Any = call.document()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        call.violation("bad-body", "not a JSON object")
        return {}
    return body


def _refused(status: int, error: Any) -> Refused:
    return Refused(JSONResponse({"error": error}, status))


def _not_acceptable(call: Call, error: NotAcceptable) -> Response:
    call.violation("unknown-field" if isinstance(error, UnknownField) else "bad-body", str(error))
    return JSONResponse({"error": {"message": str(error)}}, 422)


def uphance_api(state: State) -> ASGIApp:
    """The ASGI application of the simulated Uphance."""
    logins, writing = Logins(state), Writing(state)
    inside = (
        ("GET", "/channels", channels),
        ("GET", "/seasons", seasons),
        ("GET", "/products", products),
        ("POST", "/products", writing.create_product),
        ("GET", "/products/{id}", product),
        ("PUT", "/products/{id}", writing.update_product),
        ("GET", "/skus", skus),
        ("GET", "/customers", customers),
        ("POST", "/customers", writing.create_customer),
        ("GET", "/customers/{id}", customer),
        ("PUT", "/customers/{id}", writing.update_customer),
        ("GET", "/sales_orders", orders),
        ("POST", "/sales_orders", writing.create_order),
        ("GET", "/sales_orders/{id}", order),
        ("PUT", "/sales_orders/{id}", writing.update_order),
        ("GET", "/pick_tickets", tickets),
        ("GET", "/pick_tickets/{id}", ticket),
    )
    routes = [
        Operation("POST", "/oauth/token", logins.token),
        Operation("POST", "/oauth/revoke_tokens", logins.revoke),
        Operation("GET", "/organisations", logins.organisations),
        Operation("POST", "/organisations/set_current_org", logins.choose),
        *(Operation(method, path, logins.inside(handler)) for method, path, handler in inside),
    ]
    app = application(routes, {HTTPException: not_published, NotAcceptable: _not_acceptable})
    return simulated(
        "uphance", app, state, caller=lambda call: call.headers.get("authorization", ""), busy=too_many
    )
