"""Whether a light says `ok` for a flow that is not: looked at after every step of every seed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from tests.conformance.testbed import Testbed
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import FlowState, flow_states, see
from upbridge.store.connections import connections_of
from upbridge_sandbox.demo.compare import UNWANTED, Finding
from upbridge_sandbox.demo.upp_rules import product_ids

#: What waits to be read, by the first word of its kind, and in which flows it is missing.
_READ = {
    ("upgates", "order"): ("order.upp", "order.uphance"),
    ("upgates", "orders"): ("order.upp", "order.uphance"),
    ("upgates", "product"): ("product.upp",),
    ("upgates", "products"): ("product.upp",),
    ("upgates", "variant"): ("product.upp",),
    ("uphance", "catalogue"): ("stock.upgates",),
    ("uphance", "stock"): ("stock.upgates",),
    ("uphance", "pick_tickets"): ("shipment.upgates",),
}
_FLOWS = {
    "products → Upp.ai": "product.upp",
    "orders → Upp.ai": "order.upp",
    "orders → Uphance": "order.uphance",
}
_PARTS = {"variant": "product"}


@dataclass(slots=True)
class Unknowable:
    """What no light can know: that of which no announcement has come, until a safety net has begun since."""

    lost: dict[str, datetime] = field(default_factory=dict)
    """When the announcement was lost, by the key of what it was about."""
    everything: datetime | None = None
    """When the whole shop became unknown: its database was put back, or an announcement of its facts was lost."""

    def lose(self, letters: Iterable[tuple[str, str]], now: datetime) -> None:
        """These announcements never come."""
        for event, key in letters:
            if _is_about_one(event):
                self.lost[key] = now
            else:
                self.everything = now

    def hides(self, finding: Finding, testbed: Testbed, looked_at: datetime | None) -> bool:
        """Whether *finding* is about what cannot be known, by the moment at which the last safety net began."""
        names = {finding.entity, _product_of(testbed, finding.entity)}
        for event, key in testbed.letters.waiting:
            if key in names or not _is_about_one(event):
                return True
        since = [moment for key, moment in self.lost.items() if key in names]
        since += [] if self.everything is None else [self.everything]
        return any(looked_at is None or looked_at <= moment for moment in since)


def _is_about_one(event: str) -> bool:
    """Whether *event* is about one product or order; else it is about all of the shop's."""
    return event.startswith(("Orders.", "Products."))


def _product_of(testbed: Testbed, entity: str) -> str:
    """The product that a document is about; the entity itself where it is about none."""
    products = [*testbed.origin.goods.products.values(), *testbed.origin.deleted_products.values()]
    keys = {key: str(product["product_id"]) for product in products for key in product_ids(product)}
    return keys.get(entity, entity)


_AMISS = text(
    """
    SELECT 'read' AS how, source AS system, split_part(kind, '.', 1) AS kind, min(key) AS key FROM changes
      WHERE shop_id = :shop_id AND due_at < :never GROUP BY 2, 3
    UNION ALL
    SELECT 'send', target, kind, min(key) FROM documents
      WHERE shop_id = :shop_id AND state <> 'unwanted' GROUP BY 2, 3
    UNION ALL
    SELECT 'told', target, kind, min(entity) FROM problems
      WHERE shop_id = :shop_id AND dismissed_at IS NULL AND stage <> 'read' GROUP BY 2, 3
    UNION ALL
    SELECT 'unreadable', target, kind, min(entity) FROM problems
      WHERE shop_id = :shop_id AND dismissed_at IS NULL AND stage = 'read' GROUP BY 2, 3
    """
)


async def too_bright(testbed: Testbed, hidden: Iterable[Finding]) -> list[str]:
    """The flows that are `ok` although something of theirs is unread, unsent, parked, or *hidden*: different from
    its origin, although the shop has announced it, or a safety net could have seen it."""
    shop = await testbed.shop()
    async with testbed.engine.connect() as tx:
        seen = await see(tx, testbed.service.systems, shop.id)
        rows = await connections_of(tx, shop.id)
        amiss = [*await tx.execute(_AMISS, {"shop_id": shop.id, "never": "9000-01-01"})]
    states = flow_states(testbed.service.systems, shop, rows, seen, testbed.hours())
    found = [(name, f"{row.how}: {row.kind} {row.key}") for row in amiss for name in _flows_of(*row[:3])]
    found += [
        (_FLOWS[one.flow], f"{one.kind}: {one.entity}")
        for one in hidden
        if one.flow in _FLOWS and one.kind != UNWANTED
    ]
    return sorted({f"light of {name} is ok, but {what}" for name, what in found if name in _ok(states)})


def _ok(states: Sequence[FlowState]) -> set[str]:
    return {one.name for one in states if one.light is Light.OK}


def _flows_of(how: str, system: str, kind: str) -> Iterator[str]:
    if how in {"read", "unreadable"}:
        yield from _READ.get((system, kind), ())
    else:
        yield f"{_PARTS.get(kind, kind)}.{system}"
