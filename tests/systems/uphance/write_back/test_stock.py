"""Stock on its way back, through the whole machinery: change, document, link."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.systems.uphance.write_back.connected_shop import ConnectedShop
from upbridge.domain.history import What
from upbridge.domain.lane import Lane
from upbridge.domain.sku import code_key
from upbridge.engine import lanes
from upbridge.store import history, sku_matching
from upbridge.store.changes import Kind
from upbridge.store.lanes import Block, blocks_of
from upbridge_sandbox.shop import Tariff


async def blocks(connected: ConnectedShop) -> list[Block]:
    async with connected.service.engine.connect() as tx:
        return list((await blocks_of(tx, connected.shop_id, now=connected.watch())).values())


async def note(connected: ConnectedShop, code: str) -> dict[str, Any]:
    key = (await connected.items())[code].key
    rows = await connected.rows(
        "SELECT metadata FROM links WHERE target = 'upgates' AND kind = 'stock' AND key = :k", k=key
    )
    found: dict[str, Any] = rows[0].metadata
    return found


async def outbox(connected: ConnectedShop) -> dict[str, str]:
    rows = await connected.rows("SELECT key, state FROM documents WHERE shop_id = :shop_id AND target = 'upgates'")
    return {row.key: row.state for row in rows}


async def test_a_number_that_changed_in_uphance_is_shown_in_the_shop(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    connected.asked()

    await connected.poll()

    assert connected.shown(code) == 77
    assert connected.asked("PUT") == ["PUT /products"]


async def test_the_history_tells_what_a_run_has_written_and_what_stood_before(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    one, other = (await connected.tracked())[:2]
    before = connected.shown(one), connected.shown(other)
    connected.watch.move(minutes=15)
    await connected.put({one: 77, other: 0})

    await connected.poll()

    async with connected.service.engine.connect() as tx:
        newest = (await history.latest(tx, connected.shop_id, limit=1))[0]
        run = datetime.fromisoformat(newest.subject)
        written = await history.stock_of_run(tx, connected.shop_id, run, limit=10)
    assert (newest.what, newest.details) == (What.STOCK, {"written": 2, "zeroed": 1})
    assert {each.code: (each.old, each.new) for each in written} == {
        one: (before[0], Decimal(77)),
        other: (before[1], Decimal(0)),
    }


async def test_a_run_that_is_written_in_portions_is_one_line_of_the_history(connected: ConnectedShop) -> None:
    run = connected.watch()
    async with connected.service.engine.begin() as tx:
        for number in range(3):
            portion = [history.StockWrite(f"v-{number}", f"C{number}", Decimal(5), Decimal(number))]
            await history.record_stock(tx, connected.shop_id, run, portion, now=connected.watch())
        found = await history.latest(tx, connected.shop_id, limit=9)

    assert [one.details for one in found if one.what == What.STOCK] == [{"written": 3, "zeroed": 1}]


async def test_nothing_is_written_unless_the_shop_chose_so(connected: ConnectedShop) -> None:
    code = (await connected.tracked())[0]
    await connected.put({code: 77})

    await connected.poll()

    assert connected.shown(code) != 77
    assert connected.asked("PUT") == []


async def test_switching_it_on_takes_effect_by_itself_and_without_asking_uphance(connected: ConnectedShop) -> None:
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await connected.poll()
    connected.asked()

    await connected.set(stock__write="true")
    await connected.work()

    assert connected.shown(code) == 77
    assert connected.asked("GET /products", "PUT") == ["PUT /products"]


async def test_after_it_was_written_nothing_is_left_to_do(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await connected.poll()

    announced = await connected.deliver_webhooks()
    await connected.work()
    await connected.poll()
    connected.asked()
    again = await connected.deliver_webhooks()
    await connected.work()
    await connected.poll()

    assert announced == 1
    assert again == 0
    assert connected.asked("PUT") == []
    assert await connected.problems() == {}


@pytest.mark.situation("stock.edited")
async def test_a_number_that_a_person_edits_in_the_shop_is_set_right_again(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await connected.poll()
    item = (await connected.items())[code]
    product = connected.origin.goods.products[item.product_id]
    variant = next((one for one in product["variants"] if one["code"] == code), None)

    connected.edits.edit_product(connected.origin, product, variant, {"stock": 5})
    await connected.deliver_webhooks()
    await connected.work()
    await connected.poll()

    assert connected.shown(code) == 77


async def test_each_number_can_be_explained(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", stock__safety="2", stock__guard_percent="100")
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await connected.order(code, 3)

    await connected.poll()

    told = await note(connected, code)
    assert {name: told[name] for name in ("uphance", "open", "safety", "written")} == {
        "uphance": 77,
        "open": 3,
        "safety": 2,
        "written": 72,
    }
    assert connected.shown(code) == 72


@pytest.mark.situation("stock.draft")
async def test_drafts_are_open_until_staff_confirm_them(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    number = await connected.order(code, 4)

    await connected.poll()
    as_draft = connected.shown(code)
    connected.confirm(number)  # now Uphance's own number is 46
    await connected.poll()

    assert as_draft == 46
    assert connected.shown(code) == 46
    assert (await note(connected, code))["written"] == 46
    assert await connected.rows("SELECT FROM open_order_lines WHERE shop_id = :shop_id") == []


@pytest.mark.situation("stock.draft")
async def test_a_confirmed_order_that_gets_another_number_is_not_counted_twice(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    number = await connected.order(code, 4)
    connected.edits.renumber_order(connected.origin, connected.origin.orders[number], "R-1")
    await connected.deliver_webhooks()
    await connected.work()

    await connected.poll()
    as_draft = connected.shown(code)
    for _ in range(2):  # its former number is asked about: it is not gone
        await connected.mark("upgates", Kind.ORDER, number)
        await connected.work()
        connected.watch.move(minutes=30)
    await connected.put({code: 51})
    await connected.poll()
    asked_about = connected.shown(code)
    connected.confirm(number)  # now Uphance's own number is 47
    await connected.poll()

    assert (as_draft, asked_about, connected.shown(code)) == (46, 47, 47)


@pytest.mark.situation("stock.draft")
async def test_an_order_that_got_another_number_before_it_was_sent_is_counted_once(
    connected: ConnectedShop,
) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    number = await connected.order(code, 4, status=3)  # of a status that does not send
    connected.edits.renumber_order(connected.origin, connected.origin.orders[number], "R-1")
    await connected.deliver_webhooks()
    for _ in range(2):  # its former number is gone, and that is believed at the second look
        await connected.mark("upgates", Kind.ORDER, number)
        await connected.work()
        connected.watch.move(minutes=30)

    await connected.poll()

    assert connected.shown(code) == 46


@pytest.mark.situation("stock.draft")
async def test_drafts_that_reserve_are_not_counted_twice(connected: ConnectedShop) -> None:
    connected.world.uphance.drafts_reserve = True
    await connected.set(stock__write="true", stock__drafts_reserve="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    await connected.order(code, 4)

    await connected.poll()

    assert connected.shown(code) == 46


async def test_the_pieces_of_a_parked_order_are_open(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", uphance__channels="cs/CZK:6901")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    await connected.order(code, 4)

    await connected.poll()

    assert connected.organisation.orders == {}
    assert connected.shown(code) == 46


@pytest.mark.situation("status.not_yet")
async def test_the_pieces_of_an_order_that_waits_for_its_payment_are_open(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", uphance__order_statuses="2")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    number = await connected.order(code, 4, status=1)

    await connected.poll()
    waiting = connected.shown(code)
    connected.edits.edit_order(connected.origin, connected.origin.orders[number], {"status_id": 5})
    await connected.deliver_webhooks()
    await connected.poll()

    assert connected.organisation.orders == {}
    assert waiting == 46
    assert connected.shown(code) == 50


async def test_an_order_that_a_chosen_status_sends_is_open_although_the_shop_has_shipped_it(
    connected: ConnectedShop,
) -> None:
    """Who chooses the status Sent has orders sent then: until Uphance knows one, its pieces are open."""
    await connected.set(stock__write="true", uphance__order_statuses="4", uphance__channels="cs/CZK:6901")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    await connected.order(code, 4, status=4)

    await connected.poll()

    assert connected.organisation.orders == {}
    assert connected.shown(code) == 46


@pytest.mark.situation("edit.packed")
async def test_what_was_added_to_a_confirmed_order_is_open_until_staff_have_settled_it(
    connected: ConnectedShop,
) -> None:
    await connected.set(stock__write="true")
    code = (await connected.tracked())[0]
    await connected.put({code: 50})
    number = await connected.order(code, 2)
    connected.confirm(number)
    connected.edits.edit_order_line(connected.origin, connected.origin.orders[number], 5)
    await connected.deliver_webhooks()
    await connected.work()

    await connected.poll()
    changed = connected.shown(code)
    found = [one for one in await connected.service.problems.open(connected.shop_id) if one.target == "uphance"]
    assert [one.key for one in found] == ["order.changed_after_sending"]

    assert changed == 50 - 5  # two of them Uphance has taken off by itself


@pytest.mark.situation("stock.half")
async def test_an_incomplete_reading_changes_nothing(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    before = connected.shown(code)
    connected.network.lose = lambda request: httpx.ReadError("cut") if request.url.path == "/products" else None

    await connected.poll()

    assert connected.shown(code) == before
    connected.network.lose = lambda _: None


@pytest.mark.situation("stock.gone")
async def test_a_sku_that_is_gone_from_uphance_is_left_alone(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    code = (await connected.tracked())[0]
    before = connected.shown(code)
    sku = (await connected.items())[code].sku_id
    product, variation, row = connected.organisation.sku(sku) or ({}, {}, {})
    variation["skus"].remove(row)

    await connected.poll()

    assert product
    assert connected.shown(code) == before
    assert await connected.problems() == {}


async def test_stock_that_the_shop_does_not_track_is_left_alone(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", stock__guard_percent="100")
    untracked = [
        item.code for item in (await connected.items()).values() if item.stock is None or not item.stock_own
    ]
    assert untracked
    before = {code: connected.shown(code) for code in untracked}
    await connected.put(dict.fromkeys(untracked, 77))

    await connected.poll()

    assert {code: connected.shown(code) for code in untracked} == before


@pytest.mark.situation("stock.mass")
async def test_a_large_run_waits_for_a_person_who_lets_it_pass(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    codes = await connected.tracked()
    await connected.put(dict.fromkeys(codes, 0))
    before = {code: connected.shown(code) for code in codes}

    await connected.poll()
    held = (await connected.problems())["stock.guard"]
    assert {code: connected.shown(code) for code in codes} == before
    changed = sum(1 for code in codes if before[code])
    matched = held.params["matched"]  # some more of them by EAN
    assert matched >= len(codes)
    assert held.params == {"changed": changed, "zeroed": changed, "matched": matched, "percent": 30}
    await connected.poll()
    assert set((await outbox(connected)).values()) == {"parked"}

    await connected.retry("stock.guard")

    assert {connected.shown(code) for code in codes} == {0}
    assert await connected.problems() == {}


async def test_what_was_let_pass_is_not_held_again_while_it_waits_for_its_turn(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    codes = await connected.tracked()
    await connected.put(dict.fromkeys(codes, 0))
    await connected.poll()
    lane = Lane.push(connected.shop_id, "upgates")
    await lanes.block(connected.service.engine, lane, reason="no budget", now=connected.watch(), priority=2)

    await connected.retry("stock.guard")
    await connected.put({codes[0]: 1})
    await connected.poll()

    assert set((await outbox(connected)).values()) == {"waiting"}
    assert await connected.problems() == {}


async def test_a_large_run_that_is_dismissed_is_dropped_until_the_numbers_change(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    codes = await connected.tracked()
    await connected.put(dict.fromkeys(codes, 0))
    before = {code: connected.shown(code) for code in codes}
    await connected.poll()

    await connected.dismiss("stock.guard")
    await connected.poll()
    assert await connected.problems() == {}
    assert {code: connected.shown(code) for code in codes} == before
    await connected.put({codes[0]: 33})
    await connected.poll()

    assert connected.shown(codes[0]) == 33
    assert {code: connected.shown(code) for code in codes[1:]} == {code: before[code] for code in codes[1:]}


async def test_a_false_alarm_ends_by_itself(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    codes = await connected.tracked()
    before = {code: connected.shown(code) for code in codes}
    await connected.put(dict.fromkeys(codes, 0))
    await connected.poll()

    await connected.put({code: int(before[code]) for code in codes} | {codes[0]: 44})
    await connected.poll()

    assert await connected.problems() == {}
    assert await outbox(connected) == {}
    assert connected.shown(codes[0]) == 44


@pytest.mark.situation("stock.several")
async def test_a_shop_with_several_warehouses_is_asked_before_its_main_stock_is_written(
    connected: ConnectedShop,
) -> None:
    for number, product in enumerate(connected.origin.goods.products.values()):
        product["stocks"] = [{"stock_id": 1 + number % 2, "code": "X", "position": None, "quantity": 3}]
        await connected.mark("upgates", Kind.PRODUCT, str(product["product_id"]))
    await connected.work()
    await connected.set(stock__write="true", stock__guard_percent="100")
    await connected.work()
    codes = await connected.tracked()
    before = {code: connected.shown(code) for code in codes}
    await connected.put(dict.fromkeys(codes, 77))

    await connected.poll()
    asked = (await connected.problems())["stock.several"]
    assert asked.params == {"number": 2, "names": "1, 2"}
    assert {code: connected.shown(code) for code in codes} == before
    assert await outbox(connected) == {}

    await connected.retry("stock.several")
    assert {connected.shown(code) for code in codes} == {77}
    await connected.put({codes[0]: 78})
    await connected.poll()

    assert connected.shown(codes[0]) == 78
    assert await connected.problems() == {}


@pytest.mark.situation("stock.several")
async def test_a_shop_that_does_not_agree_keeps_the_stock_that_it_has(connected: ConnectedShop) -> None:
    product = next(iter(connected.origin.goods.products.values()))
    product["stocks"] = [{"stock_id": 1, "quantity": 3}, {"stock_id": 2, "quantity": 0}]
    await connected.mark("upgates", Kind.PRODUCT, str(product["product_id"]))
    await connected.work()
    await connected.set(stock__write="true", stock__guard_percent="100")
    codes = await connected.tracked()
    before = {code: connected.shown(code) for code in codes}

    await connected.poll()
    await connected.dismiss("stock.several")
    await connected.put(dict.fromkeys(codes, 77))
    await connected.poll()

    assert await connected.problems() == {}
    assert {code: connected.shown(code) for code in codes} == before


async def test_switching_it_off_forgets_what_waits(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    await connected.put(dict.fromkeys(await connected.tracked(), 0))
    await connected.poll()

    await connected.set(stock__write="false")
    await connected.work()

    assert await outbox(connected) == {}
    assert await connected.problems() == {}


async def test_a_refused_number_costs_one_call_and_waits_alone(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    one, other = (await connected.tracked())[:2]
    connected.origin.refuse_puts.add(one)
    await connected.put({one: 70, other: 80})
    connected.asked()

    await connected.poll()
    await connected.poll()

    assert (await connected.problems())["stock.refused"].params["code"] == one
    assert connected.shown(other) == 80
    assert connected.asked("PUT") == ["PUT /products"]


async def test_items_without_a_code_are_reported_once(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    seeded = (await connected.unmatched()).get("stock.no_code", 0)
    code = (await connected.tracked())[0]
    key, sku = (await connected.items())[code].key, (await connected.items())[code].sku_id
    async with connected.service.engine.begin() as tx:
        for statement in (
            "UPDATE variants SET code = NULL, code_key = NULL, ean_key = '8' WHERE shop_id = :shop AND key = :key",
            "UPDATE skus SET code_key = 'other', ean_key = '8' WHERE shop_id = :shop AND sku_id = :sku",
        ):
            await tx.execute(text(statement), {"shop": connected.shop_id, "key": key, "sku": sku})
        await sku_matching.rematch_all(tx, connected.shop_id)

    await connected.mark("uphance", Kind.STOCK, "stock")
    await connected.work()

    assert (await connected.unmatched())["stock.no_code"] == seeded + 1


async def test_a_code_that_occurs_twice_names_nothing(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    seeded = (await connected.unmatched()).get("stock.ambiguous", 0)
    one, other = (await connected.tracked())[:2]
    keys = await connected.items()
    async with connected.service.engine.begin() as tx:
        await tx.execute(
            text("UPDATE variants SET code_key = :code WHERE shop_id = :shop AND key = :key"),
            {"shop": connected.shop_id, "code": code_key(one), "key": keys[other].key},
        )
        await sku_matching.rematch_all(tx, connected.shop_id)
    before = connected.shown(one)

    async with connected.service.engine.begin() as tx:
        await tx.execute(
            text("UPDATE skus SET available_from_stock = 99 WHERE shop_id = :shop AND sku_id = :sku"),
            {"shop": connected.shop_id, "sku": keys[one].sku_id},
        )
    await connected.mark("uphance", Kind.STOCK, "stock")
    await connected.work()

    assert connected.shown(one) == before
    assert (await connected.unmatched())["stock.ambiguous"] == seeded + 2


async def test_orders_that_are_not_read_yet_come_first(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await lanes.block(
        connected.service.engine,
        Lane.pull(connected.shop_id, "upgates"),
        reason="no budget",
        now=connected.watch(),
    )
    await connected.mark("upgates", Kind.ORDER, "unread")
    connected.asked()

    await connected.poll()
    assert connected.asked("PUT") == []
    connected.watch.move(seconds=90)
    await connected.work()

    assert connected.shown(code) == 77


async def test_stock_without_budget_does_not_keep_a_shipment_waiting(connected: ConnectedShop) -> None:
    """The block stands for stock and everything less urgent; what is more urgent passes."""
    lane = Lane.push(connected.shop_id, "upgates")
    code = (await connected.tracked())[0]
    number = await connected.order(code)
    await connected.set(stock__write="true")
    await connected.work()
    await connected.put({code: 77})
    await lanes.block(
        connected.service.engine,
        lane,
        reason="no budget",
        now=connected.watch(),
        until=connected.watch().replace(year=2099),
        priority=2,
    )
    connected.ship(connected.ticket(number))

    await connected.poll()

    assert connected.origin.orders[number]["status_id"] == 4
    assert connected.shown(code) != 77
    assert len(await blocks(connected)) == 1


async def test_a_spent_budget_blocks_what_it_was_spent_for(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true")
    await connected.work()
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    connected.origin.tariff = Tariff(hour=0, day=0)

    await connected.poll()
    connected.world.call_log.violations.clear()  # the first call learned of the limit

    assert [(block.lane.name, block.priority) for block in await blocks(connected)] == [("push:upgates", 2)]


async def test_a_hundred_items_are_one_call(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", stock__guard_percent="100")
    await connected.work()
    codes = (await connected.tracked())[:150]
    await connected.put(dict.fromkeys(codes, 123))
    connected.asked()

    await connected.poll()

    assert len(connected.asked("PUT")) == -(-len(codes) // 100)
    assert {connected.shown(code) for code in codes} == {123}


async def test_the_bodies_that_wait_are_encrypted(connected: ConnectedShop) -> None:
    await connected.set(stock__write="true", stock__guard_percent="0")
    await connected.work()
    code = (await connected.tracked())[0]
    await connected.put({code: 77})
    await connected.poll()

    rows = await connected.rows("SELECT body FROM documents WHERE target = 'upgates'")

    assert [json.loads(connected.service.cipher.decrypt(row.body))["written"] for row in rows] == [77]
    assert not any(code.encode() in row.body for row in rows)


@pytest.mark.parametrize("still", ["true", "false"])
async def test_a_run_is_taken_back_where_its_numbers_were_not_changed_since(
    connected: ConnectedShop, still: str
) -> None:
    await connected.set(stock__write="true", stock__guard_percent="100")
    await connected.agree()
    await connected.poll()
    one, other = (await connected.tracked())[:2]
    before = {code: connected.shown(code) for code in (one, other)}
    connected.watch.move(minutes=15)
    await connected.put({one: 77, other: 78})
    await connected.poll()
    async with connected.service.engine.connect() as tx:
        run = (await history.latest(tx, connected.shop_id, limit=1))[0].id
    connected.watch.move(minutes=15)
    await connected.put({other: 79})
    await connected.poll()
    connected.watch.move(minutes=15)
    await connected.set(stock__write=still)
    undo = connected.service.run_undo
    _, shown = await undo.look(connected.shop_id, run, limit=None)

    assert await undo.undo(connected.shop_id, run, "what another page showed") is None
    assert await undo.undo(connected.shop_id, run, shown.mark) == 1
    await connected.poll()
    await connected.deliver_webhooks()
    await connected.poll()

    assert [(each.code, each.old, each.new) for each in shown.changes] == [(one, 77, before[one])]
    assert (connected.shown(one), connected.shown(other)) == (before[one], 79)
    async with connected.service.engine.connect() as tx:
        assert What.UNDONE in [each.what for each in await history.latest(tx, connected.shop_id, limit=5)]

    await connected.set(stock__write="true")
    await connected.put({one: 5_000})
    await connected.poll()

    assert connected.shown(one) == 5_000, "another number of Uphance is written again"
