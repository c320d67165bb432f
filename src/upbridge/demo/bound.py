"""How many calls of the Upgates API the day needs at least: pages and batches, nothing twice.

Every connection starts a first import of its own, so each of them counts the pages once.
"""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge.demo.upp_rules import Json

PAGE = 100
#: read once after the activation, written to cache: owner, languages, price lists, config, statuses, rights,
#: webhooks
FACTS = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """The calls that were needed, by reason, and those that were made."""

    parts: dict[str, int]
    made: int
    operations: dict[str, int]

    @property
    def needed(self) -> int:
        """All reasons together."""
        return sum(self.parts.values())

    @property
    def ratio(self) -> float:
        """How much more than needed was called."""
        return self.made / self.needed if self.needed else math.inf


def least_calls(
    calls: list[Json],
    deliveries: list[Json],
    *,
    products: int,
    orders: int,
    targets: int,
    lost_deletes: bool,
    changed: tuple[int, int],
    window: float,
) -> Bound:
    """The lower bound: setting up, both imports, one call per hundred announced things and window, the
    safety net.
    """
    operations: Counter[str] = Counter(call["operation"] for call in calls)
    writes = sum(
        math.ceil(call["items"] / PAGE) for call in calls if call["operation"].startswith("PUT /api/v2/o")
    )
    parts = {
        "facts": FACTS,
        "subscriptions": operations["POST /api/v2/webhooks"],
        "products, first import": pages(products) * targets,
        "orders, first import": pages(orders) * targets,
        "announced products": _batches(deliveries, "Products", window),
        "announced orders": _batches(deliveries, "Orders", window),
        "safety net": 1 + sum(max(1, pages(count)) for count in changed),
        "search for deleted": 1 + (pages(products) if lost_deletes else 0),
        "written back": writes,
    }
    return Bound(parts, len(calls), dict(operations))


def pages(items: int) -> int:
    """How many pages hold *items*."""
    return math.ceil(items / PAGE)


def _batches(deliveries: list[Any], entity: str, window: float) -> int:
    """Calls for what was announced, if everything within a window of *window* seconds is asked for together."""
    batches, opened, gathered = 0, None, set[str]()
    rows = [
        row for row in deliveries if row["event"].startswith(f"{entity}.") and not row["event"].endswith("delete")
    ]
    for row in sorted(rows, key=lambda row: row["at"]):
        at = datetime.fromisoformat(row["at"])
        if opened is None or (at - opened).total_seconds() > window:
            batches += pages(len(gathered))
            opened, gathered = at, set()
        gathered |= set(row["ids"])
    return batches + pages(len(gathered))
