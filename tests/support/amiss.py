"""Situations in which nothing may say that all is well, each by what the tables hold while it lasts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.support.clock import NOON
from tests.support.rows import (
    Row,
    change_row,
    cursor_row,
    document_row,
    heartbeat_row,
    lane_row,
    problem_row,
    run_row,
)
from upbridge.domain.shop_id import ShopId
from upbridge.engine.shop_maintenance import INACTIVE_WEBHOOKS
from upbridge.insights.flow_lights import LATE
from upbridge.store.heartbeat import NO_WORKER


@dataclass(frozen=True)
class Amiss:
    """One situation: the row that it leaves, the flows that may not be `ok` with the reason why, and what is known
    of the shop."""

    row: Callable[[ShopId], Row] | None
    expected: dict[str, str]
    shop: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, shop_id: ShopId) -> list[Row]:
        """What is to be inserted."""
        return [] if self.row is None else [self.row(shop_id)]


FROM_SHOP = ("product.upp", "order.upp", "order.uphance")
TO_SHOP = ("stock.upgates", "shipment.upgates")
DENIED = {"facts": {"rights": {"orders": "deny", "products": "all"}}}

#: What is amiss -> the flows that may not be `ok`, and why they are not.
AMISS: dict[str, Amiss] = {
    "an order that was announced": Amiss(
        lambda shop: change_row(shop, "order", "A"),
        {"order.upp": "reading", "order.uphance": "reading"},
    ),
    "an order that is looked for a second time later": Amiss(
        lambda shop: change_row(shop, "order", "A", due_at=NOON + timedelta(minutes=2)),
        {"order.upp": "reading", "order.uphance": "reading"},
    ),
    "a page of the safety net": Amiss(
        lambda shop: change_row(shop, "products.page", "1:2"),
        {"product.upp": "reading"},
    ),
    "an order that cannot be read": Amiss(
        lambda shop: problem_row(shop, "A", stage="read", target="upgates", key="order.unreadable"),
        {"order.upp": "problems", "order.uphance": "problems"},
    ),
    "orders that no page shows": Amiss(
        lambda shop: problem_row(
            shop, "order", stage="read", target="upgates", kind="list", key="read.orders_missed"
        ),
        {"order.upp": "problems", "order.uphance": "problems"},
    ),
    "products that no page shows": Amiss(
        lambda shop: problem_row(
            shop, "product", stage="read", target="upgates", kind="list", key="read.products_missed"
        ),
        {"product.upp": "problems"},
    ),
    "a product of Uphance that cannot be read": Amiss(
        lambda shop: problem_row(
            shop, "products", stage="read", target="uphance", kind="list", key="catalogue.products_missed"
        ),
        {"stock.upgates": "problems"},
    ),
    "a document that waits": Amiss(lambda shop: document_row(shop, "upp", "A"), {"order.upp": "sending"}),
    "a document that is parked": Amiss(
        lambda shop: document_row(shop, "uphance", "A", state="parked", reason="order.no_channel"),
        {"order.uphance": "problems"},
    ),
    "a safety net that left something out": Amiss(
        lambda shop: run_row(shop, "order", purpose="safety_net", state="done", complete=False),
        {"order.upp": "unproven", "order.uphance": "unproven"},
    ),
    "a count that the shop does not answer": Amiss(
        lambda shop: cursor_row(shop, "uncounted.order", NOON.isoformat()),
        {"order.upp": "uncounted", "order.uphance": "uncounted"},
    ),
    "a count that is not that of the shop": Amiss(
        lambda shop: cursor_row(
            shop,
            "completeness.order",
            json.dumps(
                {"shop_says": 443, "known": 435, "checked_at": NOON.isoformat(), "since": NOON.isoformat()}
            ),
        ),
        {"order.upp": "incomplete", "order.uphance": "incomplete"},
    ),
    "no calls left of the shop's tariff": Amiss(
        lambda shop: lane_row(
            shop, "pull", "upgates", reason="no budget", asked=True, until=NOON + timedelta(minutes=9)
        ),
        dict.fromkeys(FROM_SHOP, "budget"),
    ),
    "logins that failed": Amiss(
        lambda shop: lane_row(
            shop,
            "pull",
            "upgates",
            reason="too many failed logins",
            asked=True,
            logins=True,
            until=NOON + timedelta(minutes=9),
        ),
        dict.fromkeys(FROM_SHOP, "logins"),
    ),
    "a sales order of Uphance that cannot be read": Amiss(
        lambda shop: problem_row(
            shop, "order", stage="push", target="uphance", kind="list", key="uphance.orders_unread"
        ),
        {"order.uphance": "problems"},
    ),
    "an import that left something out": Amiss(
        lambda shop: run_row(shop, "product", state="done", complete=False),
        {"product.upp": "unproven"},
    ),
    "a paused import": Amiss(
        lambda shop: run_row(shop, "product", state="paused"),
        {"product.upp": "import_paused"},
    ),
    "a first import": Amiss(lambda shop: run_row(shop, "product"), {"product.upp": "importing"}),
    "an order that has waited to be read for an hour": Amiss(
        lambda shop: change_row(shop, "order", "A", marked_at=NOON - LATE),
        {"order.upp": "late", "order.uphance": "late"},
    ),
    "a shop that does not answer": Amiss(
        lambda shop: lane_row(shop, "pull", "upgates", reason="500", until=NOON + timedelta(minutes=1)),
        dict.fromkeys(FROM_SHOP, "shop_silent"),
    ),
    "no worker for two minutes": Amiss(
        lambda _: heartbeat_row(at=NOON - NO_WORKER), dict.fromkeys((*FROM_SHOP, *TO_SHOP), "no_worker")
    ),
    "a right that was taken away": Amiss(
        None, {"order.upp": "no_right", "order.uphance": "no_right", "shipment.upgates": "no_right"}, DENIED
    ),
    "webhooks that are inactive": Amiss(
        lambda shop: cursor_row(shop, INACTIVE_WEBHOOKS, '["product"]'), {"product.upp": "unannounced"}
    ),
}
