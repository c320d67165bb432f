"""What creates and changes in the simulated Uphance."""

from starlette.responses import JSONResponse, Response

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.seed.formats import Json
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.calls import body_of, one, refused
from upbridge_sandbox.uphance.customers import accept_customer
from upbridge_sandbox.uphance.organisations import COUNTS, Organisation
from upbridge_sandbox.uphance.sales import NotAcceptable, accept_order
from upbridge_sandbox.uphance.tickets import reserve


class Writing:
    """What creates and changes."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.uphance = state.uphance

    def create_order(self, call: Call, organisation: Organisation) -> Response:
        """A new draft every time; the idempotency key is ignored."""
        body = body_of(call)
        if set(body) - {"sales_order", "idempotency_key"}:
            call.violation("unknown-field", ", ".join(sorted(body)))
        made = accept_order(body.get("sales_order"), organisation, self.uphance)
        reference = made["purchase_order_ref"]
        if reference in self.state.faults["uphance"].refuse:
            raise refused(422, {"message": "purchase order reference was refused"})
        if reference and any(item["purchase_order_ref"] == reference for item in organisation.orders.values()):
            call.violation("doubled-order", reference)
        organisation.orders[made["id"]] = made
        organisation.customers[made["company_id"]]["orders_count"] += 1
        if self.uphance.drafts_reserve:
            reserve(made, organisation)
        return JSONResponse({"sales_order": made}, 201)

    def create_customer(self, call: Call, organisation: Organisation) -> Response:
        """A new customer."""
        made = accept_customer(body_of(call).get("customer"), organisation, self.uphance)
        organisation.customers[made["id"]] = made
        return JSONResponse({"customer": made}, 201)

    def create_product(self, call: Call, organisation: Organisation) -> Response:
        """The body was never published; a product in the shape that GET shows is taken."""
        body = body_of(call).get("product")
        if not isinstance(body, dict) or not body.get("product_identifier") or not body.get("name"):
            raise NotAcceptable("product_identifier and name are required")
        identifier = body["product_identifier"]
        if any(row["product_identifier"] == identifier for row in organisation.products.values()):
            call.violation("doubled-product", identifier)
        made: Json = {**body, "id": self.uphance.next_id(), "variations": []}
        for variation in body.get("variations") or []:
            new = [self._new_sku(sku, variation) for sku in variation.get("skus") or []]
            made["variations"].append({**variation, "id": self.uphance.next_id(), "skus": new})
        organisation.products[made["id"]] = made
        return JSONResponse({"product": made}, 201)

    def update_product(self, call: Call, organisation: Organisation) -> Json:
        """Never published either: variations and SKUs are known by their id, new ones have none, and what a list
        leaves out stays."""
        found, body = one(call, organisation.products), body_of(call).get("product")
        if not isinstance(body, dict):
            raise NotAcceptable("product is an object")
        for row in body.get("variations") or []:
            there = next((each for each in found["variations"] if each["id"] == row.get("id")), None)
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
