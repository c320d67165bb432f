"""Upp.ai: products and orders of the shop, repeated at will."""

from dataclasses import dataclass

from tests.conformance.stage import Stage
from tests.conformance.systems import Side
from tests.support.connecting import connect_upp
from upbridge_sandbox.demo import compare, upp_rules
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.seed.plan import SECRET


@dataclass
class Upp:
    """The tenant `upp-demo`."""

    system: str = "upp"

    async def connect(self, stage: Stage) -> None:
        await connect_upp(
            stage.service, await stage.shop(), client_id="upp-demo", client_secret=stage.tenant.secret
        )

    def happen(self, stage: Stage, seed: int) -> None:
        stage.edits.many(stage.origin, 25, seed)

    async def verdicts(self, stage: Stage) -> list[Verdict]:
        goods, told = stage.goods(), await stage.told()
        return [
            compare.upp_products(goods, stage.tenant.products, told),
            compare.upp_orders(goods, stage.tenant.orders),
        ]

    def refuse(self, stage: Stage) -> str:
        order = next(one for one in reversed(stage.origin.orders.values()) if upp_rules.order_wanted(one))
        stage.edits.edit_order_line(stage.origin, order, order["products"][0]["quantity"] + 1)
        stage.world.faults["upp"].refuse = [order["order_number"]]
        return str(order["order_number"])

    def accept(self, stage: Stage) -> None:
        stage.world.faults["upp"].refuse = []

    def expire(self, stage: Stage) -> None:
        stage.tenant.tokens.clear()

    def lock_out(self, stage: Stage) -> None:
        stage.tenant.secret = "another"
        stage.tenant.tokens.clear()

    def let_in(self, stage: Stage) -> None:
        stage.tenant.secret = SECRET


SIDE: Side = Upp()
