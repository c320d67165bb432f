"""/orders: the list with all published filters, one order, its history, and PUT with a message per item."""

import re
from datetime import datetime

from starlette.responses import Response

from upbridge_sandbox.changes import Changes
from upbridge_sandbox.door import Call, answer
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.seed.orders import STATUS_NAMES
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.lists import MOST_A_PAGE, ORDERS_A_PAGE, Filters, complaint, page

NAME_LENGTH, VALUE_LENGTH = 50, 500
#: what an order's PUT carries out here; the rest is published but not simulated
CARRIED_OUT = frozenset(
    [
        "order_number",
        "external_order_number",
        "status",
        "status_id",
        "paid_date",
        "delivered_date",
        "tracking_code",
        "resolved_yn",
        "internal_note",
        "statistics_yn",
        "variable_symbol",
    ]
)


class Orders:
    """The order endpoints."""

    def __init__(self, state: State, changes: Changes) -> None:
        self.state = state
        self.changes = changes

    async def list(self, call: Call) -> Response:
        """GET /orders: a hundred a page, oldest first unless asked otherwise."""
        shop, filters = self.state.shops[call.shop], Filters(call, self.state.ledger)
        orders = list(filter(_Wanted(call, filters), shop.orders.values()))
        order_by, direction = call.last("order_by"), call.last("order_dir")
        if order_by not in (None, "creation_time", "last_update_time"):
            filters.bad("order_by")
            order_by = None
        if direction not in (None, "asc", "desc"):
            filters.bad("order_dir")
        orders.sort(
            key=lambda order: (
                datetime.fromisoformat(order[order_by]) if order_by else 0,
                order.get("order_id", 0),
            ),
            reverse=direction == "desc",
        )
        return answer(page(orders, filters, key="orders", size=ORDERS_A_PAGE, shape=lambda order: order))

    async def one(self, call: Call) -> Response:
        """GET /orders/{order_number}: the same envelope with one order or none."""
        shop, filters = self.state.shops[call.shop], Filters(call, self.state.ledger)
        order = shop.orders.get(call.params["order_number"])
        found = [] if order is None else [order]
        return answer(page(found, filters, key="orders", size=ORDERS_A_PAGE, shape=lambda item: item))

    async def history(self, call: Call) -> Response:
        """GET /orders/{order_number}/history."""
        entries = self.state.shops[call.shop].history.get(call.params["order_number"], [])
        return answer({"number_of_items": len(entries), "history": entries})

    async def add_history(self, call: Call) -> Response:
        """POST /orders/{order_number}/history: one entry; name up to 50 characters, value up to 500."""
        shop, number = self.state.shops[call.shop], call.params["order_number"]
        data = call.json().get("data")
        rows = data if isinstance(data, list) else []
        good = bool(rows) and all(
            isinstance(row, dict) and isinstance(row.get("name"), str) and isinstance(row.get("value"), str)
            for row in rows
        )
        if not good:
            self.state.ledger.violation("upgates", "bad-body", call.line, "data needs name and value")
            return answer({"updated": False, "messages": [complaint("data is required", thing="data")]}, 400)
        for row in rows:
            if len(row["name"]) > NAME_LENGTH or len(row["value"]) > VALUE_LENGTH:
                self.state.ledger.violation("upgates", "bad-body", call.line, "history text is too long")
        if number not in shop.orders:
            return answer({"updated": False, "messages": [complaint("Order not found", thing="order")]})
        entries = [
            {"name": _plain(row["name"])[:NAME_LENGTH], "value": _plain(row["value"])[:VALUE_LENGTH]}
            for row in rows
        ]
        shop.history.setdefault(number, []).append(
            {
                "event": "API",
                "user_name": "API",
                "changes": [],
                "admin_yn": True,
                "origin": "api",
                "data": entries,
                "creation_time": moment(self.state.now()),
            }
        )
        return answer({"updated": True, "messages": []})

    async def put(self, call: Call) -> Response:
        """PUT /orders: at most a hundred; above that nothing is done."""
        shop, items = self.state.shops[call.shop], call.json().get("orders")
        if not isinstance(items, list):
            self.state.ledger.violation("upgates", "bad-body", call.line, "orders is not an array")
            return answer({"orders": [], "messages": [complaint("orders is required", thing="orders")]}, 400)
        call.items = len(items)
        if len(items) > MOST_A_PAGE:
            self.state.ledger.violation("upgates", "too-many-items", call.line, str(len(items)))
            return answer({"messages": [complaint("Payload Too Large")]}, 413)
        return answer({"orders": [self._put_one(shop, item, call) for item in items]})

    def _put_one(self, shop: Shop, item: Json, call: Call) -> Json:
        number = str(item.get("order_number"))
        order = shop.orders.get(number)
        result: Json = {
            "order_number": number,
            "order_url": f"{shop.host}/orders/edit-order/default/{order['order_id'] if order else 0}",
            "updated_yn": False,
            "messages": [],
        }
        if order is None:
            result["messages"] = [complaint("Order not found", thing="order", name="order_number")]
            return result
        if number in shop.refuse_puts:
            result["messages"] = [complaint("The order cannot be updated", thing="order")]
            return result
        status = item.get("status_id", order["status_id"])
        if status != order["status_id"] and (status, "cs") not in STATUS_NAMES:
            result["messages"] = [complaint("Unknown status", thing="order", name="status_id")]
            return result
        for name in item:
            if name not in CARRIED_OUT:
                self.state.ledger.violation("upgates", "not-simulated", call.line, name)
        values = {name: value for name, value in item.items() if name in CARRIED_OUT - {"order_number", "status"}}
        changed = any(order.get(name) != value for name, value in values.items())
        if changed:
            self.changes.edit_order(shop, order, values)
        result["updated_yn"] = True
        return result


def _plain(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


class _Wanted:
    """The filters of one GET /orders, read once and asked for every order."""

    def __init__(self, call: Call, filters: Filters) -> None:
        self.call = call
        self.numbers = filters.several("order_numbers")
        self.created_from = filters.time("creation_time_from")
        self.created_to = filters.time("creation_time_to")
        self.updated_from = filters.time("last_update_time_from")
        self.statuses = filters.ids("status_ids")
        self.paid = filters.yes("paid_yn")
        self.delivered = filters.yes("delivered_yn")

    def __call__(self, order: Json) -> bool:
        """Whether *order* passes all of them."""
        return self._in_lists(order) and self._in_time(order) and self._as_said(order)

    def _in_lists(self, order: Json) -> bool:
        if self.numbers is not None and order["order_number"] not in self.numbers:
            return False
        return self.statuses is None or order["status_id"] in self.statuses

    def _in_time(self, order: Json) -> bool:
        created = datetime.fromisoformat(order["creation_time"])
        if self.created_from is not None and created < self.created_from:
            return False
        if self.created_to is not None and created > self.created_to:
            return False
        return self.updated_from is None or datetime.fromisoformat(order["last_update_time"]) >= self.updated_from

    def _as_said(self, order: Json) -> bool:
        if self.paid is not None and self.paid != (order["paid_date"] is not None):
            return False
        if self.delivered is not None and self.delivered != (order["delivered_date"] is not None):
            return False
        values = (
            ("status", order["status"] or ""),
            ("status_id", "" if order["status_id"] is None else str(order["status_id"])),
            ("language", order["language_id"]),
            ("email", order["customer"]["email"]),
            ("phone", order["customer"]["phone"]),
            ("external_order_number", order["external_order_number"]),
            ("payment_type", order["payment"]["type"]),
            ("shipment_type", order["shipment"]["type"]),
        )
        return all((asked := self.call.last(name)) is None or asked == value for name, value in values)
