"""Shipments on their way back, through the whole machinery: change, document, link."""

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.systems.uphance.write_back.town import Town
from upbridge.store.changes import Kind
from upbridge.systems.uphance.shipments import STALE
from upbridge.systems.uphance.source import SOURCE as UPHANCE
from upbridge.systems.uphance.write_back import UphanceWriteBack
from upbridge.webhooks.parsing import read_connected
from upbridge_sandbox.uphance.tickets import make_ticket, ship

SECOND = timedelta(seconds=1)


async def goods(town: Town) -> str:
    return (await town.tracked())[0]


async def webhook(town: Town, event: str, ticket: int) -> None:
    """Uphance tells of a ticket."""
    body = json.dumps({"event": event, "pick_ticket": {"id": ticket}}).encode()
    for kind, keys in read_connected(UPHANCE, body).keys.items():
        await town.hint("uphance", kind, *keys)
    await town.work()


async def moment_of(town: Town, kind: str) -> datetime:
    """When the one link of *kind* was last written."""
    [row] = await town.rows(
        "SELECT updated_at FROM links WHERE shop_id = :shop_id AND target = 'uphance' AND kind = :kind"
        " AND key <> 'newest'",
        kind=kind,
    )
    moment: datetime = row.updated_at
    return moment


async def watched(town: Town) -> list[str]:
    """The tickets that are looked at again."""
    return [row.key for row in await town.rows("SELECT key FROM links WHERE state = 'watched'")]


def shop_order(town: Town, number: str) -> dict[str, Any]:
    found: dict[str, Any] = town.origin.orders[number]
    return found


@pytest.mark.situation("ship.all")
async def test_a_shipped_order_gets_its_status_and_number_in_the_shop(town: Town) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))

    await town.poll()

    order = shop_order(town, number)
    assert (order["status_id"], order["tracking_code"]) == (4, "CZ1")
    assert order["external_order_number"] == town.sale(number)["order_number"]
    assert len(town.history(number)) == 1


async def test_a_webhook_saves_the_wait(town: Town) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    town.ship(ticket)

    await webhook(town, "pick_ticket_update", ticket["id"])

    assert shop_order(town, number)["status_id"] == 4


@pytest.mark.situation("ship.part")
async def test_a_part_is_noted_and_the_rest_ends_it(town: Town) -> None:
    number = await town.order(await goods(town), 3)
    town.ship(town.ticket(number, 2), "CZ1")
    await town.poll()
    part = shop_order(town, number)["status_id"], len(town.history(number))
    await town.poll()

    town.ship(town.ticket(number, 1), "CZ2")
    await town.poll()

    assert part == (1, 1)
    assert (shop_order(town, number)["status_id"], shop_order(town, number)["tracking_code"]) == (4, "CZ1")
    assert len(town.history(number)) == 2


async def test_after_everything_is_shipped_no_call_is_made_but_the_periodic_ones(town: Town) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    await town.poll()
    await town.deliver_webhooks()  # of our own writing
    await town.work()
    await town.poll()
    town.asked()

    echoes = await town.deliver_webhooks()
    await town.work()
    await town.poll()

    assert echoes == 0
    assert not [
        call
        for call in town.asked()
        if "/pick_tickets" not in call and "/products" not in call and "/organisations" not in call
    ]


async def test_our_own_writing_is_no_change_of_the_order_for_uphance(town: Town) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    await town.poll()

    assert await town.deliver_webhooks() > 0
    await town.work()

    assert await town.service.problems.open(town.shop_id) == []
    assert await town.rows("SELECT FROM documents WHERE shop_id = :shop_id") == []


async def test_what_waits_to_be_shipped_is_looked_at_in_few_calls(town: Town) -> None:
    code = await goods(town)
    numbers = [await town.order(code) for _ in range(7)]
    for number in numbers:
        town.ticket(number)
    await town.poll()
    town.asked()

    await town.poll()

    assert town.asked("GET /sales_orders", "GET /pick_tickets") == [
        "GET /sales_orders",
        "GET /pick_tickets",
        "GET /pick_tickets",
    ]


async def test_a_ticket_that_is_older_than_the_newest_is_found_when_it_is_shipped(town: Town) -> None:
    code = await goods(town)
    slow, fast = await town.order(code), await town.order(code)
    ticket = town.ticket(slow)
    town.ship(town.ticket(fast))
    await town.poll()

    town.ship(ticket, "CZ9")
    await town.poll()

    assert shop_order(town, slow)["tracking_code"] == "CZ9"


@pytest.mark.situation("ship.number")
async def test_a_number_that_comes_after_the_parcel_has_left_is_written_too(town: Town) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    town.ship(ticket, None)
    await town.poll()
    without = shop_order(town, number)["tracking_code"]

    ticket |= {"tracking_number": "CZ5", "updated_at": "2030-01-01T00:00:00.000000Z"}
    await town.poll()

    assert not without
    assert shop_order(town, number)["tracking_code"] == "CZ5"
    assert len(town.history(number)) == 1


@pytest.mark.situation("ship.wholesale")
async def test_wholesale_orders_are_passed_over_in_silence(town: Town) -> None:
    number = await town.order(await goods(town))
    wholesale = {**town.sale(number), "id": 9_999_001, "purchase_order_ref": "SHOP IN BRNO", "order_number": "W1"}
    town.organisation.orders[9_999_001] = wholesale
    ticket = make_ticket(wholesale, town.organisation, town.world.uphance)
    ship(ticket, town.organisation, town.world.uphance, "W", "ppl")

    await town.poll()
    await webhook(town, "pick_ticket_update", ticket["id"])

    assert shop_order(town, number)["status_id"] == 1
    assert await town.problems() == {}
    assert town.asked("PUT") == []


@pytest.mark.situation("ship.deleted")
async def test_a_deleted_ticket_that_was_written_is_told(town: Town) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    town.ship(ticket)
    await town.poll()
    del town.organisation.tickets[ticket["id"]]

    await webhook(town, "pick_ticket_delete", ticket["id"])

    assert (await town.problems())["shipment.taken_back"].params["number"] == number
    assert shop_order(town, number)["status_id"] == 4


async def test_a_deleted_ticket_that_was_never_shipped_is_no_news(town: Town) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    await town.poll()
    del town.organisation.tickets[ticket["id"]]

    await webhook(town, "pick_ticket_delete", ticket["id"])
    await town.poll()

    assert await town.problems() == {}
    assert shop_order(town, number)["status_id"] == 1


@pytest.mark.situation("ship.mail")
async def test_the_mail_to_the_shopper_is_the_shops_choice(town: Town) -> None:
    await town.set(shipments__notify="true")
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    bodies: list[dict[str, Any]] = []

    def look(request: httpx.Request) -> None:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))

    town.network.lose = look
    await town.poll()

    assert [(body["send_emails_yn"], body["send_sms_yn"]) for body in bodies] == [(True, True)]


async def test_what_was_shipped_before_uphance_was_connected_tells_nobody(town: Town) -> None:
    await town.set(shipments__notify="true")
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    town.ship(ticket)
    ticket["created_at"] = "2026-01-01T00:00:00.000Z"
    bodies: list[dict[str, Any]] = []

    def look(request: httpx.Request) -> None:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))

    town.network.lose = look
    await town.poll()

    assert shop_order(town, number)["status_id"] == 4
    assert [body["send_emails_yn"] for body in bodies] == [False]


async def test_switched_off_nothing_is_asked_and_switched_on_all_of_it_follows(town: Town) -> None:
    await town.set(shipments__write="false")
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    town.asked()
    await town.poll()
    asked = town.asked("GET /pick_tickets", "GET /sales_orders", "PUT")

    await town.set(shipments__write="true")
    await town.work()

    assert asked == []
    assert shop_order(town, number)["status_id"] == 4


async def test_what_waited_when_it_was_switched_off_follows_when_it_is_on_again(town: Town) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    await town.set(shipments__status="77")
    await town.poll()
    assert "shipment.refused" in await town.problems()

    await town.set(shipments__write="false")
    await town.work()
    await town.set(shipments__write="true", shipments__status="4")
    await town.work()

    assert shop_order(town, number)["status_id"] == 4
    assert await town.problems() == {}


@pytest.mark.situation("ship.all")
async def test_a_chosen_status_takes_effect_by_itself(town: Town) -> None:
    number = await town.order(await goods(town))
    town.origin.refuse_puts.add(number)
    town.ship(town.ticket(number))
    await town.poll()
    refused = set(await town.problems())
    town.origin.refuse_puts.clear()

    await town.set(shipments__status="4")
    await town.work()

    assert refused == {"shipment.refused"}
    assert shop_order(town, number)["status_id"] == 4
    assert await town.problems() == {}


@pytest.mark.situation("ship.canceled")
async def test_a_canceled_order_is_left_alone_and_told(town: Town) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    town.edits.edit_order(town.origin, shop_order(town, number), {"status_id": 5})
    town.ship(ticket)

    await town.poll()

    assert "shipment.order_canceled" in await town.problems()
    assert shop_order(town, number)["status_id"] == 5


@pytest.mark.parametrize("end", ["/orders", "/history"])
async def test_a_lost_answer_writes_nothing_twice(town: Town, end: str) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    left = [True]

    def lose(request: httpx.Request) -> Exception | None:
        if left and request.method in ("PUT", "POST") and request.url.path.endswith(end):
            left.clear()
            return httpx.ReadError("cut")
        return None

    town.network.lose = lose
    await town.poll()
    for _ in range(4):
        town.watch.move(minutes=3)
        await town.work()

    assert left == []
    assert shop_order(town, number)["status_id"] == 4
    assert len(town.history(number)) == 1
    assert await town.rows("SELECT FROM documents WHERE shop_id = :shop_id") == []


@pytest.mark.situation("draft.deleted")
async def test_an_order_that_staff_deleted_in_uphance_is_not_asked_for_again(town: Town) -> None:
    number = await town.order(await goods(town))
    del town.organisation.orders[town.sale(number)["id"]]
    await town.poll()
    town.asked()

    await town.poll()

    assert town.asked("GET /sales_orders") == []


@pytest.mark.parametrize(("waited", "asked"), [(STALE - SECOND, True), (STALE, False)])
async def test_what_never_moves_is_not_asked_for_for_ever(town: Town, waited: timedelta, asked: bool) -> None:
    await town.order(await goods(town))
    delivered = await moment_of(town, "order")
    town.watch.now = delivered + waited
    town.asked()

    await town.poll()

    assert bool(town.asked("GET /sales_orders")) is asked


async def test_a_look_that_finds_news_is_the_new_beginning_of_the_wait(town: Town) -> None:
    number = await town.order(await goods(town))
    town.watch.move(days=STALE.days - 1)
    town.confirm(number)
    await town.poll()

    assert await moment_of(town, "order") == town.watch()


async def test_a_ticket_that_is_watched_for_too_long_is_forgotten(town: Town) -> None:
    town.ticket(await town.order(await goods(town)))
    await town.poll()
    assert len(await watched(town)) == 1
    assert await moment_of(town, "pick_ticket") == town.watch()
    town.watch.move(days=STALE.days, seconds=1)

    await town.poll()

    assert await watched(town) == []


async def test_a_disconnected_uphance_has_nothing_to_say(town: Town) -> None:
    number = await town.order(await goods(town))
    await town.set(shipments__status="77", stock__write="true")
    town.ship(town.ticket(number))
    await town.poll()
    await town.service.connections.disconnect(
        town.shop_id, "uphance", now=town.watch(), forget=UphanceWriteBack().forget
    )

    await town.hint("uphance", Kind.PICK_TICKETS, "poll", "17")
    await town.hint("uphance", Kind.CATALOGUE, "catalogue")
    await town.work()

    assert await town.rows("SELECT FROM documents WHERE shop_id = :shop_id AND target = 'upgates'") == []
    assert await town.rows("SELECT FROM changes WHERE shop_id = :shop_id AND source = 'uphance'") == []
    assert await town.problems() == {}
