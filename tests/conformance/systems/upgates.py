"""The shop itself: numbers of its stock, and what was shipped of its orders. Both come from Uphance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tests.conformance.systems import Side
from tests.conformance.systems.uphance import SIDE as UPHANCE
from tests.conformance.testbed import Json, Testbed
from upbridge_sandbox.demo import uphance_rules, writeback_checks
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.demo.sandbox_client import SandboxClient
from upbridge_sandbox.seed.orders import CANCELED, SENT
from upbridge_sandbox.uphance.tickets import make_ticket, ship


@dataclass
class _Inside:
    """What those who compare ask of the outside, from memory."""

    testbed: Testbed

    def uphance(self, organisation: int, kind: str) -> list[Json]:
        held: Mapping[str, Mapping[int, Json]] = {
            "orders": self.testbed.world.uphance.organisations[organisation].orders,
            "products": self.testbed.world.uphance.organisations[organisation].products,
        }
        return list(held[kind].values())

    def call(self, method: str, path: str) -> Any:
        assert (method, path) == ("GET", "/shops/demo/history")
        return {"history": self.testbed.origin.history}


@dataclass
class Upgates:
    """The shop `demo`, as staff in Uphance change it."""

    system: str = "upgates"

    async def connect(self, testbed: Testbed) -> None:
        await UPHANCE.connect(testbed)
        await testbed.set(stock__write="true", stock__guard_percent="100")

    def happen(self, testbed: Testbed, seed: int) -> None:
        """Staff ship half of the orders whole and one in part, and count some goods."""
        day, company = testbed.day, testbed.organisation
        sales = [one for one in company.orders.values() if one["status"] == "draft"]
        for place, sale in enumerate(sales):
            number = str(sale["purchase_order_ref"]).removeprefix("UPG-demo-")
            order = testbed.origin.orders.get(number)
            if order is None or order["status_id"] in (CANCELED, SENT):
                continue
            if (place + seed) % 2 == 0:
                day.shipped[number] = f"TRACK-{number}"
                ship(
                    make_ticket(sale, company, testbed.world.uphance),
                    company,
                    testbed.world.uphance,
                    f"TRACK-{number}",
                    "ppl",
                )
            elif sale["total_quantity"] > 1:
                day.partly.add(number)
                sku = sale["line_items"][0]["line_quantities"][0]["sku_id"]
                ticket = make_ticket(sale, company, testbed.world.uphance, pieces={sku: 1})
                ship(ticket, company, testbed.world.uphance, f"PART-{number}", "ppl")
        for product in list(company.products.values())[:6]:
            product["variations"][0]["skus"][0]["available_to_sell_from_stock"] += 2 + seed

    async def verdicts(self, testbed: Testbed) -> list[Verdict]:
        goods, outside = testbed.goods(), cast("SandboxClient", _Inside(testbed))
        catalogue = uphance_rules.Skus(list(testbed.organisation.products.values()), testbed.organisation.channels)
        return [
            writeback_checks.shipments(outside, goods, testbed.day),
            writeback_checks.stock(outside, 501, goods, "demo", catalogue),
        ]

    def refuse(self, testbed: Testbed) -> str:
        goods = testbed.goods()
        item, sku = writeback_checks.pairs(goods, list(testbed.organisation.products.values()))[0]
        found = testbed.organisation.sku(sku["id"])
        assert found is not None
        found[2]["available_to_sell_from_stock"] += 5
        testbed.origin.refuse_puts = {item["code"]}
        return str(item["code"])

    def accept(self, testbed: Testbed) -> None:
        testbed.origin.refuse_puts = set()

    def expire(self, testbed: Testbed) -> None:
        """There are no tokens; what comes nearest is a user that staff switch off for a while."""
        self.lock_out(testbed)

    def lock_out(self, testbed: Testbed) -> None:
        assert testbed.origin.access is not None
        testbed.origin.access.active = False

    def let_in(self, testbed: Testbed) -> None:
        assert testbed.origin.access is not None
        testbed.origin.access.active = True


SIDE: Side = Upgates()
