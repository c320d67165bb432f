"""What a webhook says, reduced to "read these again". Pure: bytes in, keys out.

The body is a hint and nothing more: it is not signed, names no event and no shop (R41, R42). Payloads as
published for Orders, Products, OrderStatuses (Upgates, Webhooks); those of Languages, Pricelists, Shipments and
Payments are not published, so their mere arrival is the hint.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from upbridge.core.bounded_json import measuring, parsed
from upbridge.core.bounds import WEBHOOK
from upbridge.core.errors import BadRequest, TooLarge
from upbridge.core.parsing import array, digits, key_of
from upbridge.domain.webhooks import is_about_facts, section_of
from upbridge.store.changes import Kind
from upbridge.systems.base import Source

Payload: TypeAlias = Mapping[str, Any]

MAX_RECORDS = 5_000
"""Upgates sends at most this many records in one call (changelog 5.9.2024)."""
_LONG = 65_536
"""Bytes of a body from which on others have their turn while it is read."""


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """What to read again, how many records said so, and how many of them could not be read."""

    keys: Mapping[Kind, list[str]]
    records: int
    unreadable: int = 0
    deletes: bool = False
    """Whether the event says that the shop deletes the orders, products or variants that it names."""


@dataclass(slots=True)
class _Collector:
    keys: dict[Kind, list[str]] = field(default_factory=dict)
    records: int = 0
    unreadable: int = 0

    def read(self, kind: Kind, records: Any, name: str) -> None:
        if records is None:
            return
        records = [records] if isinstance(records, Mapping) and name in records else array(records)
        if not isinstance(records, list):
            raise BadRequest("the records are not a list")
        for record in records:
            self.records += 1
            key = key_of(record.get(name)) if isinstance(record, Mapping) else None
            if key is None or (kind is not Kind.ORDER and not _is_id(key)):
                self.unreadable += 1
            else:
                self.keys.setdefault(kind, []).append(key)


async def object_of(body: bytes) -> Payload:
    """The object that *body* says. Raises `BadRequest` or `TooLarge`.

    Others have their turn between the steps: the longest body takes some tens of milliseconds.
    """
    if len(body) > WEBHOOK.bytes:
        raise TooLarge(f"more than {WEBHOOK.bytes} bytes")
    for _ in measuring(body, WEBHOOK):
        await _others(body)
    payload = parsed(body)
    await _others(body)
    if not isinstance(payload, dict):
        raise BadRequest("the body is not a JSON object")
    return payload


async def _others(body: bytes) -> None:
    """Let others have their turn, if *body* takes long."""
    if len(body) > _LONG:
        await asyncio.sleep(0)


def read_upgates(event: str, payload: Payload) -> ChangedKeys:
    """What a delivery of *event* names; one bad record harms no other. Raises `BadRequest` or `TooLarge`."""
    facts = is_about_facts(event)
    collector = _Collector()
    if facts:
        collector.keys[Kind.FACTS] = ["facts"]
        collector.records = 1
    elif section_of(event) == "orders":
        collector.read(Kind.ORDER, _required(payload, "orders"), "order_number")
    else:
        variants = payload.get("variants")
        products = payload.get("products") if variants is not None else _required(payload, "products")
        collector.read(Kind.PRODUCT, products, "product_id")
        collector.read(Kind.VARIANT, variants, "variant_id")
    if collector.records > MAX_RECORDS:
        raise TooLarge(f"more than {MAX_RECORDS} records")
    if collector.unreadable and collector.unreadable == collector.records:
        raise BadRequest("no record says what changed")
    deletes = not facts and event.lower().endswith(".delete")
    return ChangedKeys(collector.keys, collector.records, collector.unreadable, deletes)


def everything(source: Source | None) -> ChangedKeys:
    """The keys that let all be read again that has changed, where a delivery does not say what has. *source*: None
    for the shop itself."""
    if source is None:
        return ChangedKeys({Kind.EVERYTHING: ["everything"]}, records=0)
    keys: dict[Kind, list[str]] = {}
    for poll in source.polls:
        keys.setdefault(poll.kind, []).append(poll.key)
    return ChangedKeys(keys, records=0)


def read_connected(source: Source, payload: Payload) -> ChangedKeys:
    """What a delivery from a connected system says has changed. The thing that it names is read again anyway."""
    if source.webhook is None:
        raise BadRequest("nothing is expected from there")
    return ChangedKeys(source.webhook(payload), records=1)


def _required(payload: Mapping[str, Any], name: str) -> Any:
    if not isinstance(payload.get(name), list | dict):
        raise BadRequest(f"there is no list of {name}")
    return payload[name]


def _is_id(key: str) -> bool:
    """Whether *key* is the number of a product or variant, and one that the database can hold."""
    return digits(key) is not None
