"""What keeps us from hearing of changes is an alarm the moment it is known, and no longer than it lasts."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine
from upbridge.domain.lane import Lane
from upbridge.domain.purpose import Purpose
from upbridge.engine.lanes import block
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import flow_states, see
from upbridge.store.changes import Kind
from upbridge.store.connections import connections_of


@pytest.fixture
def rare(machine: Engine) -> dict[str, Any]:
    """What the shop says of itself, to be changed."""
    machine.upgates.rare = dict(machine.upgates.rare)
    return machine.upgates.rare


def rights(**services: str) -> Mapping[str, object]:
    return {"services": [{"service": name, "privilege": privilege} for name, privilege in services.items()]}


async def renew(machine: Engine) -> None:
    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()


async def compare(machine: Engine) -> None:
    await machine.mark(Kind.WEBHOOKS, "webhooks")
    await machine.drain()


async def alarms(machine: Engine) -> list[tuple[str, str]]:
    return [(problem.key, problem.entity) for problem in await machine.problems()]


async def light_of_orders(machine: Engine) -> tuple[Light, str]:
    async with machine.db.connect() as tx:
        seen = await see(tx, machine.service.systems, machine.shop_id)
        rows = await connections_of(tx, machine.shop_id)
    states = flow_states(machine.service.systems, await machine.shop(), rows, seen, machine.watch())
    return next((one.light, one.reason) for one in states if one.name == "order.upp")


@pytest.mark.situation("shop.silent")
async def test_a_shop_that_fails_is_silent_and_one_that_says_later_has_no_calls_left(machine: Engine) -> None:
    machine.upgates.order("A")
    answers = [httpx.Response(500)]
    machine.upgates.judges.append(lambda _: answers[0])
    await machine.mark(Kind.ORDER, "A")
    await machine.pull()
    assert await light_of_orders(machine) == (Light.ATTENTION, "shop_silent")

    for _ in range(4):
        machine.watch.move(minutes=6)
        await machine.pull()
    assert await light_of_orders(machine) == (Light.STOPPED, "shop_silent")

    answers[0] = httpx.Response(429, headers={"Retry-After": "600"})
    machine.watch.move(hours=2)
    await machine.pull()
    assert await light_of_orders(machine) == (Light.BUSY, "budget")


async def test_a_page_of_a_list_that_fails_makes_no_silent_shop(machine: Engine) -> None:
    lane = Lane.pull(machine.shop_id, "upgates")
    await block(machine.db, lane, reason="500", now=machine.watch(), priority=int(Purpose.SAFETY))

    assert await light_of_orders(machine) == (Light.OK, "nothing_yet")


@pytest.mark.situation("right.denied")
async def test_a_right_that_was_taken_away_is_an_alarm_before_anything_is_read_and_until_it_is_back(
    machine: Engine, rare: dict[str, Any]
) -> None:
    rare["/status"] = rights(orders="deny", products="readonly")
    await renew(machine)
    assert await alarms(machine) == [("shop.no_right", "orders")]

    rare["/status"] = rights(orders="readonly", products="readonly")
    await renew(machine)
    assert await alarms(machine) == []


async def test_a_right_that_no_connected_system_needs_is_no_alarm(machine: Engine, rare: dict[str, Any]) -> None:
    await machine.run("DELETE FROM connections WHERE shop_id = :shop_id")
    rare["/status"] = rights(orders="deny")

    await renew(machine)

    assert await alarms(machine) == []


@pytest.mark.situation("webhooks.inactive")
async def test_webhooks_that_we_may_not_have_are_an_alarm_and_come_back_with_the_right(
    machine: Engine, rare: dict[str, Any]
) -> None:
    events = [{"name": "Orders.create", "allowed_yn": False}, {"name": "Products.update", "allowed_yn": True}]
    rare["/webhooks/events"] = {"events": events}
    await compare(machine)
    assert await alarms(machine) == [("shop.webhooks_inactive", "orders")]

    rare["/webhooks/events"] = {"events": [{**one, "allowed_yn": True} for one in events]}
    rare["/status"] = rights(orders="all", products="all")
    await renew(machine)  # the rights have changed: that alone has the webhooks compared
    assert await alarms(machine) == []
    assert {hook["event"] for hook in machine.upgates.hooks} == {"Orders.create", "Products.update"}


async def test_a_right_that_is_missing_is_reported_once_and_not_as_missing_webhooks_too(
    machine: Engine, rare: dict[str, Any]
) -> None:
    rare["/webhooks/events"] = {
        "events": [{"name": "Orders.create", "allowed_yn": False}, {"name": "Products.update"}]
    }
    rare["/status"] = rights(orders="deny")

    await renew(machine)
    await compare(machine)

    assert await alarms(machine) == [("shop.no_right", "orders")]
