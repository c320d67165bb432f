"""The engine between a simulated shop and a simulated Uphance, both as strict as their rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text

from tests.support.broken import broken, shows
from tests.support.clock import MovableClock
from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.store import changes
from upbridge.store.changes import Kind, Origin
from upbridge.store.problem_queries import Problem
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.worker_container import WorkerContainer
from upbridge_sandbox.changes import Changes
from upbridge_sandbox.shop import Shop as SandboxShop
from upbridge_sandbox.state import State
from upbridge_sandbox.uphance.organisations import Organisation
from upbridge_sandbox.uphance.tickets import confirm, make_ticket, ship

API = "https://demo.admin.s24.upgates.com"
UPHANCE = "http://uphance.test"
NUMBERS = ("in_stock", "available_to_sell", "available_to_sell_from_stock")


Json = dict[str, Any]


Fault = Callable[[httpx.Request], Exception | None]


@dataclass
class Network(httpx.AsyncBaseTransport):
    """Brings each call to the simulated system that it is for, and remembers it; `lose` may cut its answer, and a
    thing of Uphance may break each answer that shows it (`broken`: how, its list, its id)."""

    upgates: httpx.AsyncBaseTransport
    uphance: httpx.AsyncBaseTransport
    calls: list[str] = field(default_factory=list)
    lose: Fault = lambda _: None
    broken: tuple[str, str, int] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        system = self.uphance if request.url.host == "uphance.test" else self.upgates
        path = request.url.path.removeprefix("/api/v2")
        self.calls.append(f"{request.method} {path}")
        answer = await system.handle_async_request(request)
        if (cut := self.lose(request)) is not None:
            raise cut
        if self.broken is not None and request.method == "GET" and path.startswith(self.broken[1]):
            await answer.aread()
            if shows(answer, "id", self.broken[2]):
                return broken(self.broken[0], request, answer)
        return answer


class Silence:
    """Keeps what would be announced: a test delivers it when it wants to."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def announce(self, shop: SandboxShop, event: str, key: str, body: Json, *, array: str = "") -> None:
        self.said.append((event, key))


@dataclass
class ConnectedShop:
    """One shop, connected to its Uphance."""

    service: WorkerContainer
    shop_id: ShopId
    world: State
    origin: SandboxShop
    organisation: Organisation
    network: Network
    silence: Silence
    edits: Changes
    watch: MovableClock

    # --- the machinery ----------------------------------------------------------------------------------------

    def restart(self) -> None:
        """A new process goes on: what the old one only had in its head is gone."""
        target = UphanceTarget.stored(self.service.http, UPHANCE, self.service.engine, self.watch)
        self.service = replace(self.service, targets={"uphance": target})

    async def shop(self) -> Shop:
        return await self.service.shops.get(self.shop_id)

    async def set(self, **texts: str) -> None:
        """Change settings as typed (`stock__write="true"`)."""
        await self.service.settings_editor.change(
            await self.shop(), {name.replace("__", "."): value for name, value in texts.items()}
        )

    async def work(self) -> None:
        """Until nothing is left that could be done now."""
        for _ in range(60):
            due = await lanes.due(self.service.engine, self.service.systems, now=self.watch(), only=self.shop_id)
            if not due:
                return
            for lane in due:
                await self.work_slice(lane)
        raise AssertionError("the work does not end")

    async def work_slice(self, lane: Lane) -> None:
        async with lanes.exclusive(self.service.engine, lane) as guard:
            assert guard is not None
            await (
                self.service.puller.pull(lane, guard)
                if lane.direction == "pull"
                else self.service.pusher.push(lane, guard)
            )

    async def poll(self) -> None:
        """The schedule's moment has come: read Uphance, and do what follows."""
        await self.mark("uphance", Kind.CATALOGUE, "catalogue", origin=Origin.SCHEDULE)
        await self.work()

    async def mark(self, source: str, kind: Kind, *keys: str, origin: Origin = Origin.WEBHOOK) -> None:
        """Say that something may have changed; what a burst of webhooks has announced was gathered by now."""
        gathered = timedelta(seconds=self.service.settings.coalesce_seconds)
        async with self.service.engine.begin() as tx:
            await changes.mark_changed(
                tx, self.shop_id, source, kind, keys, origin=origin, now=self.watch() - gathered
            )

    async def deliver_webhooks(self) -> int:
        """What the shop has announced since the last time; returns how many."""
        said, self.silence.said = self.silence.said, []
        for event, key in said:
            kind = Kind.ORDER if event.startswith("Orders") else Kind.PRODUCT
            deleted = event.lower().endswith(".delete")
            await self.mark("upgates", kind, key, origin=Origin.DELETION if deleted else Origin.WEBHOOK)
        return len(said)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.service.engine.connect() as tx:
            return list(await tx.execute(text(query), {"shop_id": self.shop_id, **values}))

    async def problems(self) -> dict[str, Problem]:
        """Open problems about what goes back, by key."""
        found = await self.service.problems.open(self.shop_id)
        seeded = ("stock.ambiguous", "stock.no_code")  # the simulated catalogue has some of each
        return {one.key: one for one in found if one.target == "upgates" and one.key not in seeded}

    async def unmatched(self) -> dict[str, int]:
        """How many items can never be written, by cause."""
        found = await self.service.problems.open(self.shop_id)
        return {one.key: one.params["number"] for one in found if one.stage == "map" and one.target == "upgates"}

    async def retry(self, key: str) -> None:
        await self.service.problem_actions.retry((await self.problems())[key].id)
        await self.work()

    async def dismiss(self, key: str) -> None:
        await self.service.problem_actions.dismiss((await self.problems())[key].id)
        await self.work()

    def asked(self, *starts: str) -> list[str]:
        """The calls since the last time that begin so."""
        made, self.network.calls = self.network.calls, []
        return [call for call in made if call.startswith(starts or ("",))]

    # --- the shop and its Uphance -----------------------------------------------------------------------------

    async def order(
        self,
        goods: str,
        quantity: int = 1,
        *,
        status: int = 1,
        customer: Json | None = None,
        voucher: str | None = None,
    ) -> str:
        """Sell *quantity* of the item with that code, to *customer*: an order of one line. Returns its number."""
        made = self.edits.create_order(self.origin)
        made["customer"] = {**made["customer"], **(customer or {})}
        line = made["products"][0]
        item = (await self.items())[goods]
        made["products"] = [line]
        for name in ("discount_voucher", "quantity_discount", "loyalty_points"):
            made[name] = None
        if voucher is not None:
            nothing = {"price": 0, "price_with_vat": 0, "price_without_vat": 0, "vat": 0}
            made["discount_voucher"] = {"code": voucher, "amount": 0, "type": "price", "discounts": [nothing]}
        line |= {"type": "product", "code": goods, "ean": None, "title": goods, "configurations": []}
        line |= {"product_id": item.product_id, "parent_uuid": None, "recycling_fee": None}
        line["option_set_id"] = int(item.key[2:]) if item.key.startswith("v-") else None
        line |= dict.fromkeys(("price_per_unit", "price_per_unit_with_vat"), 121)
        line |= {"price_per_unit_without_vat": 100, "vat": 21, "quantity": quantity}
        line |= {"price": 121 * quantity, "price_with_vat": 121 * quantity, "price_without_vat": 100 * quantity}
        free = {"price": 0, "price_with_vat": 0, "price_without_vat": 0, "vat": 0}
        made["shipment"] |= {"name": "PPL", "affiliate_id": None, "affiliate_name": None, **free}
        made["payment"] |= {"name": "Kartou", **free}
        made |= {"currency_id": "CZK", "language_id": "cs", "prices_with_vat_yn": True, "status_id": status}
        made |= {"order_total": 121 * quantity, "order_total_before_round": 121 * quantity, "order_total_rest": 0}
        made["external_order_number"] = None
        await self.deliver_webhooks()
        await self.work()
        return str(made["order_number"])

    async def items(self) -> dict[str, Any]:
        """The shop's matched items as we know them, by code."""
        rows = await self.rows(
            "SELECT i.*, s.sku_id FROM variants i JOIN skus s ON s.shop_id = i.shop_id"
            " AND lower(s.sku_number) = lower(i.code) WHERE i.shop_id = :shop_id ORDER BY i.code"
        )
        return {row.code: row for row in rows}

    async def tracked(self) -> list[str]:
        """The codes of items whose stock can be written."""
        rows = await self.rows(
            """
            SELECT min(i.code) AS code FROM variants i
            JOIN skus s ON s.shop_id = i.shop_id AND (lower(s.sku_number) = lower(i.code) OR s.ean = i.ean)
            WHERE i.shop_id = :shop_id AND i.stock IS NOT NULL AND i.stock_own
            GROUP BY s.sku_id HAVING count(DISTINCT i.key) = 1 AND min(lower(i.code)) = min(lower(s.sku_number))
            ORDER BY 1
            """
        )
        return [row.code for row in rows]

    def shown(self, code: str) -> Any:
        """The stock of an item as the shop itself has it."""
        for product in self.origin.goods.products.values():
            for one in (*product["variants"], product):
                if one["code"] == code:
                    return one["stock"]
        raise KeyError(code)

    async def put(self, numbers: dict[str, int]) -> None:
        """Say in Uphance how many there are of these."""
        items = await self.items()
        for code, number in numbers.items():
            found = self.organisation.sku(items[code].sku_id)
            assert found is not None
            found[2].update(dict.fromkeys(NUMBERS, number))

    async def agree(self) -> None:
        """Let Uphance say what the shop shows, everywhere."""
        rows = await self.rows(
            "SELECT s.sku_id, i.stock FROM variants i JOIN skus s ON s.shop_id = i.shop_id"
            " AND (lower(s.sku_number) = lower(i.code) OR s.ean = i.ean)"
            " WHERE i.shop_id = :shop_id AND i.stock IS NOT NULL AND i.stock_own"
        )
        for row in rows:
            found = self.organisation.sku(row.sku_id)
            assert found is not None
            found[2].update(dict.fromkeys(NUMBERS, int(row.stock)))

    def sale(self, number: str) -> Json:
        """The sales order of an order."""
        wanted = f"UPG-demo-{number}"
        found = [one for one in self.organisation.orders.values() if one["purchase_order_ref"] == wanted]
        assert len(found) == 1
        return found[0]

    def confirm(self, number: str) -> None:
        """Staff confirm the draft."""
        confirm(self.sale(number), self.organisation, self.world.uphance)

    def ticket(self, number: str, pieces: int | None = None) -> Json:
        """Staff make a pick ticket for the order, or for so many pieces of its one line."""
        sale = self.sale(number)
        sku = sale["line_items"][0]["line_quantities"][0]["sku_id"]
        wanted = None if pieces is None else {sku: pieces}
        return make_ticket(sale, self.organisation, self.world.uphance, pieces=wanted)

    def ship(self, ticket: Json, tracking: str | None = "CZ1") -> None:
        """The parcel leaves."""
        ship(ticket, self.organisation, self.world.uphance, tracking, "ppl")

    def history(self, number: str) -> list[str]:
        """The names of the notes in the order's history."""
        events: Iterable[Json] = self.origin.history.get(number, [])
        return [entry["name"] for event in events for entry in event["data"]]
