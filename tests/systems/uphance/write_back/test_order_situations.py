"""What happens to an order that changes, at each moment of its life, through the whole engine."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.systems.uphance.write_back.connected_shop import ConnectedShop
from upbridge.engine.scheduler import start_reconciliation
from upbridge.store.changes import Kind, Origin

DOWN = {"error_share": 1.0, "error_status": 503}
UP = {"error_share": 0.0}


async def goods(connected: ConnectedShop) -> str:
    return (await connected.tracked())[0]


def raw(connected: ConnectedShop, number: str) -> dict[str, Any]:
    found: dict[str, Any] = connected.origin.orders[number]
    return found


async def edit(connected: ConnectedShop, number: str, **values: Any) -> None:
    """A person edits the order in the shop."""
    connected.edits.edit_order(connected.origin, raw(connected, number), values)
    await connected.deliver_webhooks()
    await connected.work()


async def edit_quantity(connected: ConnectedShop, number: str, quantity: int) -> None:
    connected.edits.edit_order_line(connected.origin, raw(connected, number), quantity)
    await connected.deliver_webhooks()
    await connected.work()


async def delete(connected: ConnectedShop, number: str) -> None:
    connected.edits.delete_order(connected.origin, raw(connected, number))
    await connected.deliver_webhooks()
    await connected.work()


async def tasks(connected: ConnectedShop) -> dict[str, dict[str, Any]]:
    """What staff have to do in Uphance, by cause."""
    found = await connected.service.problems.open(connected.shop_id)
    return {one.key: dict(one.params) for one in found if one.target == "uphance"}


def pieces(connected: ConnectedShop, number: str) -> list[int]:
    sale = connected.sale(number)
    return [entry["quantity"] for line in sale["line_items"] for entry in line["line_quantities"]]


async def safety_net(connected: ConnectedShop) -> None:
    """The day's safety net."""
    connected.watch.move(hours=24)
    async with connected.service.engine.begin() as tx:
        await start_reconciliation(tx, connected.shop_id, now=connected.watch())
    await connected.work()


async def settle_task(connected: ConnectedShop, key: str) -> None:
    """Staff have dealt with it."""
    [one] = [one for one in await connected.service.problems.open(connected.shop_id) if one.key == key]
    await connected.service.problem_actions.dismiss(one.id)
    await connected.work()


async def hours_later(connected: ConnectedShop) -> None:
    connected.watch.move(hours=6)
    await connected.work()


# --- before it was sent -------------------------------------------------------------------------------------


@pytest.mark.situation("edit.before", "down")
async def test_while_uphance_is_down_nothing_is_lost_and_the_newest_state_goes(connected: ConnectedShop) -> None:
    connected.world.faults["uphance"].set(DOWN)
    number = await connected.order(await goods(connected), 1)
    await edit_quantity(connected, number, 3)
    await hours_later(connected)
    assert connected.organisation.orders == {}

    connected.world.faults["uphance"].set(UP)
    await hours_later(connected)

    assert pieces(connected, number) == [3]
    assert await tasks(connected) == {}


@pytest.mark.situation("delete.before")
async def test_an_order_that_is_deleted_before_it_was_sent_never_goes(connected: ConnectedShop) -> None:
    connected.world.faults["uphance"].set(DOWN)
    number = await connected.order(await goods(connected))
    await delete(connected, number)
    connected.world.faults["uphance"].set(UP)
    await hours_later(connected)

    assert connected.organisation.orders == {}
    assert await tasks(connected) == {}


@pytest.mark.situation("status.not_yet")
async def test_an_order_waits_for_a_status_that_sends(connected: ConnectedShop) -> None:
    await connected.set(uphance__order_statuses="2")
    number = await connected.order(await goods(connected), status=1)
    assert connected.organisation.orders == {}

    await edit(connected, number, status_id=2)

    assert pieces(connected, number) == [1]


@pytest.mark.situation("sku.unknown")
async def test_an_order_with_unknown_goods_costs_no_call_and_goes_when_they_are_there(
    connected: ConnectedShop,
) -> None:
    code = await goods(connected)
    found = connected.organisation.sku((await connected.items())[code].sku_id)
    assert found is not None
    sku = found[2]
    known = dict(sku)
    sku.update({"sku_number": "ANOTHER", "ean": None})
    await connected.poll()
    items = await connected.rows("SELECT * FROM variants WHERE shop_id = :shop_id AND code = :code", code=code)
    number = await order_of(connected, items[0])
    held = await tasks(connected)
    connected.asked()
    await connected.mark("upgates", Kind.ORDER, number)
    await connected.work()
    calls = connected.asked("GET /sales_orders", "POST")

    sku.update(known)
    await connected.poll()

    assert (held["order.unknown_sku"]["codes"], calls) == (code, [])
    assert pieces(connected, number) == [1]
    assert await tasks(connected) == {}


async def order_of(connected: ConnectedShop, item: Any, **values: Any) -> str:
    """Sell an item whether it is matched or not; *values* are what the line says otherwise."""
    other = (await connected.tracked())[0]
    made = await connected.order(other, status=3)  # of a status that does not send
    line = raw(connected, made)["products"][0]
    line |= {"code": item.code, "title": item.code, "product_id": item.product_id}
    line["option_set_id"] = int(item.key[2:]) if item.key.startswith("v-") else None
    line |= values
    await edit(connected, made, status_id=1)
    return made


# --- after it was sent --------------------------------------------------------------------------------------


@pytest.mark.situation("edit.packed")
@pytest.mark.parametrize("moment", ["confirmed", "pick ticket", "shipped"])
async def test_what_staff_have_begun_is_never_changed_from_here(connected: ConnectedShop, moment: str) -> None:
    number = await connected.order(await goods(connected), 1)
    if moment == "confirmed":
        connected.confirm(number)
    else:
        ticket = connected.ticket(number)
        if moment == "shipped":
            connected.ship(ticket)
            await connected.poll()
    connected.asked()

    await edit_quantity(connected, number, 3)

    assert pieces(connected, number) == [1]
    assert connected.asked("POST /sales_orders", "PUT /sales_orders") == []
    assert (await tasks(connected))["order.changed_after_sending"]["differences"].startswith(
        raw(connected, number)["products"][0]["code"]
    )


@pytest.mark.situation("edit.address")
async def test_a_new_address_is_a_task_that_names_no_address(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    customer = {**raw(connected, number)["customer"], "street_invoice": "Tajná 7"}

    await edit(connected, number, customer=customer)

    task = (await tasks(connected))["order.changed_after_sending"]
    assert "billing" in task["differences"]
    assert "Tajná" not in str(task)
    assert connected.sale(number)["shipping_instructions"] != "Tajná 7"


@pytest.mark.situation("edit.reverted")
async def test_who_takes_the_change_back_has_the_task_withdrawn(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected), 1)
    await edit_quantity(connected, number, 3)
    assert [*await tasks(connected)] == ["order.changed_after_sending"]

    await edit_quantity(connected, number, 1)

    assert await tasks(connected) == {}
    assert await connected.rows("SELECT FROM documents WHERE shop_id = :shop_id AND kind = 'order'") == []


@pytest.mark.situation("status.only", "return")
async def test_a_new_status_payment_or_tracking_code_changes_nothing_in_uphance(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.asked()

    await edit(connected, number, status_id=3, paid_date="2026-11-25", tracking_code="RETURN-1")

    assert await tasks(connected) == {}
    assert connected.asked("POST", "PUT") == []


@pytest.mark.situation("cancel.after")
async def test_a_cancelled_draft_is_a_task_and_gives_its_pieces_back(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    code = await goods(connected)
    await connected.put({code: 50})
    number = await connected.order(code, 4)
    await connected.poll()
    reserved = connected.shown(code)

    await edit(connected, number, status_id=5)
    await connected.poll()

    assert (reserved, connected.shown(code)) == (46, 50)
    assert (await tasks(connected))["order.cancel_in_uphance"]["number"] == number
    assert connected.sale(number)["status"] == "draft"


@pytest.mark.situation("delete.after")
async def test_a_deleted_order_is_a_task_and_is_never_made_again(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    await delete(connected, number)

    assert [*await tasks(connected)] == ["order.cancel_in_uphance"]
    assert len(connected.organisation.orders) == 1


@pytest.mark.situation("delete.silent")
async def test_a_deletion_that_no_webhook_announced_is_a_task_after_the_next_safety_net(
    connected: ConnectedShop,
) -> None:
    number = await connected.order(await goods(connected))
    connected.ship(connected.ticket(number))
    await connected.poll()
    connected.edits.delete_order(connected.origin, raw(connected, number))
    connected.silence.said.clear()

    await safety_net(connected)

    assert (await tasks(connected))["order.cancel_in_uphance"]["number"] == number


@pytest.mark.situation("restore.after")
@pytest.mark.parametrize("handled", [False, True])
async def test_a_restored_order_takes_its_task_back(connected: ConnectedShop, *, handled: bool) -> None:
    number = await connected.order(await goods(connected))
    await delete(connected, number)
    if handled:
        await settle_task(connected, "order.cancel_in_uphance")

    connected.edits.restore_order(connected.origin, number)
    await connected.deliver_webhooks()
    await connected.work()

    # Where staff have cancelled it in Uphance, they have to know that it is wanted again.
    assert [*await tasks(connected)] == (["order.changed_after_sending"] if handled else [])
    assert len(connected.organisation.orders) == 1


@pytest.mark.situation("restore.before")
async def test_an_order_that_is_restored_before_it_was_sent_is_sent(connected: ConnectedShop) -> None:
    connected.world.faults["uphance"].set(DOWN)
    number = await connected.order(await goods(connected))
    await delete(connected, number)
    connected.edits.restore_order(connected.origin, number)
    await connected.deliver_webhooks()
    await connected.work()
    connected.world.faults["uphance"].set(UP)
    await hours_later(connected)

    assert pieces(connected, number) == [1]
    assert await tasks(connected) == {}


# --- who is who ----------------------------------------------------------------------------------------------


async def replace(connected: ConnectedShop, number: str) -> dict[str, Any]:
    """The order is deleted for good, and another one of two pieces is placed under its number."""
    former = raw(connected, number)
    other = connected.edits.replace_order(connected.origin, former)
    kept = ("uuid", "order_id", "creation_time", "last_update_time")
    other |= {name: value for name, value in former.items() if name not in kept}
    connected.edits.edit_order_line(connected.origin, other, 2)
    return other


@pytest.mark.situation("number.reused")
@pytest.mark.parametrize("told", [True, False], ids=["deletion_announced", "deletion_unseen"])
async def test_another_order_under_the_number_of_a_sent_one_is_neither_sent_nor_taken_for_it(
    connected: ConnectedShop, *, told: bool
) -> None:
    number = await connected.order(await goods(connected))
    ticket = connected.ticket(number)
    if told:
        await connected.mark("upgates", Kind.ORDER, number, origin=Origin.DELETION)
    await replace(connected, number)
    await connected.deliver_webhooks()
    await connected.work()
    await hours_later(connected)

    assert pieces(connected, number) == [1]
    found = await tasks(connected)
    assert found.keys() == {"order.cancel_in_uphance", "order.number_reused"}
    assert found["order.number_reused"]["number"] == number

    connected.ship(ticket)
    await connected.poll()
    assert connected.history(number) == []
    assert raw(connected, number)["tracking_code"] is None


@pytest.mark.situation("number.reused")
async def test_who_has_dealt_with_a_number_that_came_back_is_not_asked_again(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    await replace(connected, number)
    await connected.deliver_webhooks()
    await connected.work()

    await settle_task(connected, "order.number_reused")
    await settle_task(connected, "order.cancel_in_uphance")
    await edit(connected, number, internal_note="novinka")
    await safety_net(connected)

    assert await tasks(connected) == {}
    assert pieces(connected, number) == [1]


@pytest.mark.situation("number.reused")
async def test_another_order_under_the_number_of_one_that_was_not_sent_is_sent(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected), status=3)  # of a status that does not send

    other = await replace(connected, number)
    await edit(connected, number, status_id=1)

    assert other["uuid"] == raw(connected, number)["uuid"]
    assert pieces(connected, number) == [2]
    assert await tasks(connected) == {}


@pytest.mark.situation("number.changed")
@pytest.mark.parametrize("gone_first", [False, True])
async def test_an_order_that_gets_another_number_is_not_sent_twice(
    connected: ConnectedShop, *, gone_first: bool
) -> None:
    number = await connected.order(await goods(connected))
    order = raw(connected, number)
    if gone_first:
        connected.edits.delete_order(connected.origin, order)
        await connected.deliver_webhooks()
        await connected.work()
        assert (await tasks(connected)).keys() == {"order.cancel_in_uphance"}
        connected.origin.orders[number] = connected.origin.deleted_orders.pop(number)
    connected.asked()

    connected.edits.renumber_order(connected.origin, order, "R-1")
    await connected.deliver_webhooks()
    await connected.work()

    assert connected.asked("GET /orders") == [
        "GET /orders",
        "GET /orders",
    ]  # the former number is asked for as well
    await hours_later(connected)
    await safety_net(connected)
    assert len(connected.organisation.orders) == 1
    found = await tasks(connected)
    assert found.keys() == {"order.renumbered"}
    assert (found["order.renumbered"]["number"], found["order.renumbered"]["former"]) == ("R-1", number)


@pytest.mark.situation("number.changed")
async def test_what_changes_of_a_renumbered_order_is_a_task_like_that_of_any_other(
    connected: ConnectedShop,
) -> None:
    number = await connected.order(await goods(connected))
    connected.edits.renumber_order(connected.origin, raw(connected, number), "R-1")
    await connected.deliver_webhooks()
    await connected.work()

    await edit_quantity(connected, "R-1", 3)

    found = await tasks(connected)
    assert found.keys() == {"order.renumbered", "order.changed_after_sending"}
    changed = found["order.changed_after_sending"]
    assert changed["number"] == number
    assert [part.split(":")[0] for part in changed["differences"].split("; ")[1:]] == ["total"]

    await edit(connected, "R-1", status_id=5)

    assert (await tasks(connected)).keys() == {"order.renumbered", "order.cancel_in_uphance"}
    assert len(connected.organisation.orders) == 1


@pytest.mark.situation("number.changed")
async def test_what_was_shipped_of_a_renumbered_order_is_written_to_it(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.edits.renumber_order(connected.origin, raw(connected, number), "R-1")
    await connected.deliver_webhooks()
    await connected.work()

    connected.ship(connected.ticket(number))
    await connected.poll()

    assert raw(connected, "R-1")["tracking_code"] == "CZ1"
    assert connected.history("R-1") != []


@pytest.mark.situation("number.changed")
async def test_what_was_shipped_before_the_new_number_was_read_is_written_to_it(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    connected.edits.renumber_order(connected.origin, raw(connected, number), "R-1")
    connected.ship(connected.ticket(number))
    await connected.poll()
    for _ in range(6):  # until the order is believed to be gone
        connected.watch.move(minutes=6)
        await connected.work()

    await connected.deliver_webhooks()
    await connected.work()
    await connected.poll()

    assert raw(connected, "R-1")["tracking_code"] == "CZ1"
    assert len(connected.history("R-1")) == 1
    await edit(connected, "R-1", internal_note="x")
    await connected.poll()
    assert len(connected.history("R-1")) == 1


@pytest.mark.situation("number.changed")
async def test_an_order_that_gets_another_number_before_it_was_sent_is_sent_once_under_that(
    connected: ConnectedShop,
) -> None:
    number = await connected.order(await goods(connected), status=3)
    connected.edits.renumber_order(connected.origin, raw(connected, number), "R-1")
    await edit(connected, "R-1", status_id=1)
    await hours_later(connected)

    assert [one["purchase_order_ref"] for one in connected.organisation.orders.values()] == ["UPG-demo-R-1"]
    assert await tasks(connected) == {}


async def test_two_living_orders_with_one_uuid_are_two_orders(connected: ConnectedShop) -> None:
    number = await connected.order(await goods(connected))
    other = await connected.order(await goods(connected), status=3)
    raw(connected, other)["uuid"] = raw(connected, number)["uuid"]

    await edit(connected, other, status_id=1)

    assert len(connected.organisation.orders) == 2
    assert await tasks(connected) == {}


@pytest.mark.situation("sku.not_read")
@pytest.mark.parametrize("by", ["code", "ean"])
async def test_an_order_of_goods_that_were_never_read_has_them_read_in_one_call_and_goes(
    connected: ConnectedShop, by: str
) -> None:
    items = await connected.items()
    item = next(items[code] for code in await connected.tracked() if items[code].key.startswith("v-"))
    code = item.code
    _, _, sku = connected.organisation.sku(item.sku_id) or (None, None, {})
    [product] = [one for one in connected.origin.goods.products.values() if one["product_id"] == item.product_id]
    [shown] = [one for one in (*product["variants"], product) if one["code"] == code]
    shown["ean"] = sku["ean"] = "8590000000017"
    if by == "ean":
        sku["sku_number"] = "THEIRS"
        await connected.poll()
    async with connected.service.engine.begin() as tx:
        await tx.execute(text("DELETE FROM variants WHERE product_id = :id"), {"id": item.product_id})
    line = {"code": "FORMER", "ean": None} if by == "code" else {"code": None, "ean": "8590000000017"}
    connected.asked()

    number = await order_of(connected, item, **line)
    for _ in range(3):
        connected.watch.move(seconds=10)
        await connected.work()

    assert pieces(connected, number) == [1]
    assert connected.asked("GET /products") == ["GET /products"]
    assert await tasks(connected) == {}


@pytest.mark.situation("sku.gone")
async def test_goods_that_left_the_shop_before_their_order_was_read_are_found_by_what_they_were_called(
    connected: ConnectedShop,
) -> None:
    items = await connected.items()
    item = next(items[code] for code in await connected.tracked() if items[code].key.startswith("v-"))
    _, _, sku = connected.organisation.sku(item.sku_id) or (None, None, {})
    product = connected.origin.goods.products[item.product_id]
    [shown] = [one for one in product["variants"] if one["code"] == item.code]
    shown["ean"] = sku["ean"] = "8590000000017"
    sku["sku_number"] = "THEIRS"
    await connected.poll()
    await connected.mark("upgates", Kind.PRODUCT, str(item.product_id))
    await connected.work()
    connected.edits.delete_product(connected.origin, product)
    await connected.deliver_webhooks()
    await connected.work()

    number = await order_of(connected, item, ean="8590000000017")

    assert pieces(connected, number) == [1]
    assert await tasks(connected) == {}


@pytest.mark.situation("sku.not_read")
async def test_goods_that_the_shop_does_not_have_any_more_are_a_task_after_a_while(
    connected: ConnectedShop,
) -> None:
    code = await goods(connected)
    item = (await connected.items())[code]
    line = {"product_id": 999_999, "option_set_id": 999_999, "code": "GONE"}

    await order_of(connected, item, **line)
    assert await tasks(connected) == {}
    for _ in range(30):
        connected.watch.move(minutes=1)
        await connected.work()

    assert (await tasks(connected))["order.unknown_sku"]["codes"] == "GONE"


# --- goods ----------------------------------------------------------------------------------------------------


@pytest.mark.situation("product.missing")
async def test_a_missing_product_is_made_and_the_order_that_waited_for_it_goes(connected: ConnectedShop) -> None:
    code = await goods(connected)
    found = connected.organisation.sku((await connected.items())[code].sku_id)
    assert found is not None
    del connected.organisation.products[found[0]["id"]]
    await connected.poll()
    items = await connected.rows("SELECT * FROM variants WHERE shop_id = :shop_id AND code = :code", code=code)
    number = await order_of(connected, items[0])
    assert [*await tasks(connected)] == ["order.unknown_sku"]

    await connected.set(
        uphance__create_products="true",
        uphance__color_parameter="Barva",
        uphance__size_parameter="Velikost",
        uphance__season=str(connected.organisation.seasons[0]["id"]),
    )
    await connected.work()
    connected.watch.move(minutes=1)
    await connected.work()

    assert pieces(connected, number) == [1]
    assert "order.unknown_sku" not in await tasks(connected)
    every = [
        sku["sku_number"]
        for one in connected.organisation.products.values()
        for variation in one["variations"]
        for sku in variation["skus"]
    ]
    assert every.count(code) == 1


async def test_every_moment_that_is_kept_is_the_clocks(connected: ConnectedShop) -> None:
    """The shop's clock stands at a day on which the database's does not."""
    begun = connected.watch()
    number = await connected.order(await goods(connected))
    await edit_quantity(connected, number, 2)
    connected.ship(connected.ticket(number))
    await connected.poll()
    await connected.mark("upgates", Kind.ORDER, number)

    for table, column in (
        ("changes", "marked_at"),
        ("order_events", "at"),
        ("order_events", "since"),
        ("links", "updated_at"),
        ("documents", "since"),
        ("problems", "since"),
    ):
        [kept] = await connected.rows(
            f"SELECT min({column}) AS first, max({column}) AS last FROM {table} WHERE shop_id = :shop_id"
        )
        assert begun - timedelta(minutes=1) <= kept.first <= kept.last <= connected.watch(), f"{table}.{column}"
