"""Shipments on their way back, through the whole machinery: change, document, link."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.support.deliveries import read_connected
from tests.systems.uphance.write_back.connected_shop import ConnectedShop
from upbridge.domain.lane import Lane
from upbridge.store.changes import Kind
from upbridge.systems.uphance.shipments import STALE
from upbridge.systems.uphance.source import SOURCE as UPHANCE
from upbridge.systems.uphance.write_back import UphanceWriteBack
from upbridge_sandbox.uphance.tickets import make_ticket, ship

SECOND = timedelta(seconds=1)


async def goods(connected: ConnectedShop) -> str:
    return (await connected.tracked())[0]


async def webhook(connected: ConnectedShop, event: str, ticket: int) -> None:
    """Uphance tells of a ticket."""
    body = json.dumps({"event": event, "pick_ticket": {"id": ticket}}).encode()
    for kind, keys in read_connected(UPHANCE, body).keys.items():
        await connected.mark("uphance", kind, *keys)
    await connected.work()


async def moment_of(connected: ConnectedShop, kind: str) -> datetime:
    """When the one link of *kind* was last written."""
    [row] = await connected.rows(
        "SELECT updated_at FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = :kind"
        " AND key <> 'newest'",
        kind=kind,
    )
    moment: datetime = row.updated_at
    return moment


async def watched(connected: ConnectedShop) -> list[str]:
    """The tickets that are looked at again."""
    return [row.key for row in await connected.rows("SELECT key FROM links WHERE state = 'watched'")]


def shop_order(connected: ConnectedShop, number: str) -> dict[str, Any]:
    found: dict[str, Any] = connected.origin.orders[number]
    return found


@pytest.mark.situation("ship.all")
async def test_a_shipped_order_gets_its_status_and_number_in_the_shop(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))

    await connected.poll()

    order = shop_order(connected, number)
    assert (order["status_id"], order["tracking_code"]) == (4, "CZ1")
    assert order["external_order_number"] == connected.sale(number)["order_number"]
    assert len(connected.history(number)) == 1


async def test_a_webhook_saves_the_wait(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    connected.ship(ticket)

    await webhook(connected, "pick_ticket_update", ticket["id"])

    assert shop_order(connected, number)["status_id"] == 4


@dataclass
class Meanwhile(httpx.AsyncBaseTransport):
    """Before each call of Uphance, the shop is sent what waits for it, as another worker may do at any moment."""

    connected: ConnectedShop
    system: httpx.AsyncBaseTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.connected.work_slice(Lane.push(self.connected.shop_id, "upgates"))
        return await self.system.handle_async_request(request)


async def test_what_one_look_finds_costs_the_shop_one_read_and_one_change(connected: ConnectedShop) -> None:
    numbers = [await connected.order(await goods(connected)) for _ in range(4)]
    for number in numbers:
        connected.ship(connected.ticket(number))
    connected.network.uphance = Meanwhile(connected, connected.network.uphance)
    connected.asked()

    await connected.poll()

    assert connected.asked("GET /orders", "PUT /orders") == ["GET /orders", "PUT /orders"]
    assert [shop_order(connected, number)["status_id"] for number in numbers] == [4] * 4


@pytest.mark.situation("ship.part")
async def test_a_part_is_noted_and_the_rest_ends_it(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected), 3)
    connected.ship(connected.ticket(number, 2), "CZ1")
    await connected.poll()
    part = shop_order(connected, number)["status_id"], len(connected.history(number))
    await connected.poll()

    connected.ship(connected.ticket(number, 1), "CZ2")
    await connected.poll()

    assert part == (1, 1)
    assert (shop_order(connected, number)["status_id"], shop_order(connected, number)["tracking_code"]) == (
        4,
        "CZ1",
    )
    assert len(connected.history(number)) == 2


async def test_after_everything_is_shipped_no_call_is_made_but_the_periodic_ones(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    await connected.poll()
    await connected.deliver_webhooks()  # of our own writing
    await connected.work()
    await connected.poll()
    connected.asked()

    echoes = await connected.deliver_webhooks()
    await connected.work()
    await connected.poll()

    assert echoes == 0
    assert not [
        call
        for call in connected.asked()
        if "/pick_tickets" not in call and "/products" not in call and "/organisations" not in call
    ]


async def test_our_own_writing_is_no_change_of_the_order_for_uphance(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    await connected.poll()

    assert await connected.deliver_webhooks() > 0
    await connected.work()

    assert await connected.service.problems.open(connected.shop_id) == []
    assert await connected.rows("SELECT FROM documents WHERE shop_id = :shop_id") == []


async def test_what_waits_to_be_shipped_is_looked_at_in_few_calls(connected: ConnectedShop) -> None:
    code = await goods(connected)
    numbers = [await connected.order(code) for _ in range(7)]
    for number in numbers:
        connected.ticket(number)
    await connected.poll()
    connected.asked()

    await connected.poll()

    assert connected.asked("GET /sales_orders", "GET /pick_tickets") == [
        "GET /sales_orders",
        "GET /pick_tickets",
        "GET /pick_tickets",
    ]


async def test_a_ticket_that_is_older_than_the_newest_is_found_when_it_is_shipped(
    connected: ConnectedShop,
) -> None:
    code = await goods(connected)
    slow, fast = await connected.order(code), await connected.order(code)
    ticket = connected.ticket(slow)
    connected.ship(connected.ticket(fast))
    await connected.poll()

    connected.ship(ticket, "CZ9")
    await connected.poll()

    assert shop_order(connected, slow)["tracking_code"] == "CZ9"


@pytest.mark.situation("ship.number")
async def test_a_number_that_comes_after_the_parcel_has_left_is_written_too(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    connected.ship(ticket, None)
    await connected.poll()
    without = shop_order(connected, number)["tracking_code"]

    ticket |= {"tracking_number": "CZ5", "updated_at": "2030-01-01T00:00:00.000000Z"}
    await connected.poll()

    assert not without
    assert shop_order(connected, number)["tracking_code"] == "CZ5"
    assert len(connected.history(number)) == 1


@pytest.mark.situation("ship.wholesale")
async def test_wholesale_orders_are_passed_over_in_silence(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    wholesale = {
        **connected.sale(number),
        "id": 9_999_001,
        "purchase_order_ref": "SHOP IN BRNO",
        "order_number": "W1",
    }
    connected.organisation.orders[9_999_001] = wholesale
    ticket = make_ticket(wholesale, connected.organisation, connected.world.uphance)
    ship(ticket, connected.organisation, connected.world.uphance, "W", "ppl")

    await connected.poll()
    await webhook(connected, "pick_ticket_update", ticket["id"])

    assert shop_order(connected, number)["status_id"] == 1
    assert await connected.problems() == {}
    assert connected.asked("PUT") == []


@pytest.mark.situation("ship.deleted")
async def test_a_deleted_ticket_that_was_written_is_reported(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    connected.ship(ticket)
    await connected.poll()
    del connected.organisation.tickets[ticket["id"]]

    await webhook(connected, "pick_ticket_delete", ticket["id"])

    assert (await connected.problems())["shipment.taken_back"].params["number"] == number
    assert shop_order(connected, number)["status_id"] == 4


async def test_a_deleted_ticket_that_was_never_shipped_is_no_news(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    await connected.poll()
    del connected.organisation.tickets[ticket["id"]]

    await webhook(connected, "pick_ticket_delete", ticket["id"])
    await connected.poll()

    assert await connected.problems() == {}
    assert shop_order(connected, number)["status_id"] == 1


@pytest.mark.situation("ship.mail")
async def test_the_mail_to_the_shopper_is_the_shops_choice(connected: ConnectedShop) -> None:
    await connected.set(shipments__notify="true")
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    bodies: list[dict[str, Any]] = []

    def look(request: httpx.Request) -> None:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))

    connected.network.lose = look
    await connected.poll()

    assert [(body["send_emails_yn"], body["send_sms_yn"]) for body in bodies] == [(True, True)]


async def test_what_was_shipped_before_uphance_was_connected_mails_no_shopper(connected: ConnectedShop) -> None:
    await connected.set(shipments__notify="true")
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    connected.ship(ticket)
    ticket["created_at"] = "2026-01-01T00:00:00.000Z"
    bodies: list[dict[str, Any]] = []

    def look(request: httpx.Request) -> None:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))

    connected.network.lose = look
    await connected.poll()

    assert shop_order(connected, number)["status_id"] == 4
    assert [body["send_emails_yn"] for body in bodies] == [False]


async def test_switched_off_nothing_is_asked_and_switched_on_all_of_it_follows(connected: ConnectedShop) -> None:
    await connected.set(shipments__write="false")
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    connected.asked()
    await connected.poll()
    asked = connected.asked("GET /pick_tickets", "GET /sales_orders", "PUT")

    await connected.set(shipments__write="true")
    await connected.work()

    assert asked == []
    assert shop_order(connected, number)["status_id"] == 4


async def test_what_waited_when_it_was_switched_off_follows_when_it_is_on_again(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    connected.origin.refuse_puts.add(number)
    await connected.poll()
    assert "shipment.refused" in await connected.problems()

    await connected.set(shipments__write="false")
    connected.origin.refuse_puts.clear()
    await connected.work()
    await connected.set(shipments__write="true", shipments__status="4")
    await connected.work()

    assert shop_order(connected, number)["status_id"] == 4
    assert await connected.problems() == {}


@pytest.mark.situation("ship.all")
async def test_a_chosen_status_takes_effect_by_itself(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.origin.refuse_puts.add(number)
    connected.ship(connected.ticket(number))
    await connected.poll()
    refused = set(await connected.problems())
    connected.origin.refuse_puts.clear()

    await connected.set(shipments__status="4")
    await connected.work()

    assert refused == {"shipment.refused"}
    assert shop_order(connected, number)["status_id"] == 4
    assert await connected.problems() == {}


@pytest.mark.situation("ship.canceled")
async def test_a_canceled_order_is_left_alone_and_told(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    connected.edits.edit_order(connected.origin, shop_order(connected, number), {"status_id": 5})
    connected.ship(ticket)

    await connected.poll()

    assert "shipment.order_canceled" in await connected.problems()
    assert shop_order(connected, number)["status_id"] == 5


@pytest.mark.parametrize("end", ["/orders", "/history"])
async def test_a_lost_answer_writes_nothing_twice(connected: ConnectedShop, end: str) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    left = [True]

    def lose(request: httpx.Request) -> Exception | None:
        if left and request.method in ("PUT", "POST") and request.url.path.endswith(end):
            left.clear()
            return httpx.ReadError("cut")
        return None

    connected.network.lose = lose
    await connected.poll()
    for _ in range(4):
        connected.watch.move(minutes=3)
        await connected.work()

    assert left == []
    assert shop_order(connected, number)["status_id"] == 4
    assert len(connected.history(number)) == 1
    assert await connected.rows("SELECT FROM documents WHERE shop_id = :shop_id") == []


@pytest.mark.situation("draft.deleted")
async def test_an_order_that_staff_deleted_in_uphance_is_not_asked_for_again(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    del connected.organisation.orders[connected.sale(number)["id"]]
    await connected.poll()
    connected.asked()

    await connected.poll()

    assert connected.asked("GET /sales_orders") == []


@pytest.mark.parametrize(("waited", "asked"), [(STALE - SECOND, True), (STALE, False)])
async def test_what_never_moves_is_not_asked_for_for_ever(
    connected: ConnectedShop, waited: timedelta, asked: bool
) -> None:
    await connected.order(await goods(connected))
    delivered = await moment_of(connected, "order")
    connected.watch.now = delivered + waited - timedelta(hours=1)
    await connected.poll()  # it has looked for new names in orders today
    connected.watch.now = delivered + waited
    connected.asked()

    await connected.poll()

    assert bool(connected.asked("GET /sales_orders")) is asked


async def test_a_look_that_finds_news_is_the_new_beginning_of_the_wait(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.watch.move(days=STALE.days - 1)
    connected.confirm(number)
    await connected.poll()

    assert await moment_of(connected, "order") == connected.watch()


async def test_a_ticket_that_is_watched_for_too_long_is_forgotten(connected: ConnectedShop) -> None:
    connected.ticket(await connected.order(await goods(connected)))
    await connected.poll()
    assert len(await watched(connected)) == 1
    assert await moment_of(connected, "pick_ticket") == connected.watch()
    connected.watch.move(days=STALE.days, seconds=1)

    await connected.poll()

    assert await watched(connected) == []


async def test_a_disconnected_uphance_has_nothing_to_say(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    await connected.set(stock__write="true")
    connected.origin.refuse_puts.add(number)
    connected.ship(connected.ticket(number))
    await connected.poll()
    await connected.service.connections.disconnect(
        connected.shop_id, "uphance", now=connected.watch(), forget=UphanceWriteBack().forget
    )

    await connected.mark("uphance", Kind.PICK_TICKETS, "poll", "17")
    await connected.mark("uphance", Kind.CATALOGUE, "catalogue")
    await connected.work()

    assert await connected.rows("SELECT FROM documents WHERE shop_id = :shop_id AND target = 'upgates'") == []
    assert await connected.rows("SELECT FROM changes WHERE shop_id = :shop_id AND source = 'uphance'") == []
    assert await connected.problems() == {}
