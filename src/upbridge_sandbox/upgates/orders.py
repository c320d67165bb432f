"""/orders: the list, one order, its history, and PUT with a message per item."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse

from upbridge_sandbox.asgi.call import Call
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.state import State
from upbridge_sandbox.upgates.fields import ORDER
from upbridge_sandbox.upgates.lists import MOST_A_PAGE, ORDERS_A_PAGE, Filters, complaint, page, too_large

NAME_LENGTH, VALUE_LENGTH = 50, 500


class Orders:
    """The order operations."""

    def __init__(self, state: State, changes: Changes) -> None:
        self.state = state
        self.changes = changes

    async def list(self, call: Call, shop: Shop) -> Json:
        """A hundred orders a page, oldest first unless asked otherwise."""
        filters = Filters(call)
        orders = _chosen(shop, filters)
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
        size = shop.faults.page_items or ORDERS_A_PAGE
        if len(orders) > size and shop.faults.happens("move", self.state.rng.of(f"moves-{shop.name}")):
            call.answered = lambda: self.changes.stir_orders(shop)
        return page(orders, filters, key="orders", size=size)

    async def one(self, call: Call, shop: Shop) -> Json:
        """The envelope of the list with one order or none."""
        number = call.path_params["order_number"]
        order = shop.look(number, shop.orders.get(number))
        return page([] if order is None else [order], Filters(call), key="orders", size=ORDERS_A_PAGE)

    async def history(self, call: Call, shop: Shop) -> Json:
        """What was written into an order's history."""
        entries = shop.history.get(call.path_params["order_number"], [])
        return {"number_of_items": len(entries), "history": entries}

    async def add_history(self, call: Call, shop: Shop) -> Any:
        """One entry for an order's history; a name has up to 50 characters, a value up to 500."""
        number, data = call.path_params["order_number"], call.document().get("data")
        rows = data if isinstance(data, list) else []
        if not rows or not all(_has_name_and_value(row) for row in rows):
            call.violation("bad-body", "data needs name and value")
            messages = [complaint("data is required", thing="data")]
            return JSONResponse({"updated": False, "messages": messages}, 400)
        for row in rows:
            if len(row["name"]) > NAME_LENGTH or len(row["value"]) > VALUE_LENGTH:
                call.violation("bad-body", "history text is too long")
        if number not in shop.orders:
            return {"updated": False, "messages": [complaint("Order not found", thing="order")]}
        entry = {
            "event": "API",
            "user_name": "API",
            "changes": [],
            "admin_yn": True,
            "origin": "api",
            "data": [
                {"name": _plain(row["name"])[:NAME_LENGTH], "value": _plain(row["value"])[:VALUE_LENGTH]}
                for row in rows
            ],
            "creation_time": moment(self.state.now()),
        }
        shop.history.setdefault(number, []).append(entry)
        return {"updated": True, "messages": []}

    async def put(self, call: Call, shop: Shop) -> Any:
        """Change at most a hundred orders; of more, none."""
        items = call.document().get("orders")
        if not isinstance(items, list):
            call.violation("bad-body", "orders is not an array")
            messages = [complaint("orders is required", thing="orders")]
            return JSONResponse({"orders": [], "messages": messages}, 400)
        call.item_count = len(items)
        if len(items) > MOST_A_PAGE:
            return too_large(call)
        rows = [self._put_one(shop, item) for item in items]
        shop.puts += 1
        return _shaped(rows, shop.puts % 4) if shop.faults.put_shapes and len(rows) == 1 else {"orders": rows}

    def _put_one(self, shop: Shop, item: Json) -> Json:
        number = str(item.get("order_number"))
        order = shop.orders.get(number)
        messages = _why_not(shop, item, order)
        if order is not None and not messages:
            values = {name: item[name] for name in item if name in ORDER}
            if any(order.get(name) != value for name, value in values.items()):
                self.changes.edit_order(shop, order, values)
        return {
            "order_number": number,
            "order_url": f"{shop.host}/orders/edit-order/default/{order.get('order_id', 0) if order else 0}",
            "updated_yn": not messages,
            "messages": messages,
        }


def _why_not(shop: Shop, item: Json, order: Json | None) -> list[Json]:
    """The messages about an order that cannot be changed like this; none if it can."""
    if order is None:
        return [complaint("Order not found", thing="order", name="order_number")]
    if order["order_number"] in shop.refuse_puts:
        return [complaint("The order cannot be updated", thing="order")]
    status = item.get("status_id", order["status_id"])
    if status != order["status_id"] and shop.facts.status(status) is None:
        return [complaint("Unknown status", thing="order", name="status_id")]
    return []


def _shaped(rows: list[Json], shape: int) -> Json:
    """The answer for one order in the shapes that are seen: a list, fields beside the messages as the schema says,
    an object, an object without messages where there is nothing to say."""
    row = rows[0]
    fields = {name: value for name, value in row.items() if name != "messages"}
    match shape:
        case 1:
            return {**fields, "orders": {"messages": row["messages"]}}
        case 2:
            return {"orders": row}
        case 3 if not row["messages"]:
            return {"orders": fields}
        case _:
            return {"orders": rows}


def _has_name_and_value(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("name", "value"))


def _plain(text: str) -> str:
    return re.sub(r"<[^>]*>", "", text)


def _chosen(shop: Shop, filters: Filters) -> list[Json]:
    """The orders that pass all filters of the call."""
    orders, tests = shop.orders, list[Callable[[Json], bool]]()
    if filters.yes("deleted_yn") and not shop.faults.no_deleted_lists:
        orders = {number: {**order, "deleted_yn": True} for number, order in shop.deleted_orders.items()}
    if (numbers := filters.several("order_numbers")) is not None:
        asked = shop.looks({number: orders[number] for number in orders if number in numbers})
        orders = {order["order_number"]: order for order in asked}
    if (first := filters.time("creation_time_from")) is not None:
        tests.append(lambda order: datetime.fromisoformat(order["creation_time"]) >= first)
    if (last := filters.time("creation_time_to")) is not None:
        tests.append(lambda order: datetime.fromisoformat(order["creation_time"]) <= last)
    if (since := filters.time("last_update_time_from")) is not None:
        tests.append(lambda order: datetime.fromisoformat(order["last_update_time"]) >= since)
    return [order for order in orders.values() if all(test(order) for test in tests)]
