"""What we write to Upgates, and what it says of each item: a 200 may hide refusals (Upgates API v2, PUT)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from upbridge.domain.sku import code_key
from upbridge.systems.upgates.fields import Flag, Many, Raw, Wire, Words, read

#: Items in one PUT; with more, everything is ignored and 413 answered (Rate limiting).
BATCH = 100

_NAME_LENGTH, _VALUE_LENGTH = 50, 500
_ERRORS = {"error", "fatal_error"}


@dataclass(frozen=True, slots=True)
class StockItem:
    """One number to write: the stock of the variant or product with this code, absolute."""

    kind: Literal["variant", "product"]
    code: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What is to be changed at one order; None leaves it alone."""

    order_number: str
    status_id: int | None = None
    tracking_code: str | None = None
    external_order_number: str | None = None


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What the answer says of one item. `updated` None: it says nothing, so the state of the item is unknown."""

    key: str
    updated: bool | None
    messages: tuple[str, ...] = ()
    kind: Literal["variant", "product", "order"] = "order"


class _Message(Wire):
    property: Words = None
    message: Words = None
    level: Words = None


class _Result(Wire):
    code: Words = None
    order_number: Words = None
    updated_yn: Flag = None
    updated: Flag = None
    messages: Many[_Message] = ()

    def result(self, key: str, kind: Literal["variant", "product", "order"]) -> ItemResult:
        """This, as said of *key*. Without a flag an error among the messages means no."""
        said = self.updated_yn if self.updated_yn is not None else self.updated
        if said is None and any((message.level or "").lower() in _ERRORS for message in self.messages):
            said = False
        return ItemResult(key, said, _texts(self.messages), kind)


_RESULT_FIELDS = frozenset(_Result.model_fields)


class _ProductResult(_Result):
    variants: Many[_Result] = ()


class _StockAnswer(Wire):
    products: Many[_ProductResult] = ()
    variants: Many[_Result] = ()


class _Entry(Wire):
    name: Words = None


class _Event(Wire):
    data: Many[_Entry] = ()


class _History(Wire):
    history: Many[_Event] = ()


class _OrdersAnswer(Wire):
    orders: Many[_Result] = ()


def _texts(messages: Iterable[_Message]) -> tuple[str, ...]:
    return tuple(
        f"{message.property}: {message.message}" if message.property else message.message
        for message in messages
        if message.message
    )


def stock_body(asked: Sequence[StockItem]) -> dict[str, Any]:
    """The body of PUT /products: absolute numbers, nothing else.

    Variants go into the top-level `variants[]`, which needs no product code. The blueprint of 2025 has it; the
    OpenAPI of 2026 has its description, but misplaced inside `products`. Assumption: the answer lists them in
    either place (docs/vendors/upgates.md#writing-stock).
    """
    body: dict[str, Any] = {}
    for kind, name in (("product", "products"), ("variant", "variants")):
        rows = [{"code": item.code, "stock": item.quantity} for item in asked if item.kind == kind]
        if rows:
            body[name] = rows
    return body


def stock_results(asked: Sequence[StockItem], raw: Raw) -> list[ItemResult]:
    """One result for each of *asked*, in their order; raises `Unreadable`. Codes are compared by their keys."""
    answer = read(_StockAnswer, raw, "products")
    variants = [*answer.variants, *(variant for product in answer.products for variant in product.variants)]
    said: dict[tuple[str, str | None], _Result] = {}
    for kind, rows in (("variant", variants), ("product", answer.products)):
        for row in rows:
            if row.code and (row.updated_yn is not None or row.messages):
                said.setdefault((kind, code_key(row.code)), row)
    return [
        said[place].result(item.code, item.kind) if place in said else ItemResult(item.code, None, kind=item.kind)
        for item in asked
        for place in [(item.kind, code_key(item.code))]
    ]


def orders_body(changes: Sequence[OrderChange], *, notify: bool) -> dict[str, Any]:
    """The body of PUT /orders with what is changed, and nothing else.

    `customer` and `products` are left out: an address or a line sent back could undo what staff changed meanwhile.
    The OpenAPI of 2026 marks both as required, no client in production sends them
    (docs/vendors/upgates.md#changing-an-order). E-mail and SMS are on unless switched off.
    """
    return {
        "send_emails_yn": notify,
        "send_sms_yn": notify,
        "orders": [
            {
                "order_number": change.order_number,
                **({} if change.status_id is None else {"status_id": change.status_id}),
                **({} if change.tracking_code is None else {"tracking_code": change.tracking_code}),
                **(
                    {}
                    if change.external_order_number is None
                    else {"external_order_number": change.external_order_number}
                ),
            }
            for change in changes
        ],
    }


def orders_results(changes: Sequence[OrderChange], raw: Raw) -> list[ItemResult]:
    """One result for each of *changes*, in their order; raises `Unreadable`.

    Four shapes are read (docs/vendors/upgates.md#changing-an-order): `orders[]` of the blueprint; one order at the
    top with its messages in an object `orders`, as the OpenAPI of 2026 prints it; that order whole in the object
    `orders`, with messages and without.
    """
    listed = raw.get("orders")
    if isinstance(listed, Mapping) and not _RESULT_FIELDS.isdisjoint(listed):
        stated = {name: value for name, value in listed.items() if value is not None}
        rows: tuple[_Result, ...] = (read(_Result, {**raw, **stated}, "orders"),)
    elif not listed and "order_number" in raw:  # PHP's empty object, where there are no messages
        rows = (read(_Result, raw, "orders"),)
    else:
        rows = read(_OrdersAnswer, raw, "orders").orders
    said = {row.order_number: row for row in rows if row.order_number}
    return [
        said[change.order_number].result(change.order_number, "order")
        if change.order_number in said
        else ItemResult(change.order_number, None)
        for change in changes
    ]


def history_body(entries: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The body of POST /orders/{n}/history: names of up to 50 characters, values of up to 500."""
    return {"data": [{"name": name[:_NAME_LENGTH], "value": value[:_VALUE_LENGTH]} for name, value in entries]}


def history_result(order_number: str, raw: Raw) -> ItemResult:
    """Whether the entries were added; raises `Unreadable`."""
    return read(_Result, raw, "history").result(order_number, "order")


def history_names(raw: Raw) -> set[str]:
    """The names of the entries in GET /orders/{n}/history; raises `Unreadable`."""
    events = read(_History, raw, "history").history
    return {entry.name for event in events for entry in event.data if entry.name}
