"""Uphance: orders of the shop as drafts, where nothing that creates may be repeated blindly."""

from dataclasses import dataclass

from tests.conformance.stage import Stage
from tests.conformance.systems import Side
from tests.support.connecting import connect_uphance
from upbridge_sandbox.demo import compare, uphance_rules
from upbridge_sandbox.demo.compare import Verdict
from upbridge_sandbox.seed.plan import PASSWORD


@dataclass
class Uphance:
    """The organisation 501 of the user `demo@uphance.test`."""

    system: str = "uphance"

    async def connect(self, stage: Stage) -> None:
        await connect_uphance(
            stage.service, await stage.shop(), email="demo@uphance.test", password=PASSWORD, organisation=501
        )
        await stage.set(uphance__orders_from="2020-01-01")

    def happen(self, stage: Stage, seed: int) -> None:
        for _ in range(6):
            stage.edits.create_order(stage.origin)
        stage.edits.many(stage.origin, 25, seed)

    async def verdicts(self, stage: Stage) -> list[Verdict]:
        goods, told, company = stage.goods(), await stage.told(), stage.organisation
        catalogue = uphance_rules.Skus(list(company.products.values()), company.channels)
        orders = list(company.orders.values())
        return [
            compare.uphance_orders(goods, orders, catalogue, told, "demo"),
            compare.uphance_customers(goods, orders, list(company.customers.values()), "demo"),
        ]

    def refuse(self, stage: Stage) -> str:
        number = str(stage.edits.create_order(stage.origin)["order_number"])
        stage.world.faults["uphance"].refuse = [f"UPG-demo-{number}"]
        return number

    def accept(self, stage: Stage) -> None:
        stage.world.faults["uphance"].refuse = []

    def expire(self, stage: Stage) -> None:
        stage.world.uphance.expire_tokens()

    def lock_out(self, stage: Stage) -> None:
        stage.world.uphance.tokens.clear()

    def let_in(self, stage: Stage) -> None:
        """A new login is all that it takes."""


SIDE: Side = Uphance()
