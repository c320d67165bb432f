"""Abacus, the tests' own third system: a page for each order and each product on sale."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.conformance.systems import Side
from tests.conformance.testbed import Json, Testbed
from tests.conformance.third_system.simulated import KEY
from upbridge_sandbox.demo.compare import DIFFERENT, LOST, UNWANTED, Origin, Verdict
from upbridge_sandbox.seed.orders import CANCELED


@dataclass
class Abacus:
    """The account `demo`."""

    system: str = "abacus"

    async def connect(self, testbed: Testbed) -> None:
        typed = {"abacus_account": "demo", "abacus_key": testbed.book.key}
        await testbed.service.connection_editor.connect(await testbed.shop(), "abacus", typed)

    def happen(self, testbed: Testbed, seed: int) -> None:
        testbed.edits.many(testbed.origin, 25, seed)

    async def verdicts(self, testbed: Testbed) -> list[Verdict]:
        return [_orders(testbed.goods(), testbed.book.pages), _products(testbed.goods(), testbed.book.pages)]

    def refuse(self, testbed: Testbed) -> str:
        number = str(testbed.edits.create_order(testbed.origin)["order_number"])
        testbed.book.refuse = {number}
        return number

    def accept(self, testbed: Testbed) -> None:
        testbed.book.refuse = set()

    def expire(self, testbed: Testbed) -> None:
        """There are no tokens; what comes nearest is that Abacus has no time."""
        testbed.world.faults["abacus"].busy_next = 1

    def lock_out(self, testbed: Testbed) -> None:
        testbed.book.key = "another"

    def let_in(self, testbed: Testbed) -> None:
        testbed.book.key = KEY


def _orders(origin: Origin, pages: dict[tuple[str, str], Json]) -> Verdict:
    held = {key: page for (kind, key), page in pages.items() if kind == "orders"}
    verdict = Verdict("orders → Abacus", copies=len(held))
    for number, order in origin.orders.items():
        page = held.get(number)
        if order["status_id"] == CANCELED:
            continue  # what was written of it before stays
        verdict.origins += 1
        if page is None:
            verdict.add(LOST, number)
        elif page != _page(order):
            verdict.add(DIFFERENT, number, f"{page} is not {_page(order)}")
    for number, page in held.items():
        if page not in map(_page, origin.versions.get(number, ())):
            verdict.add(UNWANTED, number, f"it was never {page}")
    return verdict


def _page(order: Json) -> Json:
    return {"number": order["order_number"], "status": order["status_id"], "lines": len(order["products"])}


def _products(origin: Origin, pages: dict[tuple[str, str], Json]) -> Verdict:
    held = {key: page for (kind, key), page in pages.items() if kind == "products"}
    verdict = Verdict("products → Abacus", copies=len(held))
    on_sale = dict(_on_sale(origin))
    verdict.origins = len(on_sale)
    for key, title in on_sale.items():
        wanted = {"id": int(key), "title": title, "on_sale": True}
        if key not in held:
            verdict.add(LOST, key)
        elif held[key] != wanted:
            verdict.add(DIFFERENT, key, f"{held[key]} is not {wanted}")
    for key, page in held.items():
        if key not in on_sale and page["on_sale"]:
            verdict.add(UNWANTED, key, "it is not on sale")
    return verdict


def _on_sale(origin: Origin) -> Iterator[tuple[str, str]]:
    for product in origin.products:
        if product["active_yn"] and not product["archived_yn"]:
            titles = {text["language"]: text["title"] for text in product["descriptions"]}
            yield str(product["product_id"]), titles[origin.market.language]


SIDE: Side = Abacus()
