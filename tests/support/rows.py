"""Rows as the tables have them, with sane defaults: every keyword overrides a column.

A column that needs a value and has no default gets one by its type, so a column that is added or renamed concerns
only this module and the tests that speak of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import Boolean, Column, DateTime, Double, Integer, LargeBinary, Numeric, Table, Text, Uuid, insert
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from upbridge.domain.shop_id import ShopId
from upbridge.store import schema


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not stored yet. Each of one table may name other columns."""

    table: Table
    values: dict[str, Any]


async def insert_rows(engine: AsyncEngine, *rows: Row) -> None:
    """Store *rows* in their order, all or none."""
    async with engine.begin() as tx:
        for (table, _), same in groupby(rows, key=lambda row: (row.table, frozenset(row.values))):
            await tx.execute(insert(table), [row.values for row in same])


# --- rows about a shop --------------------------------------------------------------------------------------


def shop_row(**overrides: Any) -> Row:
    """A shop that works, with secrets that open nothing."""
    number = uuid4()
    values = {"id": number, "key": f"shop-{number.hex[:8]}", "token": f"token-{number.hex}", "state": "active"}
    return _row(schema.shops, values, overrides)


def connection_row(shop_id: ShopId, system: str, **overrides: Any) -> Row:
    """A connection that works."""
    values = {"shop_id": shop_id, "system": system, "state": "connected", "account": system, "connected_at": NOON}
    return _row(schema.connections, values, overrides)


def change_row(shop_id: ShopId, kind: str, key: str, **overrides: Any) -> Row:
    """An entity of the shop that waits to be read, because a webhook named it."""
    values = {"source": "upgates", "origin": "webhook", "priority": 1}
    return _row(schema.changes, {"shop_id": shop_id, "kind": kind, "key": key, **values}, overrides)


def document_row(shop_id: ShopId, target: str, key: str, **overrides: Any) -> Row:
    """An order that waits to be sent."""
    values = {"kind": "order", "parent": key, "body": b"", "hash": b"", "priority": 1}
    return _row(schema.documents, {"shop_id": shop_id, "target": target, "key": key, **values}, overrides)


def link_row(shop_id: ShopId, target: str, key: str, **overrides: Any) -> Row:
    """An order that the target has."""
    values = {"kind": "order", "parent": key, "hash": b"h", "updated_at": NOON}
    return _row(schema.links, {"shop_id": shop_id, "target": target, "key": key, **values}, overrides)


def problem_row(shop_id: ShopId, entity: str, **overrides: Any) -> Row:
    """An order that Uphance does not get, because no channel was chosen for its currency and language."""
    values = {
        "stage": "push",
        "key": "order.no_channel",
        "target": "uphance",
        "kind": "order",
        "parent": entity,
        "params": {"currency": "EUR", "language": "sk"},
        "message": f"words for the operator about {entity}",
        "since": NOON,
    }
    return _row(schema.problems, {"shop_id": shop_id, "entity": entity, **values}, overrides)


def run_row(shop_id: ShopId, kind: str, **overrides: Any) -> Row:
    """An import that has read nothing yet."""
    values = {"purpose": "import", "state": "running", "total": None, "pages": None, "done": 0}
    return _row(schema.runs, {"shop_id": shop_id, "kind": kind, **values}, overrides)


def cursor_row(shop_id: ShopId, name: str, value: str, **overrides: Any) -> Row:
    """What is remembered about the shop itself."""
    values = {"shop_id": shop_id, "system": "upgates", "name": name, "value": value}
    return _row(schema.cursors, values, overrides)


def heartbeat_row(**overrides: Any) -> Row:
    """A worker was there just now."""
    return _row(schema.heartbeat, {"name": "worker", "at": NOON, "identity": ""}, overrides)


def lane_row(shop_id: ShopId, direction: str, system: str, **overrides: Any) -> Row:
    """A lane that rests."""
    values = {"direction": direction, "system": system, "since": NOON}
    return _row(schema.lanes, {"shop_id": shop_id, **values}, overrides)


def delivery_row(shop_id: ShopId, *numbers: str, **overrides: Any) -> Row:
    """A webhook about orders with these *numbers*, which came a minute ago."""
    values = {
        "source": "upgates",
        "event": "orders.create",
        "records": len(numbers),
        "keys": list(numbers),
    }
    moment = {"received_at": NOON - timedelta(minutes=1)}
    return _row(schema.deliveries, {"shop_id": shop_id, **values, **moment}, overrides)


def variant_row(shop_id: ShopId, product_id: int, **overrides: Any) -> Row:
    """A variant that the shop sells, of a product of its own."""
    values = {"key": f"v-{product_id}", "product_id": product_id, "title": f"Item {product_id}"}
    flags = {"stock_own": True, "active": True, "listed": True}
    return _row(schema.variants, {"shop_id": shop_id, **values, **flags}, overrides)


def sku_row(shop_id: ShopId, sku_id: int, **overrides: Any) -> Row:
    """A SKU that Uphance holds, of a product of its own."""
    values = {"sku_id": sku_id, "product_id": sku_id, "name": f"SKU {sku_id}"}
    return _row(schema.skus, {"shop_id": shop_id, **values}, overrides)


def order_row(shop_id: ShopId, number: str, **overrides: Any) -> Row:
    """An order that was made and read at noon."""
    values = {"number": number, "ordered_at": NOON, "read_at": NOON}
    return _row(schema.orders, {"shop_id": shop_id, **values}, overrides)


def order_event_row(shop_id: ShopId, order_number: str, event: str, **overrides: Any) -> Row:
    """Something that happened to an order at noon."""
    values = {"order_number": order_number, "event": event, "target": "uphance", "at": NOON}
    return _row(schema.order_events, {"shop_id": shop_id, **values}, overrides)


def open_order_line_row(shop_id: ShopId, number: str, **overrides: Any) -> Row:
    """The first line of an order, of which a piece is not shipped yet."""
    values = {"order_number": number, "position": 0, "quantity": 1, "pending": True, "ordered_at": NOON}
    return _row(schema.open_order_lines, {"shop_id": shop_id, **values}, overrides)


def budget_row(shop_id: ShopId, **overrides: Any) -> Row:
    """A budget whose hour and day begin at noon."""
    return _row(schema.budgets, {"shop_id": shop_id}, overrides)


def lease_row(shop_id: ShopId, slot: int, **overrides: Any) -> Row:
    """A slot for calls that a caller holds for another minute."""
    values = {"shop_id": shop_id, "slot": slot, "expires_at": NOON + timedelta(minutes=1)}
    return _row(schema.call_leases, values, overrides)


def api_call_row(shop_id: ShopId, **overrides: Any) -> Row:
    """A call to Upgates two hours ago."""
    values = {"hour": NOON - timedelta(hours=2), "access": "GET /orders", "purpose": "orders", "count": 1}
    return _row(schema.api_calls, {"shop_id": shop_id, **values}, overrides)


# --- rows of any table --------------------------------------------------------------------------------------


def full_row(table: Table, now: datetime, **overrides: Any) -> Row:
    """A row with something in every column; keywords that the table has no column for are left out."""
    stored = [column for column in table.columns if column.identity is None and column.computed is None]
    values = {column.name: _value(column, now) for column in stored}
    return Row(table, {**values, **{name: value for name, value in overrides.items() if name in table.c}})


async def fill(engine: AsyncEngine, shop_id: ShopId, *, now: datetime, **overrides: Any) -> set[str]:
    """Store a row about the shop in every table that has such; returns their names."""
    rows = [full_row(table, now, shop_id=shop_id, **overrides) for table in tables_about_shops()]
    await insert_rows(engine, *rows)
    return {row.table.name for row in rows}


def tables_about_shops() -> Iterable[Table]:
    """Each table whose rows belong to a shop, those first that others refer to."""
    return [table for table in schema.metadata.sorted_tables if "shop_id" in table.c]


def _row(table: Table, values: dict[str, Any], overrides: dict[str, Any]) -> Row:
    needed = [column for column in table.columns if not column.nullable and column.server_default is None]
    made = {column.name: _value(column, NOON) for column in needed if column.identity is None}
    return Row(table, {**made, **values, **overrides})


def _value(column: Column[Any], now: datetime) -> Any:
    made = {
        Text: f"{column.name}-{uuid4().hex[:6]}",
        Uuid: uuid4(),
        DateTime: now,
        LargeBinary: uuid4().bytes,
        ARRAY: [],
        Boolean: False,
        JSONB: {},
        Double: 1.0,
        Numeric: 1,
        Integer: 1,
    }
    return next(value for kind, value in made.items() if isinstance(column.type, kind))
