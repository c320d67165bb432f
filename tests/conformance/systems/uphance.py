"""Uphance: orders of the shop as drafts, where nothing that creates may be repeated blindly."""

from dataclasses import dataclass

from tests.conformance.systems import Side
from tests.conformance.testbed import Testbed
from tests.support.connecting import connect_uphance
from upbridge_sandbox.demo import compare, uphance_rules
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.seed.plan import PASSWORD


@dataclass
class Uphance:
    """The organisation 501 of the user `demo@uphance.test`."""

    system: str = "uphance"

    async def connect(self, testbed: Testbed) -> None:
        await connect_uphance(
            testbed.service, await testbed.shop(), email="demo@uphance.test", password=PASSWORD, organisation=501
        )
        await testbed.set(uphance__orders_from="2020-01-01")

    def happen(self, testbed: Testbed, seed: int) -> None:
        for _ in range(6):
            testbed.edits.create_order(testbed.origin)
        testbed.edits.many(testbed.origin, 25, seed)

    async def verdicts(self, testbed: Testbed) -> list[Verdict]:
        goods, told, company = testbed.goods(), await testbed.told(), testbed.organisation
        catalogue = uphance_rules.Skus(list(company.products.values()), company.channels)
        orders = list(company.orders.values())
        return [
            compare.uphance_orders(goods, orders, catalogue, told, "demo"),
            compare.uphance_customers(goods, orders, list(company.customers.values()), "demo"),
        ]

    def refuse(self, testbed: Testbed) -> str:
        number = str(testbed.edits.create_order(testbed.origin)["order_number"])
        testbed.world.faults["uphance"].refuse = [f"UPG-demo-{number}"]
        return number

    def accept(self, testbed: Testbed) -> None:
        testbed.world.faults["uphance"].refuse = []

    def expire(self, testbed: Testbed) -> None:
        testbed.world.uphance.expire_tokens()

    def lock_out(self, testbed: Testbed) -> None:
        testbed.world.uphance.tokens.clear()

    def let_in(self, testbed: Testbed) -> None:
        """A new login is all that it takes."""


SIDE: Side = Uphance()
