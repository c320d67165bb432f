"""What happens to an order that changes, at each moment of its life, through the whole engine."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.systems.uphance.write_back.town import Town
from upbridge.engine.scheduler import start_reconciliation
from upbridge.operations import resolve_problem
from upbridge.store.changes import Kind, Origin

DOWN = {"error_share": 1.0, "error_status": 503}
UP = {"error_share": 0.0}


async def goods(town: Town) -> str:
    return (await town.tracked())[0]


def raw(town: Town, number: str) -> dict[str, Any]:
    found: dict[str, Any] = town.origin.orders[number]
    return found


async def edit(town: Town, number: str, **values: Any) -> None:
    """A person edits the order in the shop."""
    town.edits.edit_order(town.origin, raw(town, number), values)
    await town.deliver_webhooks()
    await town.work()


async def edit_quantity(town: Town, number: str, quantity: int) -> None:
    town.edits.edit_order_line(town.origin, raw(town, number), quantity)
    await town.deliver_webhooks()
    await town.work()


async def delete(town: Town, number: str) -> None:
    town.edits.delete_order(town.origin, raw(town, number))
    await town.deliver_webhooks()
    await town.work()


async def tasks(town: Town) -> dict[str, dict[str, Any]]:
    """What staff have to do in Uphance, by cause."""
    found = await town.service.problems.open(town.shop_id)
    return {one.key: dict(one.params) for one in found if one.target == "uphance"}


def pieces(town: Town, number: str) -> list[int]:
    sale = town.sale(number)
    return [entry["quantity"] for line in sale["line_items"] for entry in line["line_quantities"]]


async def safety_net(town: Town) -> None:
    """The day's safety net."""
    town.watch.move(hours=24)
    async with town.service.engine.begin() as tx:
        await start_reconciliation(tx, town.shop_id, now=town.watch())
    await town.work()


async def settle_task(town: Town, key: str) -> None:
    """Staff have dealt with it."""
    [one] = [one for one in await town.service.problems.open(town.shop_id) if one.key == key]
    await resolve_problem.dismiss(town.service, one.id)
    await town.work()


async def hours_later(town: Town) -> None:
    town.watch.move(hours=6)
    await town.work()


# --- before it was sent -------------------------------------------------------------------------------------


@pytest.mark.situation("edit.before", "down")
async def test_while_uphance_is_down_nothing_is_lost_and_the_newest_state_goes(town: Town) -> None:
    town.world.faults["uphance"].set(DOWN)
    number = await town.order(await goods(town), 1)
    await edit_quantity(town, number, 3)
    await hours_later(town)
    assert town.organisation.orders == {}

    town.world.faults["uphance"].set(UP)
    await hours_later(town)

    assert pieces(town, number) == [3]
    assert await tasks(town) == {}


@pytest.mark.situation("delete.before")
async def test_an_order_that_is_deleted_before_it_was_sent_never_goes(town: Town) -> None:
    town.world.faults["uphance"].set(DOWN)
    number = await town.order(await goods(town))
    await delete(town, number)
    town.world.faults["uphance"].set(UP)
    await hours_later(town)

    assert town.organisation.orders == {}
    assert await tasks(town) == {}


@pytest.mark.situation("status.not_yet")
async def test_an_order_waits_for_a_status_that_sends(town: Town) -> None:
    await town.set(uphance__order_statuses="2")
    number = await town.order(await goods(town), status=1)
    assert town.organisation.orders == {}

    await edit(town, number, status_id=2)

    assert pieces(town, number) == [1]


@pytest.mark.situation("sku.unknown")
async def test_an_order_with_unknown_goods_costs_no_call_and_goes_when_they_are_there(town: Town) -> None:
    code = await goods(town)
    found = town.organisation.sku((await town.items())[code].sku_id)
    assert found is not None
    sku = found[2]
    known = dict(sku)
    sku.update({"sku_number": "ANOTHER", "ean": None})
    await town.poll()
    items = await town.rows("SELECT * FROM variants WHERE shop_id = :shop_id AND code = :code", code=code)
    number = await order_of(town, items[0])
    held = await tasks(town)
    town.asked()
    await town.hint("upgates", Kind.ORDER, number)
    await town.work()
    calls = town.asked("GET /sales_orders", "POST")

    sku.update(known)
    await town.poll()

    assert (held["order.unknown_sku"]["codes"], calls) == (code, [])
    assert pieces(town, number) == [1]
    assert await tasks(town) == {}


async def order_of(town: Town, item: Any, **values: Any) -> str:
    """Sell an item whether it is matched or not; *values* are what the line says otherwise."""
    other = (await town.tracked())[0]
    made = await town.order(other, status=3)  # of a status that does not send
    line = raw(town, made)["products"][0]
    line |= {"code": item.code, "title": item.code, "product_id": item.product_id}
    line["option_set_id"] = int(item.key[2:]) if item.key.startswith("v-") else None
    line |= values
    await edit(town, made, status_id=1)
    return made


# --- after it was sent --------------------------------------------------------------------------------------


@pytest.mark.situation("edit.packed")
@pytest.mark.parametrize("moment", ["confirmed", "pick ticket", "shipped"])
async def test_what_staff_have_begun_is_never_changed_from_here(town: Town, moment: str) -> None:
    number = await town.order(await goods(town), 1)
    if moment == "confirmed":
        town.confirm(number)
    else:
        ticket = town.ticket(number)
        if moment == "shipped":
            town.ship(ticket)
            await town.poll()
    town.asked()

    await edit_quantity(town, number, 3)

    assert pieces(town, number) == [1]
    assert town.asked("POST /sales_orders", "PUT /sales_orders") == []
    assert (await tasks(town))["order.changed_after_sending"]["differences"].startswith(
        raw(town, number)["products"][0]["code"]
    )


@pytest.mark.situation("edit.address")
async def test_a_new_address_is_a_task_that_names_no_address(town: Town) -> None:
    number = await town.order(await goods(town))
    customer = {**raw(town, number)["customer"], "street_invoice": "Tajná 7"}

    await edit(town, number, customer=customer)

    task = (await tasks(town))["order.changed_after_sending"]
    assert "billing" in task["differences"]
    assert "Tajná" not in str(task)
    assert town.sale(number)["shipping_instructions"] != "Tajná 7"


@pytest.mark.situation("edit.reverted")
async def test_who_takes_the_change_back_has_the_task_withdrawn(town: Town) -> None:
    number = await town.order(await goods(town), 1)
    await edit_quantity(town, number, 3)
    assert [*await tasks(town)] == ["order.changed_after_sending"]

    await edit_quantity(town, number, 1)

    assert await tasks(town) == {}
    assert await town.rows("SELECT FROM documents WHERE shop_id = :shop_id AND kind = 'order'") == []


@pytest.mark.situation("status.only", "return")
async def test_a_new_status_payment_or_tracking_code_changes_nothing_over_there(town: Town) -> None:
    number = await town.order(await goods(town))
    town.asked()

    await edit(town, number, status_id=3, paid_date="2026-11-25", tracking_code="RETURN-1")

    assert await tasks(town) == {}
    assert town.asked("POST", "PUT") == []


@pytest.mark.situation("cancel.after")
async def test_a_cancelled_draft_is_a_task_and_gives_its_pieces_back(town: Town) -> None:
    await town.set(stock__write="true")
    code = await goods(town)
    await town.put({code: 50})
    number = await town.order(code, 4)
    await town.poll()
    reserved = town.shown(code)

    await edit(town, number, status_id=5)
    await town.poll()

    assert (reserved, town.shown(code)) == (46, 50)
    assert (await tasks(town))["order.cancel_in_uphance"]["number"] == number
    assert town.sale(number)["status"] == "draft"


@pytest.mark.situation("delete.after")
async def test_a_deleted_order_is_a_task_and_is_never_made_again(town: Town) -> None:
    number = await town.order(await goods(town))
    await delete(town, number)

    assert [*await tasks(town)] == ["order.cancel_in_uphance"]
    assert len(town.organisation.orders) == 1


@pytest.mark.situation("delete.silent")
async def test_a_deletion_that_no_webhook_announced_is_a_task_after_the_next_safety_net(town: Town) -> None:
    number = await town.order(await goods(town))
    town.ship(town.ticket(number))
    await town.poll()
    town.edits.delete_order(town.origin, raw(town, number))
    town.silence.said.clear()

    await safety_net(town)

    assert (await tasks(town))["order.cancel_in_uphance"]["number"] == number


@pytest.mark.situation("restore.after")
@pytest.mark.parametrize("handled", [False, True])
async def test_a_restored_order_takes_its_task_back(town: Town, *, handled: bool) -> None:
    number = await town.order(await goods(town))
    await delete(town, number)
    if handled:
        await settle_task(town, "order.cancel_in_uphance")

    town.edits.restore_order(town.origin, number)
    await town.deliver_webhooks()
    await town.work()

    # Where staff have cancelled it in Uphance, they have to know that it is wanted again.
    assert [*await tasks(town)] == (["order.changed_after_sending"] if handled else [])
    assert len(town.organisation.orders) == 1


@pytest.mark.situation("restore.before")
async def test_an_order_that_is_restored_before_it_was_sent_is_sent(town: Town) -> None:
    town.world.faults["uphance"].set(DOWN)
    number = await town.order(await goods(town))
    await delete(town, number)
    town.edits.restore_order(town.origin, number)
    await town.deliver_webhooks()
    await town.work()
    town.world.faults["uphance"].set(UP)
    await hours_later(town)

    assert pieces(town, number) == [1]
    assert await tasks(town) == {}


# --- who is who ----------------------------------------------------------------------------------------------


async def replace(town: Town, number: str) -> dict[str, Any]:
    """The order is deleted for good, and another one of two pieces is placed under its number."""
    former = raw(town, number)
    other = town.edits.replace_order(town.origin, former)
    kept = ("uuid", "order_id", "creation_time", "last_update_time")
    other |= {name: value for name, value in former.items() if name not in kept}
    town.edits.edit_order_line(town.origin, other, 2)
    return other


@pytest.mark.situation("number.reused")
@pytest.mark.parametrize("told", [True, False], ids=["deletion_announced", "deletion_unseen"])
async def test_another_order_under_the_number_of_a_sent_one_is_neither_sent_nor_taken_for_it(
    town: Town, *, told: bool
) -> None:
    number = await town.order(await goods(town))
    ticket = town.ticket(number)
    if told:
        await town.hint("upgates", Kind.ORDER, number, origin=Origin.DELETION)
    await replace(town, number)
    await town.deliver_webhooks()
    await town.work()
    await hours_later(town)

    assert pieces(town, number) == [1]
    found = await tasks(town)
    assert found.keys() == {"order.cancel_in_uphance", "order.number_reused"}
    assert found["order.number_reused"]["number"] == number

    town.ship(ticket)
    await town.poll()
    assert town.history(number) == []
    assert raw(town, number)["tracking_code"] is None


@pytest.mark.situation("number.reused")
async def test_who_has_dealt_with_a_number_that_came_back_is_not_asked_again(town: Town) -> None:
    number = await town.order(await goods(town))
    await replace(town, number)
    await town.deliver_webhooks()
    await town.work()

    await settle_task(town, "order.number_reused")
    await settle_task(town, "order.cancel_in_uphance")
    await edit(town, number, internal_note="novinka")
    await safety_net(town)

    assert await tasks(town) == {}
    assert pieces(town, number) == [1]


@pytest.mark.situation("number.reused")
async def test_another_order_under_the_number_of_one_that_was_not_sent_is_sent(town: Town) -> None:
    number = await town.order(await goods(town), status=3)  # of a status that does not send

    other = await replace(town, number)
    await edit(town, number, status_id=1)

    assert other["uuid"] == raw(town, number)["uuid"]
    assert pieces(town, number) == [2]
    assert await tasks(town) == {}


@pytest.mark.situation("number.changed")
@pytest.mark.parametrize("gone_first", [False, True])
async def test_an_order_that_gets_another_number_is_not_sent_twice(town: Town, *, gone_first: bool) -> None:
    number = await town.order(await goods(town))
    order = raw(town, number)
    if gone_first:
        town.edits.delete_order(town.origin, order)
        await town.deliver_webhooks()
        await town.work()
        assert (await tasks(town)).keys() == {"order.cancel_in_uphance"}
        town.origin.orders[number] = town.origin.deleted_orders.pop(number)
    town.asked()

    town.edits.renumber_order(town.origin, order, "R-1")
    await town.deliver_webhooks()
    await town.work()

    assert town.asked("GET /orders") == ["GET /orders", "GET /orders"]  # the former number is asked for as well
    await hours_later(town)
    await safety_net(town)
    assert len(town.organisation.orders) == 1
    found = await tasks(town)
    assert found.keys() == {"order.renumbered"}
    assert (found["order.renumbered"]["number"], found["order.renumbered"]["former"]) == ("R-1", number)


@pytest.mark.situation("number.changed")
async def test_what_was_shipped_of_a_renumbered_order_is_written_to_it(town: Town) -> None:
    number = await town.order(await goods(town))
    town.edits.renumber_order(town.origin, raw(town, number), "R-1")
    await town.deliver_webhooks()
    await town.work()

    town.ship(town.ticket(number))
    await town.poll()

    assert raw(town, "R-1")["tracking_code"] == "CZ1"
    assert town.history("R-1") != []


@pytest.mark.situation("number.changed")
async def test_an_order_that_gets_another_number_before_it_was_sent_is_sent_once_under_that(town: Town) -> None:
    number = await town.order(await goods(town), status=3)
    town.edits.renumber_order(town.origin, raw(town, number), "R-1")
    await edit(town, "R-1", status_id=1)
    await hours_later(town)

    assert [one["purchase_order_ref"] for one in town.organisation.orders.values()] == ["UPG-demo-R-1"]
    assert await tasks(town) == {}


async def test_two_living_orders_with_one_uuid_are_two_orders(town: Town) -> None:
    number = await town.order(await goods(town))
    other = await town.order(await goods(town), status=3)
    raw(town, other)["uuid"] = raw(town, number)["uuid"]

    await edit(town, other, status_id=1)

    assert len(town.organisation.orders) == 2
    assert await tasks(town) == {}


@pytest.mark.situation("sku.not_read")
@pytest.mark.parametrize("by", ["code", "ean"])
async def test_an_order_of_goods_that_were_never_read_has_them_read_in_one_call_and_goes(
    town: Town, by: str
) -> None:
    items = await town.items()
    item = next(items[code] for code in await town.tracked() if items[code].key.startswith("v-"))
    code = item.code
    _, _, sku = town.organisation.sku(item.sku_id) or (None, None, {})
    [product] = [one for one in town.origin.goods.products.values() if one["product_id"] == item.product_id]
    [shown] = [one for one in (*product["variants"], product) if one["code"] == code]
    shown["ean"] = sku["ean"] = "8590000000017"
    if by == "ean":
        sku["sku_number"] = "THEIRS"
        await town.poll()
    async with town.service.engine.begin() as tx:
        await tx.execute(text("DELETE FROM variants WHERE product_id = :id"), {"id": item.product_id})
    line = {"code": "FORMER", "ean": None} if by == "code" else {"code": None, "ean": "8590000000017"}
    town.asked()

    number = await order_of(town, item, **line)
    for _ in range(3):
        town.watch.move(seconds=10)
        await town.work()

    assert pieces(town, number) == [1]
    assert town.asked("GET /products") == ["GET /products"]
    assert await tasks(town) == {}


@pytest.mark.situation("sku.gone")
async def test_goods_that_left_the_shop_before_their_order_was_read_are_found_by_what_they_were_called(
    town: Town,
) -> None:
    items = await town.items()
    item = next(items[code] for code in await town.tracked() if items[code].key.startswith("v-"))
    _, _, sku = town.organisation.sku(item.sku_id) or (None, None, {})
    product = town.origin.goods.products[item.product_id]
    [shown] = [one for one in product["variants"] if one["code"] == item.code]
    shown["ean"] = sku["ean"] = "8590000000017"
    sku["sku_number"] = "THEIRS"
    await town.poll()
    await town.hint("upgates", Kind.PRODUCT, str(item.product_id))
    await town.work()
    town.edits.delete_product(town.origin, product)
    await town.deliver_webhooks()
    await town.work()

    number = await order_of(town, item, ean="8590000000017")

    assert pieces(town, number) == [1]
    assert await tasks(town) == {}


@pytest.mark.situation("sku.not_read")
async def test_goods_that_the_shop_does_not_have_any_more_are_a_task_after_a_while(town: Town) -> None:
    code = await goods(town)
    item = (await town.items())[code]
    line = {"product_id": 999_999, "option_set_id": 999_999, "code": "GONE"}

    await order_of(town, item, **line)
    assert await tasks(town) == {}
    for _ in range(30):
        town.watch.move(minutes=1)
        await town.work()

    assert (await tasks(town))["order.unknown_sku"]["codes"] == "GONE"


# --- goods ----------------------------------------------------------------------------------------------------


@pytest.mark.situation("product.missing")
async def test_a_missing_product_is_made_and_the_order_that_waited_for_it_goes(town: Town) -> None:
    code = await goods(town)
    found = town.organisation.sku((await town.items())[code].sku_id)
    assert found is not None
    del town.organisation.products[found[0]["id"]]
    await town.poll()
    items = await town.rows("SELECT * FROM variants WHERE shop_id = :shop_id AND code = :code", code=code)
    number = await order_of(town, items[0])
    assert [*await tasks(town)] == ["order.unknown_sku"]

    await town.set(
        uphance__create_products="true",
        uphance__color_parameter="Barva",
        uphance__size_parameter="Velikost",
        uphance__season=str(town.organisation.seasons[0]["id"]),
    )
    await town.work()
    town.watch.move(minutes=1)
    await town.work()

    assert pieces(town, number) == [1]
    assert "order.unknown_sku" not in await tasks(town)
    every = [
        sku["sku_number"]
        for one in town.organisation.products.values()
        for variation in one["variations"]
        for sku in variation["skus"]
    ]
    assert every.count(code) == 1


async def test_every_moment_that_is_kept_is_the_clocks(town: Town) -> None:
    """The town's clock stands at a day on which the database's does not."""
    begun = town.watch()
    number = await town.order(await goods(town))
    await edit_quantity(town, number, 2)
    town.ship(town.ticket(number))
    await town.poll()
    await town.hint("upgates", Kind.ORDER, number)

    for table, column in (
        ("changes", "hinted_at"),
        ("order_events", "at"),
        ("order_events", "since"),
        ("links", "updated_at"),
        ("documents", "since"),
        ("problems", "since"),
    ):
        [kept] = await town.rows(
            f"SELECT min({column}) AS first, max({column}) AS last FROM {table} WHERE shop_id = :shop_id"
        )
        assert begun - timedelta(minutes=1) <= kept.first <= kept.last <= town.watch(), f"{table}.{column}"
