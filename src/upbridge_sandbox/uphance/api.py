"""The simulated Uphance API: a login, a hidden organisation, pages of a hundred, numbers as strings."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.responses import Response

from upbridge_sandbox.door import Call, Door, Json, Routes, answer, published_only, too_many
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.company import Organisation, Token
from upbridge_sandbox.uphance.customers import accept_customer
from upbridge_sandbox.uphance.sales import NotAcceptable, UnknownField, accept_order
from upbridge_sandbox.uphance.tickets import reserve

PAGE = 100
Inside: TypeAlias = Callable[[Call, Organisation], Awaitable[Response]]


class UphanceApi:
    """The endpoints."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.uphance = state.uphance

    # -- who calls ---------------------------------------------------------------------------------

    async def token(self, call: Call) -> Response:
        """POST /oauth/token: password grant and refresh grant, a JSON body."""
        body = self._object(call)
        if body.get("grant_type") == "password":
            email = str(body.get("email"))
            if not email or self.uphance.users.get(email) != body.get("password"):
                return answer({"error": "invalid_grant"}, 401)
            return self._granted(self.uphance.issue(email))
        if body.get("grant_type") == "refresh_token":
            old = next(
                (token for token in self.uphance.tokens.values() if token.refresh == body.get("refresh_token")),
                None,
            )
            if old is None or old.dead:
                return answer({"error": "invalid_grant"}, 401)
            organisation = old.organisation if self.uphance.keep_organisation_on_refresh else None
            refresh = None if self.uphance.rotate_refresh else old.refresh
            new = self.uphance.issue(old.email, organisation, refresh)
            if self.uphance.rotate_refresh:
                old.dead = True
            else:
                del self.uphance.tokens[old.value]
            return self._granted(new)
        self._violation(call, "bad-body", "grant_type")
        return answer({"error": "unsupported_grant_type"}, 400)

    def _granted(self, token: Token) -> Response:
        return answer(
            {
                "access_token": token.value,
                "token_type": "Bearer",
                "expires_in": self.uphance.token_seconds,
                "refresh_token": token.refresh,
                "created_at": int(self.state.now().timestamp()),
            }
        )

    async def revoke(self, call: Call) -> Response:
        """POST /oauth/revoke_tokens: this token or those named; never all of the user's."""
        token = self._token(call)
        if isinstance(token, Response):
            return token
        body = self._object(call) if call.body else {}
        if body.get("revoke_all"):
            self._violation(call, "revoke-all", token.email)
            for other in self.uphance.tokens.values():
                other.dead = other.dead or other.email == token.email
            return answer({})
        for value in body.get("tokens") or [token.value]:
            if value in self.uphance.tokens:
                self.uphance.tokens[value].dead = True
        return answer({})

    def _token(self, call: Call) -> Token | Response:
        scheme, _, value = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            self._violation(call, "missing-header", "Authorization: Bearer")
            return answer({"error": "unauthorized"}, 401)
        token = self.uphance.tokens.get(value)
        if token is None:
            return answer({"error": "unauthorized"}, 401)
        if token.dead:
            self._violation(call, "dead-token", "")
            return answer({"error": "unauthorized"}, 401)
        if token.expires_at <= self.state.now():
            return answer({"error": "token expired"}, 401)
        if call.in_flight > 1:
            self._violation(call, "parallel-uphance", str(call.in_flight))
        return token

    async def organisations(self, call: Call) -> Response:
        """GET /organisations."""
        token = self._token(call)
        if isinstance(token, Response):
            return token
        mine = [self.uphance.organisations[item] for item in self.uphance.members[token.email]]
        return answer({"organisations": [{"id": item.id, "name": item.name} for item in mine]})

    async def choose(self, call: Call) -> Response:
        """POST /organisations/set_current_org: state on the server, 201."""
        token = self._token(call)
        if isinstance(token, Response):
            return token
        wanted = self._object(call).get("organizationId")
        if wanted not in self.uphance.members[token.email]:
            self._violation(call, "bad-body", "organizationId is not one of this user's")
            return answer({"error": "organisation not found"}, 404)
        token.organisation = wanted
        return answer({"Status": "Updated"}, 201)

    def inside(self, handler: Inside) -> Callable[[Call], Awaitable[Response]]:
        """Only with a token, and only after an organisation was chosen."""

        async def handle(call: Call) -> Response:
            token = self._token(call)
            if isinstance(token, Response):
                return token
            if token.organisation is None:
                self._violation(call, "no-organisation", token.email)
                return answer({"error": "no organisation selected"}, 403)
            call.shop = str(token.organisation)
            return await handler(call, self.uphance.organisations[token.organisation])

        return handle

    # -- what it reads -----------------------------------------------------------------------------

    async def channels(self, _call: Call, organisation: Organisation) -> Response:
        """GET /channels: not paged, and `channel_ID` with a capital ID."""
        return answer({"channels": organisation.channels})

    async def seasons(self, _call: Call, organisation: Organisation) -> Response:
        """GET /seasons."""
        return answer({"seasons": organisation.seasons})

    async def products(self, call: Call, organisation: Organisation) -> Response:
        """GET /products; filter[product_identifier] filters, anything unknown is ignored."""
        items, wanted = list(organisation.products.values()), call.last("filter[product_identifier]")
        if wanted is not None:
            items = [item for item in items if item["product_identifier"] == wanted]
        return self._page(call, "products", items)

    async def product(self, call: Call, organisation: Organisation) -> Response:
        """GET /products/{id}."""
        return self._single(call, "product", organisation.products)

    async def skus(self, call: Call, organisation: Organisation) -> Response:
        """GET /skus; filter[ean] filters."""
        wanted = call.last("filter[ean]")
        items = [
            {**sku, "product_name": product["name"], "product_id": product["id"], "variation_id": variation["id"]}
            for product in organisation.products.values()
            for variation in product["variations"]
            for sku in variation["skus"]
            if wanted is None or sku["ean"] == wanted
        ]
        return self._page(call, "skus", items)

    async def customers(self, call: Call, organisation: Organisation) -> Response:
        """GET /customers."""
        return self._page(call, "customers", list(organisation.customers.values()))

    async def customer(self, call: Call, organisation: Organisation) -> Response:
        """GET /customers/{id}."""
        return self._single(call, "customer", organisation.customers)

    async def orders(self, call: Call, organisation: Organisation) -> Response:
        """GET /sales_orders: since_id and by_order_number filter; anything else is ignored and returns
        everything.
        """
        items = list(organisation.orders.values())
        if (since := call.last("since_id")) is not None and since.isdigit():
            items = [item for item in items if item["id"] > int(since)]
        if (number := call.last("by_order_number")) is not None:
            items = [item for item in items if item["order_number"] == number]
        return self._page(call, "sales_orders", items)

    async def order(self, call: Call, organisation: Organisation) -> Response:
        """GET /sales_orders/{id}: bare, as two public clients read it."""
        found = organisation.orders.get(_id(call))
        return answer({"error": "not found"}, 404) if found is None else answer(found)

    async def tickets(self, call: Call, organisation: Organisation) -> Response:
        """GET /pick_tickets with the filters that are known."""
        items = list(organisation.tickets.values())
        if (since := call.last("since_id")) is not None and since.isdigit():
            items = [item for item in items if item["id"] > int(since)]
        for parameter, name in (
            ("by_order_number", "order_number"),
            ("by_order_id", "order_id"),
            ("by_shipment_number", "shipment_number"),
            ("filter[warehouse_name]", "warehouse"),
        ):
            if (wanted := call.last(parameter)) is not None:
                items = [item for item in items if str(item[name]) == wanted]
        if (after := call.last("since_created_at")) is not None:
            items = [item for item in items if item["created_at"] >= after[:19]]
        return self._page(call, "pick_tickets", items)

    async def ticket(self, call: Call, organisation: Organisation) -> Response:
        """GET /pick_tickets/{id}."""
        return self._single(call, "pick_ticket", organisation.tickets)

    # -- what it writes ----------------------------------------------------------------------------

    async def create_order(self, call: Call, organisation: Organisation) -> Response:
        """POST /sales_orders: creates a draft every time; the idempotency key is ignored."""
        body = self._object(call)
        if set(body) - {"sales_order", "idempotency_key"}:
            self._violation(call, "unknown-field", ", ".join(sorted(body)))
        try:
            order = accept_order(body.get("sales_order"), organisation, self.uphance)
        except NotAcceptable as error:
            return self._unacceptable(call, error)
        reference = order["purchase_order_ref"]
        if reference in self.state.faults["uphance"].refuse:
            return answer({"error": {"message": "purchase order reference was refused"}}, 422)
        if reference and any(item["purchase_order_ref"] == reference for item in organisation.orders.values()):
            self._violation(call, "doubled-order", reference)
        organisation.orders[order["id"]] = order
        organisation.customers[order["company_id"]]["orders_count"] += 1
        if self.uphance.drafts_reserve:
            reserve(order, organisation)
        return answer({"sales_order": order}, 201)

    async def update_order(self, call: Call, organisation: Organisation) -> Response:
        """PUT /sales_orders/{id}: only drafts."""
        order = organisation.orders.get(_id(call))
        if order is None:
            return answer({"error": "not found"}, 404)
        if order["status"] != "draft":
            return answer({"error": {"message": "the order is confirmed"}}, 422)
        try:
            made = accept_order(self._object(call).get("sales_order"), organisation, self.uphance, order)
        except NotAcceptable as error:
            return self._unacceptable(call, error)
        organisation.orders[made["id"]] = made
        return answer({"sales_order": made})

    async def create_customer(self, call: Call, organisation: Organisation) -> Response:
        """POST /customers."""
        try:
            made = accept_customer(self._object(call).get("customer"), organisation, self.uphance)
        except NotAcceptable as error:
            return self._unacceptable(call, error)
        organisation.customers[made["id"]] = made
        return answer({"customer": made}, 201)

    async def update_customer(self, call: Call, organisation: Organisation) -> Response:
        """PUT /customers/{id}."""
        customer = organisation.customers.get(_id(call))
        if customer is None:
            return answer({"error": "not found"}, 404)
        try:
            made = accept_customer(self._object(call).get("customer"), organisation, self.uphance, customer)
        except NotAcceptable as error:
            return self._unacceptable(call, error)
        made["orders_count"] = customer["orders_count"]
        organisation.customers[made["id"]] = made
        return answer({"customer": made})

    async def create_product(self, call: Call, organisation: Organisation) -> Response:
        """POST /products: the body was never published; a product in the shape that GET shows is taken."""
        body = self._object(call).get("product")
        if not isinstance(body, dict) or not body.get("product_identifier") or not body.get("name"):
            return self._unacceptable(call, NotAcceptable("product_identifier and name are required"))
        identifier = body["product_identifier"]
        if any(one["product_identifier"] == identifier for one in organisation.products.values()):
            self._violation(call, "doubled-product", identifier)
        made: Json = {**body, "id": self.uphance.next_id(), "variations": []}
        for variation in body.get("variations") or []:
            skus = [self._new_sku(sku, variation) for sku in variation.get("skus") or []]
            made["variations"].append({**variation, "id": self.uphance.next_id(), "skus": skus})
        organisation.products[made["id"]] = made
        return answer({"product": made}, 201)

    async def update_product(self, call: Call, organisation: Organisation) -> Response:
        """PUT /products/{id}: never published either. Variations and SKUs are known by their id, new ones have
        none; what a list leaves out stays.
        """
        product, body = organisation.products.get(_id(call)), self._object(call).get("product")
        if product is None:
            return answer({"error": "not found"}, 404)
        if not isinstance(body, dict):
            return self._unacceptable(call, NotAcceptable("product is an object"))
        for row in body.get("variations") or []:
            there = next((one for one in product["variations"] if one["id"] == row.get("id")), None)
            if there is None and not row.get("color"):
                return self._unacceptable(call, NotAcceptable("a new variation has a color"))
            if there is None:
                there = {**row, "id": self.uphance.next_id(), "skus": []}
                product["variations"].append(there)
            there["skus"] += [self._new_sku(sku, there) for sku in row.get("skus") or [] if not sku.get("id")]
        product["sizing_system"] = body.get("sizing_system") or product.get("sizing_system")
        organisation.index_anew()
        return answer({"product": product})

    def _new_sku(self, sku: Json, variation: Json) -> Json:
        return {
            "sku_number": None,
            "ean": None,
            **sku,
            "id": self.uphance.next_id(),
            "color": variation.get("color"),
            **dict.fromkeys(("in_stock", "available_to_sell", "available_to_sell_from_stock"), 0),
        }

    # -- helpers -----------------------------------------------------------------------------------

    def _page(self, call: Call, key: str, items: list[Json]) -> Response:
        asked = call.last("page") or "1"
        number = int(asked) if asked.isdigit() and int(asked) > 0 else 1
        pages = max(1, -(-len(items) // PAGE))
        chosen = items[(number - 1) * PAGE : number * PAGE]
        call.items = len(chosen)
        meta = {
            "current_page": number,
            "next_page": number + 1 if number < pages else None,
            "prev_page": number - 1 if number > 1 else None,
            "total_pages": pages,
            "total_count": len(items),
        }
        return answer({key: chosen, "meta": meta})

    def _single(self, call: Call, key: str, items: dict[int, Json]) -> Response:
        found = items.get(_id(call))
        return answer({"error": "not found"}, 404) if found is None else answer({key: found})

    def _object(self, call: Call) -> Json:
        if "application/json" not in call.headers.get("content-type", ""):
            self._violation(call, "bad-content-type", "")
        try:
            body: Any = call.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._violation(call, "bad-body", "not a JSON object")
            return {}
        return body

    def _unacceptable(self, call: Call, error: NotAcceptable) -> Response:
        self._violation(call, "unknown-field" if isinstance(error, UnknownField) else "bad-body", str(error))
        return answer({"error": {"message": str(error)}}, 422)

    def _violation(self, call: Call, rule: str, detail: str) -> None:
        self.state.ledger.violation("uphance", rule, call.line, detail)


def _id(call: Call) -> int:
    return int(call.params["id"]) if call.params["id"].isdigit() else 0


def uphance_api(state: State) -> Door:
    """The ASGI application of the simulated Uphance."""
    api, routes = UphanceApi(state), Routes()
    routes.add("POST", "/oauth/token", api.token)
    routes.add("POST", "/oauth/revoke_tokens", api.revoke)
    routes.add("GET", "/organisations", api.organisations)
    routes.add("POST", "/organisations/set_current_org", api.choose)
    for method, template, handler in (
        ("GET", "/channels", api.channels),
        ("GET", "/seasons", api.seasons),
        ("GET", "/products", api.products),
        ("POST", "/products", api.create_product),
        ("GET", "/products/{id}", api.product),
        ("PUT", "/products/{id}", api.update_product),
        ("GET", "/skus", api.skus),
        ("GET", "/customers", api.customers),
        ("POST", "/customers", api.create_customer),
        ("GET", "/customers/{id}", api.customer),
        ("PUT", "/customers/{id}", api.update_customer),
        ("GET", "/sales_orders", api.orders),
        ("POST", "/sales_orders", api.create_order),
        ("GET", "/sales_orders/{id}", api.order),
        ("PUT", "/sales_orders/{id}", api.update_order),
        ("GET", "/pick_tickets", api.tickets),
        ("GET", "/pick_tickets/{id}", api.ticket),
    ):
        routes.add(method, template, api.inside(handler))

    return Door(
        "uphance",
        published_only("uphance", routes, state.ledger),
        ledger=state.ledger,
        faults=state.faults["uphance"],
        rng=state.rng,
        caller=lambda call: call.headers.get("authorization", ""),
        busy=too_many,
        sleep=state.sleep,
    )
