"""A shop whose price lists, languages and statuses change, and Upp.ai with its own mapping."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.support.engine import Engine
from tests.support.simulated import Target
from tests.support.upgates import raw_prices
from upbridge.domain.delivery import DesiredDocument, Entity, Unmappable
from upbridge.domain.order import Order
from upbridge.store.changes import Kind
from upbridge.systems.base import MappingContext
from upbridge.systems.upp import mapping

MakeEngine = Callable[..., Awaitable[Engine]]


class Upp(Target):
    """Upp.ai with its own mapping; what it is sent, it takes."""

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        if isinstance(entity, Order):
            return mapping.order_documents(entity, context)
        return mapping.product_documents(entity, context)

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        return mapping.tombstone(kind, sent)


def held(machine: Engine) -> dict[str, Any]:
    """What the target has now, by key."""
    return {one.key: json.loads(one.body) for one in machine.target.received}


def pricelists(*names: str, default: str) -> dict[str, Any]:
    return {"pricelists": [{"name": name, "default_yn": name == default} for name in names]}


def statuses(**types: str) -> dict[str, Any]:
    return {"order_statuses": [{"id": int(name[1:]), "type": kind} for name, kind in types.items()]}


def two_lists(retail: int, vip: int | None, **overrides: Any) -> dict[str, Any]:
    """Prices of a product that has a retail price and, unless it is None, one for VIP."""
    [listed] = raw_prices()["pricelists"]
    rows = [{**listed, "price_original": retail, "price_with_vat": retail, "price_without_vat": None}]
    if vip is not None:
        rows.append({**rows[0], "name": "VIP", "price_original": vip, "price_with_vat": vip})
    return raw_prices(pricelists=rows, **overrides)


async def sold(machine: Engine, *numbers: int) -> None:
    await machine.mark(Kind.PRODUCT, *(str(number) for number in numbers))
    await machine.drain()


async def facts_changed(machine: Engine) -> None:
    """A webhook says that facts have changed; everything that follows is done."""
    machine.watch.move(minutes=1)
    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()
