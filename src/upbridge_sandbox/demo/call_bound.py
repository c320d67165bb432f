"""How many calls of the Upgates API the work needs: pages and batches, nothing twice."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from upbridge_sandbox.demo.upp_rules import Json

PAGE = 100
#: read once after the activation, written to cache: owner, languages, price lists, config, statuses, rights,
#: ways to deliver and to pay, webhooks
FACTS = 10


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


@dataclass(frozen=True, slots=True)
class Workload:
    """What the demo knows of its work: sizes at the first import, what was lost, changed, shipped."""

    products: int
    orders: int
    changed: tuple[int, int]
    lost_deletes: bool
    tickets: int
    window: float


def needed_calls(calls: list[Json], deliveries: list[Json], work: Workload) -> Bound:
    """Setting up, the first import, one call per hundred announced things and window, the safety net.

    *calls* are those of all systems. Uphance is connected last and asks for older orders than Upp.ai had been
    sent, so the orders are read a second time if they had been read before; the products are not.
    """
    upgates = [call for call in calls if call["system"] == "upgates"]
    operations: Counter[str] = Counter(call["operation"] for call in upgates)
    second = min((call["at"] for call in calls if call["operation"].endswith("/set_current_org")), default="")
    early: Counter[str] = Counter(call["operation"] for call in upgates if call["at"] < second)
    parts = {
        "facts": FACTS,
        "subscriptions": operations["POST /api/v2/webhooks"],
        "first import: products": pages(work.products),
        "first import: orders": pages(work.orders),
        "first import: orders for the second target": pages(work.orders) if early["GET /api/v2/orders"] else 0,
        "announced products": _batches(deliveries, "Products", work.window),
        "announced orders": _batches(deliveries, "Orders", work.window),
        "safety net": 1 + sum(max(1, pages(count)) for count in work.changed),
        "search for deleted products": 1 + (pages(work.products) if work.lost_deletes else 0),
        "stock and statuses written back": sum(
            pages(sum(call["items"] for call in upgates if call["operation"] == operation))
            for operation in ("PUT /api/v2/products", "PUT /api/v2/orders")
        ),
        "notes in histories": work.tickets,
    }
    return Bound(parts, len(upgates), dict(operations))


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
