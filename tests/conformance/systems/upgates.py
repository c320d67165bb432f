"""The shop itself: numbers of its stock, and what was shipped of its orders. Both come from Uphance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tests.conformance.stage import Json, Stage
from tests.conformance.systems import Side
from tests.conformance.systems.uphance import SIDE as UPHANCE
from upbridge_sandbox.demo import uphance_rules, writeback_checks
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.demo.sandbox_client import SandboxClient
from upbridge_sandbox.seed.orders import CANCELED, SENT
from upbridge_sandbox.uphance.tickets import make_ticket, ship


@dataclass
class _Inside:
    """What those who compare ask of the outside, from memory."""

    stage: Stage

    def uphance(self, organisation: int, kind: str) -> list[Json]:
        held: Mapping[str, Mapping[int, Json]] = {
            "orders": self.stage.world.uphance.organisations[organisation].orders,
            "products": self.stage.world.uphance.organisations[organisation].products,
        }
        return list(held[kind].values())

    def call(self, method: str, path: str) -> Any:
        assert (method, path) == ("GET", "/shops/demo/history")
        return {"history": self.stage.origin.history}


@dataclass
class Upgates:
    """The shop `demo`, as staff in Uphance change it."""

    system: str = "upgates"

    async def connect(self, stage: Stage) -> None:
        await UPHANCE.connect(stage)
        await stage.set(stock__write="true", stock__guard_percent="100")

    def happen(self, stage: Stage, seed: int) -> None:
        """Staff ship half of the orders whole and one in part, and count some goods."""
        day, company = stage.day, stage.organisation
        sales = [one for one in company.orders.values() if one["status"] == "draft"]
        for place, sale in enumerate(sales):
            number = str(sale["purchase_order_ref"]).removeprefix("UPG-demo-")
            order = stage.origin.orders.get(number)
            if order is None or order["status_id"] in (CANCELED, SENT):
                continue
            if (place + seed) % 2 == 0:
                day.shipped[number] = f"TRACK-{number}"
                ship(
                    make_ticket(sale, company, stage.world.uphance),
                    company,
                    stage.world.uphance,
                    f"TRACK-{number}",
                    "ppl",
                )
            elif sale["total_quantity"] > 1:
                day.partly.add(number)
                sku = sale["line_items"][0]["line_quantities"][0]["sku_id"]
                ticket = make_ticket(sale, company, stage.world.uphance, pieces={sku: 1})
                ship(ticket, company, stage.world.uphance, f"PART-{number}", "ppl")
        for product in list(company.products.values())[:6]:
            product["variations"][0]["skus"][0]["available_to_sell_from_stock"] += 2 + seed

    async def verdicts(self, stage: Stage) -> list[Verdict]:
        goods, outside = stage.goods(), cast("SandboxClient", _Inside(stage))
        catalogue = uphance_rules.Skus(list(stage.organisation.products.values()), stage.organisation.channels)
        return [
            writeback_checks.shipments(outside, goods, stage.day),
            writeback_checks.stock(outside, 501, goods, "demo", catalogue),
        ]

    def refuse(self, stage: Stage) -> str:
        goods = stage.goods()
        item, sku = writeback_checks.pairs(goods, list(stage.organisation.products.values()))[0]
        found = stage.organisation.sku(sku["id"])
        assert found is not None
        found[2]["available_to_sell_from_stock"] += 5
        stage.origin.refuse_puts = {item["code"]}
        return str(item["code"])

    def accept(self, stage: Stage) -> None:
        stage.origin.refuse_puts = set()

    def expire(self, stage: Stage) -> None:
        """There are no tokens; what comes nearest is a user that staff switch off for a while."""
        self.lock_out(stage)

    def lock_out(self, stage: Stage) -> None:
        assert stage.origin.access is not None
        stage.origin.access.active = False

    def let_in(self, stage: Stage) -> None:
        assert stage.origin.access is not None
        stage.origin.access.active = True


SIDE: Side = Upgates()
