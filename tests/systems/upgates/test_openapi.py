"""Every request that the client makes fits the vendor's own description, where that is at hand."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.support.upgates import Json, Upgates
from tests.support.vendor_files import OPENAPI, vendor_file
from upbridge.domain.purpose import Purpose
from upbridge.systems.platform import OrderFilter, ProductFilter
from upbridge.systems.upgates.accesses import ACCESSES, PREFIX
from upbridge.systems.upgates.payloads import OrderChange

MOMENT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ANSWER: Json = {
    **{name: [] for name in ("products", "orders", "variants", "webhooks", "events", "shipments", "payments")},
    "services": [{"service": name, "privilege": "readonly"} for name in ("shipments", "payments")],
    "webhook": {"id": 1},
    "number_of_pages": 1,
}
#: Required by the OpenAPI of 2026, optional in the blueprint of 2025, and against "send only what changed".
NOT_SENT = {"customer", "products"}


@pytest.fixture(scope="module")
def described() -> Json:
    found: Json = json.loads(vendor_file(OPENAPI).read_bytes())
    return found


async def everything() -> Upgates:
    """A client that has made every call it can make."""
    upgates = Upgates(lambda _request: httpx.Response(200, json=ANSWER))
    client = upgates.client
    await client.facts()
    await client.status()
    filters = ProductFilter(updated_from=MOMENT, active=True, archived=False)
    await client.products_page(2, filters=filters, purpose=Purpose.IMPORT)
    await client.products_by_ids([1, 2], purpose=Purpose.PRODUCTS)
    await client.product_parameters([1, 2], purpose=Purpose.PRODUCTS)
    await client.orders_page(1, purpose=Purpose.IMPORT)
    await client.orders_page(1, filters=OrderFilter(MOMENT, MOMENT, MOMENT), purpose=Purpose.SAFETY)
    await client.orders_by_numbers(["A", "B", "C;D"], purpose=Purpose.ORDERS)
    await client.put_stock(variants=[("V", Decimal("2.5"))], products=[("P", Decimal(3))])
    await client.put_orders(
        [OrderChange("A", status_id=4, tracking_code="T", external_order_number="S")], notify=False
    )
    await client.add_history("A", [("n" * 99, "v" * 999)])
    await client.history_names("A")
    await client.webhooks()
    await client.webhook_events()
    await client.create_webhook(event="Orders.update", url="https://example.com/x", name="Upbridge")
    await client.activate_webhook(1)
    await client.delete_webhooks([1, 2])
    return upgates


def operation(described: Json, request: httpx.Request) -> Json:
    """The description of *request*: the path without parameters wins."""
    shown = request.url.raw_path.partition(b"?")[0].decode()
    for path in sorted(described["paths"], key=lambda path: path.count("{")):
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), shown):
            found: Json = described["paths"][path][request.method.lower()]
            return found
    raise AssertionError(f"{request.method} {shown} is not described")


def lenient(schema: Any, path: tuple[str, ...] = ()) -> Any:
    """*schema* with PUT /orders freed of what we do not send, and everything forbidden that it does not name."""
    if isinstance(schema, list):
        return [lenient(part, path) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: lenient(part, (*path, name)) for name, part in schema.items() if name != "format"}
    if "order_number" in schema.get("required", ()):
        changed["required"] = [name for name in schema["required"] if name not in NOT_SENT]
    if isinstance(schema.get("properties"), dict) and path[-1:] != ("properties",):
        changed["additionalProperties"] = False
    return changed


def complaints(described: Json, request: httpx.Request) -> Iterator[str]:
    found = operation(described, request)
    known = {one["name"]: one for one in found.get("parameters", []) if one["in"] == "query"}
    for name, value in request.url.params.items():
        if name not in known:
            yield f"{request.method} {request.url.path}: no parameter {name}"
            continue
        schema = known[name]["schema"]
        typed = json.loads(value) if schema.get("type") in ("integer", "boolean", "number") else value
        yield from (error.message for error in Draft202012Validator(schema).iter_errors(typed))
        if schema.get("format") == "date-time":
            assert datetime.fromisoformat(value).tzinfo is not None
    if "requestBody" in found:
        schema = lenient(found["requestBody"]["content"]["application/json"]["schema"])
        body = json.loads(request.content)
        if request.url.path.endswith("/products"):
            # The list of variants beside the products is described inside them, by a slip of the vendor.
            variants = {"products": [{"code": "P", "variants": body.pop("variants", [])}]}
            yield from (error.message for error in Draft202012Validator(schema).iter_errors(variants))
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        yield from (error.message for error in validator.iter_errors(body))
    elif request.content:
        yield f"{request.method} {request.url.path}: no body is described"


async def test_every_request_fits_the_description(described: Json) -> None:
    upgates = await everything()

    found = [complaint for request in upgates.requests for complaint in complaints(described, request)]

    assert found == []


@pytest.mark.rule("R47")
async def test_every_declared_access_was_tried() -> None:
    upgates = await everything()

    assert {access for _, access, _ in upgates.ledger.paid} == {access.label for access in ACCESSES}


@pytest.mark.rule("R47")
def test_every_declared_access_is_described(described: Json) -> None:
    for access in ACCESSES:
        assert access.method.lower() in described["paths"][f"{PREFIX}{access.path}"], access.label
