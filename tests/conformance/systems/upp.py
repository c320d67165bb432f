"""Upp.ai: products and orders of the shop, repeated at will."""

from dataclasses import dataclass

from tests.conformance.systems import Side
from tests.conformance.testbed import Testbed
from tests.support.connecting import connect_upp
from upbridge_sandbox.demo import compare, upp_rules
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.seed.plan import SECRET


@dataclass
class Upp:
    """The tenant `upp-demo`."""

    system: str = "upp"

    async def connect(self, testbed: Testbed) -> None:
        await connect_upp(
            testbed.service, await testbed.shop(), client_id="upp-demo", client_secret=testbed.tenant.secret
        )

    def happen(self, testbed: Testbed, seed: int) -> None:
        testbed.edits.many(testbed.origin, 25, seed)

    async def verdicts(self, testbed: Testbed) -> list[Verdict]:
        goods, told = testbed.goods(), await testbed.told()
        return [
            compare.upp_products(goods, testbed.tenant.products, told),
            compare.upp_orders(goods, testbed.tenant.orders),
        ]

    def refuse(self, testbed: Testbed) -> str:
        order = next(one for one in reversed(testbed.origin.orders.values()) if upp_rules.order_wanted(one))
        testbed.edits.edit_order_line(testbed.origin, order, order["products"][0]["quantity"] + 1)
        testbed.world.faults["upp"].refuse = [order["order_number"]]
        return str(order["order_number"])

    def accept(self, testbed: Testbed) -> None:
        testbed.world.faults["upp"].refuse = []

    def expire(self, testbed: Testbed) -> None:
        testbed.tenant.tokens.clear()

    def lock_out(self, testbed: Testbed) -> None:
        testbed.tenant.secret = "another"
        testbed.tenant.tokens.clear()

    def let_in(self, testbed: Testbed) -> None:
        testbed.tenant.secret = SECRET


SIDE: Side = Upp()
