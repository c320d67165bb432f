"""The overview: a light per flow, every known order in exactly one box, the guarded safety net."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import NOON, MakeShop
from tests.pages.conftest import Enter, Watch
from tests.pages.test_endpoints import EN, document, put, run
from tests.pages.test_problems import problem
from upbridge.pages.service import Pages
from upbridge.pages.views.overview import Light, Overviews, OverviewView
from upbridge.schema import ShopId


def link(shop_id: ShopId, target: str, key: str, **more: Any) -> dict[str, Any]:
    values = {"kind": "order", "key": key, "parent": key, "hash": b"h", "updated_at": NOON}
    return {"shop_id": shop_id, "target": target, **values, **more}


def connection(shop_id: ShopId, system: str, **more: Any) -> dict[str, Any]:
    values = {"state": "connected", "account": system, "connected_at": NOON}
    return {"shop_id": shop_id, "system": system, **values, **more}


async def look(pages: Pages, shop_id: ShopId) -> OverviewView:
    shop = await pages.shops.get(shop_id)
    return await Overviews(pages.engine, pages.connections, pages.ledger).of(shop, pages.clock())


def lights(view: OverviewView) -> dict[str, tuple[Light, str]]:
    return {flow.name: (flow.light, flow.reason) for flow in view.flows}


class TestBoxes:
    async def test_every_known_order_is_in_one_box_of_each_system_and_the_sums_are_equal(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        for owner in (shop_id, other):
            await put(engine, "connections", connection(owner, "upp"), connection(owner, "uphance"))
            await put(engine, "links", link(owner, "upp", "1"), link(owner, "uphance", "1"))
            await put(engine, "links", link(owner, "upp", "2"))
            await put(engine, "documents", document(owner, "uphance", "2", "parked"))
            await put(engine, "documents", document(owner, "uphance", "3", "sending"))
            await put(engine, "problems", problem(owner, "4", target="upgates", stage="read"))
            change = {"source": "upgates", "kind": "order", "origin": "webhook", "priority": 1}
            await put(engine, "changes", {"shop_id": owner, "key": "5", **change})
            await put(engine, "links", link(owner, "upp", "6"))
            await put(engine, "links", link(owner, "upp", "old", updated_at=NOON - timedelta(days=31)))

        view = await look(pages, shop_id)

        boxes = {one.system: (one.delivered, one.waiting, one.held, one.parked) for one in view.boxes}
        assert view.known == 6
        assert boxes == {"upp": (3, 1, 1, 1), "uphance": (1, 2, 1, 2)}
        assert all(one.total == view.known for one in view.boxes)

    async def test_a_shop_without_connections_is_told_what_will_be_there(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter
    ) -> None:
        page = (await browser.get(f"{await enter(await make_shop())}overview")).text

        assert EN.get("ui.boxes.nothing") in page
        assert EN.get("ui.days.nothing") in page


class TestLights:
    async def test_the_first_cause_is_the_reason(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop(settings={"uphance.send_orders": False})
        await put(engine, "connections", connection(shop_id, "upp"), connection(shop_id, "uphance"))
        await put(engine, "problems", problem(shop_id, "1", target="upp", kind="product"))
        await put(engine, "documents", document(shop_id, "upp", "2"))

        found = lights(await look(pages, shop_id))

        assert found["product.upp"] == (Light.WARN, "problems")
        assert found["order.upp"] == (Light.BUSY, "sending")
        assert found["order.uphance"] == (Light.OFF, "switched_off")
        assert found["stock.upgates"] == (Light.OFF, "switched_off")
        assert found["shipment.upgates"] == (Light.GOOD, "nothing_yet")

    async def test_a_refused_login_is_red_and_a_missing_one_is_off(
        self, pages: Pages, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        await put(engine, "connections", connection(shop_id, "upp", state="broken"))

        found = lights(await look(pages, shop_id))

        assert found["order.upp"] == (Light.BAD, "broken")
        assert found["order.uphance"] == (Light.OFF, "not_connected")

    async def test_nothing_flows_while_the_shop_is_suspended(self, pages: Pages, make_shop: MakeShop) -> None:
        found = lights(await look(pages, await make_shop(state="suspended", reason="refused")))

        assert set(found.values()) == {(Light.BAD, "stopped")}


class TestRunNow:
    @staticmethod
    async def nets(engine: AsyncEngine) -> int:
        async with engine.connect() as connected:
            return int(await connected.scalar(text("SELECT count(*) FROM runs WHERE purpose = 'safety_net'")) or 0)

    async def test_two_clicks_cast_one_net_and_it_rests_for_ten_minutes(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, watch: Watch
    ) -> None:
        home = await enter(await make_shop())
        first = await browser.post(f"{home}overview/run")
        second = await browser.post(f"{home}overview/run")
        assert "net_cast" in first.headers["location"]
        assert "net_rests" in second.headers["location"]
        assert await self.nets(engine) == 2  # orders and products
        async with engine.begin() as connected:
            await connected.execute(text("UPDATE runs SET state = 'done'"))

        watch.wait(minutes=9, seconds=59)
        assert "net_rests" in (await browser.post(f"{home}overview/run")).headers["location"]
        assert "disabled" in (await browser.get(f"{home}overview")).text
        watch.wait(seconds=1)

        assert "net_cast" in (await browser.post(f"{home}overview/run")).headers["location"]

    async def test_it_waits_for_a_net_that_is_out(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop(reconciled_at=NOON - timedelta(hours=5))
        await put(engine, "runs", {**run(shop_id, "order"), "purpose": "safety_net"})

        answer = await browser.post(f"{await enter(shop_id)}overview/run")

        assert "net_rests" in answer.headers["location"]

    @pytest.mark.parametrize("state", ["suspended", "uninstalled"])
    async def test_it_does_nothing_for_a_shop_that_stands_still(
        self, browser: httpx.AsyncClient, make_shop: MakeShop, enter: Enter, engine: AsyncEngine, state: str
    ) -> None:
        answer = await browser.post(f"{await enter(await make_shop(state=state))}overview/run")

        assert "net_stopped" in answer.headers["location"]
        assert await self.nets(engine) == 0
