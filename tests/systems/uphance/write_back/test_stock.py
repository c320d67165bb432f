"""Stock on its way back, through the whole machinery: change, document, link."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.systems.uphance.write_back.town import Town
from upbridge.domain.history import What
from upbridge.domain.lane import Lane
from upbridge.domain.sku import code_key
from upbridge.engine import lanes
from upbridge.store import history, sku_matching
from upbridge.store.changes import Kind
from upbridge.store.lanes import Block, blocks_of
from upbridge_sandbox.shop import Tariff


async def blocks(town: Town) -> list[Block]:
    async with town.service.engine.connect() as tx:
        return list((await blocks_of(tx, town.shop_id, now=town.watch())).values())


async def note(town: Town, code: str) -> dict[str, Any]:
    key = (await town.items())[code].key
    rows = await town.rows(
        "SELECT metadata FROM links WHERE target = 'upgates' AND kind = 'stock' AND key = :k", k=key
    )
    found: dict[str, Any] = rows[0].metadata
    return found


async def outbox(town: Town) -> dict[str, str]:
    rows = await town.rows("SELECT key, state FROM documents WHERE shop_id = :shop_id AND target = 'upgates'")
    return {row.key: row.state for row in rows}


async def test_a_number_that_changed_in_uphance_is_shown_in_the_shop(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    code = (await town.tracked())[0]
    await town.put({code: 77})
    town.asked()

    await town.poll()

    assert town.shown(code) == 77
    assert town.asked("PUT") == ["PUT /products"]


async def test_the_history_tells_what_a_run_has_written_and_what_stood_before(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    one, other = (await town.tracked())[:2]
    before = town.shown(one), town.shown(other)
    town.watch.move(minutes=15)
    await town.put({one: 77, other: 0})

    await town.poll()

    async with town.service.engine.connect() as tx:
        newest = (await history.latest(tx, town.shop_id, limit=1))[0]
        run = datetime.fromisoformat(newest.subject)
        written = await history.stock_of_run(tx, town.shop_id, run, limit=10)
    assert (newest.what, newest.details) == (What.STOCK, {"written": 2, "zeroed": 1})
    assert {each.code: (each.old, each.new) for each in written} == {
        one: (before[0], Decimal(77)),
        other: (before[1], Decimal(0)),
    }


async def test_a_run_that_is_written_in_portions_is_one_line_of_the_history(town: Town) -> None:
    run = town.watch()
    async with town.service.engine.begin() as tx:
        for number in range(3):
            portion = [history.StockWrite(f"v-{number}", f"C{number}", Decimal(5), Decimal(number))]
            await history.record_stock(tx, town.shop_id, run, portion, now=town.watch())
        found = await history.latest(tx, town.shop_id, limit=9)

    assert [one.details for one in found if one.what == What.STOCK] == [{"written": 3, "zeroed": 1}]


async def test_nothing_is_written_unless_the_shop_chose_so(town: Town) -> None:
    code = (await town.tracked())[0]
    await town.put({code: 77})

    await town.poll()

    assert town.shown(code) != 77
    assert town.asked("PUT") == []


async def test_switching_it_on_takes_effect_by_itself_and_without_asking_uphance(town: Town) -> None:
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await town.poll()
    town.asked()

    await town.set(stock__write="true")
    await town.work()

    assert town.shown(code) == 77
    assert town.asked("GET /products", "PUT") == ["PUT /products"]


async def test_after_it_was_written_nothing_is_left_to_do(town: Town) -> None:
    await town.set(stock__write="true")
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await town.poll()

    announced = await town.deliver_webhooks()
    await town.work()
    await town.poll()
    town.asked()
    again = await town.deliver_webhooks()
    await town.work()
    await town.poll()

    assert announced == 1
    assert again == 0
    assert town.asked("PUT") == []
    assert await town.problems() == {}


@pytest.mark.situation("stock.edited")
async def test_a_number_that_somebody_edits_in_the_shop_is_set_right_again(town: Town) -> None:
    await town.set(stock__write="true")
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await town.poll()
    item = (await town.items())[code]
    product = town.origin.goods.products[item.product_id]
    variant = next((one for one in product["variants"] if one["code"] == code), None)

    town.edits.edit_product(town.origin, product, variant, {"stock": 5})
    await town.deliver_webhooks()
    await town.work()
    await town.poll()

    assert town.shown(code) == 77


async def test_each_number_can_be_explained(town: Town) -> None:
    await town.set(stock__write="true", stock__safety="2", stock__guard_percent="100")
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await town.order(code, 3)

    await town.poll()

    told = await note(town, code)
    assert {name: told[name] for name in ("uphance", "open", "safety", "written")} == {
        "uphance": 77,
        "open": 3,
        "safety": 2,
        "written": 72,
    }
    assert town.shown(code) == 72


@pytest.mark.situation("stock.draft")
async def test_drafts_are_open_until_staff_confirm_them(town: Town) -> None:
    await town.set(stock__write="true")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    number = await town.order(code, 4)

    await town.poll()
    as_draft = town.shown(code)
    town.confirm(number)  # now Uphance's own number is 46
    await town.poll()

    assert as_draft == 46
    assert town.shown(code) == 46
    assert (await note(town, code))["written"] == 46
    assert await town.rows("SELECT FROM open_order_lines WHERE shop_id = :shop_id") == []


@pytest.mark.situation("stock.draft")
async def test_drafts_that_reserve_are_not_counted_twice(town: Town) -> None:
    town.world.uphance.drafts_reserve = True
    await town.set(stock__write="true", stock__drafts_reserve="true")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    await town.order(code, 4)

    await town.poll()

    assert town.shown(code) == 46


async def test_the_pieces_of_a_parked_order_are_open(town: Town) -> None:
    await town.set(stock__write="true", uphance__channels="cs/CZK:1")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    await town.order(code, 4)

    await town.poll()

    assert town.organisation.orders == {}
    assert town.shown(code) == 46


@pytest.mark.situation("status.not_yet")
async def test_the_pieces_of_an_order_that_waits_for_its_payment_are_open(town: Town) -> None:
    await town.set(stock__write="true", uphance__order_statuses="2")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    number = await town.order(code, 4, status=1)

    await town.poll()
    waiting = town.shown(code)
    town.edits.edit_order(town.origin, town.origin.orders[number], {"status_id": 5})
    await town.deliver_webhooks()
    await town.poll()

    assert town.organisation.orders == {}
    assert waiting == 46
    assert town.shown(code) == 50


async def test_an_order_that_a_chosen_status_sends_is_open_although_the_shop_has_shipped_it(town: Town) -> None:
    """Who chooses the status Sent has orders sent then: until Uphance knows one, its pieces are open."""
    await town.set(stock__write="true", uphance__order_statuses="4", uphance__channels="cs/CZK:1")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    await town.order(code, 4, status=4)

    await town.poll()

    assert town.organisation.orders == {}
    assert town.shown(code) == 46


@pytest.mark.situation("edit.packed")
async def test_what_was_added_to_a_confirmed_order_is_open_until_staff_have_settled_it(town: Town) -> None:
    await town.set(stock__write="true")
    code = (await town.tracked())[0]
    await town.put({code: 50})
    number = await town.order(code, 2)
    town.confirm(number)
    town.edits.edit_order_line(town.origin, town.origin.orders[number], 5)
    await town.deliver_webhooks()
    await town.work()

    await town.poll()
    changed = town.shown(code)
    found = [one for one in await town.service.problems.open(town.shop_id) if one.target == "uphance"]
    assert [one.key for one in found] == ["order.changed_after_sending"]

    assert changed == 50 - 5  # two of them Uphance has taken off by itself


@pytest.mark.situation("stock.half")
async def test_an_incomplete_reading_changes_nothing(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    code = (await town.tracked())[0]
    await town.put({code: 77})
    before = town.shown(code)
    town.network.lose = lambda request: httpx.ReadError("cut") if request.url.path == "/products" else None

    await town.poll()

    assert town.shown(code) == before
    town.network.lose = lambda _: None


@pytest.mark.situation("stock.gone")
async def test_a_sku_that_is_gone_from_uphance_is_left_alone(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    code = (await town.tracked())[0]
    before = town.shown(code)
    sku = (await town.items())[code].sku_id
    product, variation, row = town.organisation.sku(sku) or ({}, {}, {})
    variation["skus"].remove(row)

    await town.poll()

    assert product
    assert town.shown(code) == before
    assert await town.problems() == {}


async def test_stock_that_the_shop_does_not_track_is_left_alone(town: Town) -> None:
    await town.set(stock__write="true", stock__guard_percent="100")
    untracked = [item.code for item in (await town.items()).values() if item.stock is None or not item.stock_own]
    assert untracked
    before = {code: town.shown(code) for code in untracked}
    await town.put(dict.fromkeys(untracked, 77))

    await town.poll()

    assert {code: town.shown(code) for code in untracked} == before


@pytest.mark.situation("stock.mass")
async def test_a_large_run_waits_for_a_person_who_lets_it_pass(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    codes = await town.tracked()
    await town.put(dict.fromkeys(codes, 0))
    before = {code: town.shown(code) for code in codes}

    await town.poll()
    held = (await town.problems())["stock.guard"]
    assert {code: town.shown(code) for code in codes} == before
    changed = sum(1 for code in codes if before[code])
    matched = held.params["matched"]  # some more of them by EAN
    assert matched >= len(codes)
    assert held.params == {"changed": changed, "zeroed": changed, "matched": matched, "percent": 30}
    await town.poll()
    assert set((await outbox(town)).values()) == {"parked"}

    await town.retry("stock.guard")

    assert {town.shown(code) for code in codes} == {0}
    assert await town.problems() == {}


async def test_what_was_let_pass_is_not_held_again_while_it_waits_for_its_turn(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    codes = await town.tracked()
    await town.put(dict.fromkeys(codes, 0))
    await town.poll()
    lane = Lane.push(town.shop_id, "upgates")
    await lanes.block(town.service.engine, lane, reason="no budget", now=town.watch(), priority=2)

    await town.retry("stock.guard")
    await town.put({codes[0]: 1})
    await town.poll()

    assert set((await outbox(town)).values()) == {"waiting"}
    assert await town.problems() == {}


async def test_a_large_run_that_is_dismissed_is_dropped_until_the_numbers_change(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    codes = await town.tracked()
    await town.put(dict.fromkeys(codes, 0))
    before = {code: town.shown(code) for code in codes}
    await town.poll()

    await town.dismiss("stock.guard")
    await town.poll()
    assert await town.problems() == {}
    assert {code: town.shown(code) for code in codes} == before
    await town.put({codes[0]: 33})
    await town.poll()

    assert town.shown(codes[0]) == 33
    assert {code: town.shown(code) for code in codes[1:]} == {code: before[code] for code in codes[1:]}


async def test_a_false_alarm_ends_by_itself(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    codes = await town.tracked()
    before = {code: town.shown(code) for code in codes}
    await town.put(dict.fromkeys(codes, 0))
    await town.poll()

    await town.put({code: int(before[code]) for code in codes} | {codes[0]: 44})
    await town.poll()

    assert await town.problems() == {}
    assert await outbox(town) == {}
    assert town.shown(codes[0]) == 44


@pytest.mark.situation("stock.several")
async def test_a_shop_with_several_warehouses_is_asked_before_its_main_stock_is_written(town: Town) -> None:
    for number, product in enumerate(town.origin.goods.products.values()):
        product["stocks"] = [{"stock_id": 1 + number % 2, "code": "X", "position": None, "quantity": 3}]
        await town.hint("upgates", Kind.PRODUCT, str(product["product_id"]))
    await town.work()
    await town.set(stock__write="true", stock__guard_percent="100")
    await town.work()
    codes = await town.tracked()
    before = {code: town.shown(code) for code in codes}
    await town.put(dict.fromkeys(codes, 77))

    await town.poll()
    asked = (await town.problems())["stock.several"]
    assert asked.params == {"number": 2, "names": "1, 2"}
    assert {code: town.shown(code) for code in codes} == before
    assert await outbox(town) == {}

    await town.retry("stock.several")
    assert {town.shown(code) for code in codes} == {77}
    await town.put({codes[0]: 78})
    await town.poll()

    assert town.shown(codes[0]) == 78
    assert await town.problems() == {}


@pytest.mark.situation("stock.several")
async def test_a_shop_that_does_not_agree_keeps_the_stock_that_it_has(town: Town) -> None:
    product = next(iter(town.origin.goods.products.values()))
    product["stocks"] = [{"stock_id": 1, "quantity": 3}, {"stock_id": 2, "quantity": 0}]
    await town.hint("upgates", Kind.PRODUCT, str(product["product_id"]))
    await town.work()
    await town.set(stock__write="true", stock__guard_percent="100")
    codes = await town.tracked()
    before = {code: town.shown(code) for code in codes}

    await town.poll()
    await town.dismiss("stock.several")
    await town.put(dict.fromkeys(codes, 77))
    await town.poll()

    assert await town.problems() == {}
    assert {code: town.shown(code) for code in codes} == before


async def test_switching_it_off_forgets_what_waits(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    await town.put(dict.fromkeys(await town.tracked(), 0))
    await town.poll()

    await town.set(stock__write="false")
    await town.work()

    assert await outbox(town) == {}
    assert await town.problems() == {}


async def test_a_refused_number_costs_one_call_and_waits_alone(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    one, other = (await town.tracked())[:2]
    town.origin.refuse_puts.add(one)
    await town.put({one: 70, other: 80})
    town.asked()

    await town.poll()
    await town.poll()

    assert (await town.problems())["stock.refused"].params["code"] == one
    assert town.shown(other) == 80
    assert town.asked("PUT") == ["PUT /products"]


async def test_items_without_a_code_are_told_once(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    seeded = (await town.unmatched()).get("stock.no_code", 0)
    code = (await town.tracked())[0]
    key, sku = (await town.items())[code].key, (await town.items())[code].sku_id
    async with town.service.engine.begin() as tx:
        for statement in (
            "UPDATE variants SET code = NULL, code_key = NULL, ean_key = '8' WHERE shop_id = :shop AND key = :key",
            "UPDATE skus SET code_key = 'other', ean_key = '8' WHERE shop_id = :shop AND sku_id = :sku",
        ):
            await tx.execute(text(statement), {"shop": town.shop_id, "key": key, "sku": sku})
        await sku_matching.rematch_all(tx, town.shop_id)

    await town.hint("uphance", Kind.STOCK, "stock")
    await town.work()

    assert (await town.unmatched())["stock.no_code"] == seeded + 1


async def test_a_code_that_occurs_twice_names_nothing(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    seeded = (await town.unmatched()).get("stock.ambiguous", 0)
    one, other = (await town.tracked())[:2]
    keys = await town.items()
    async with town.service.engine.begin() as tx:
        await tx.execute(
            text("UPDATE variants SET code_key = :code WHERE shop_id = :shop AND key = :key"),
            {"shop": town.shop_id, "code": code_key(one), "key": keys[other].key},
        )
        await sku_matching.rematch_all(tx, town.shop_id)
    before = town.shown(one)

    async with town.service.engine.begin() as tx:
        await tx.execute(
            text("UPDATE skus SET available_from_stock = 99 WHERE shop_id = :shop AND sku_id = :sku"),
            {"shop": town.shop_id, "sku": keys[one].sku_id},
        )
    await town.hint("uphance", Kind.STOCK, "stock")
    await town.work()

    assert town.shown(one) == before
    assert (await town.unmatched())["stock.ambiguous"] == seeded + 2


async def test_orders_that_are_not_read_yet_come_first(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await lanes.block(
        town.service.engine, Lane.pull(town.shop_id, "upgates"), reason="no budget", now=town.watch()
    )
    await town.hint("upgates", Kind.ORDER, "unread")
    town.asked()

    await town.poll()
    assert town.asked("PUT") == []
    town.watch.move(seconds=90)
    await town.work()

    assert town.shown(code) == 77


async def test_stock_without_budget_does_not_keep_a_shipment_waiting(town: Town) -> None:
    """The block stands for stock and everything less urgent; what is more urgent passes."""
    lane = Lane.push(town.shop_id, "upgates")
    code = (await town.tracked())[0]
    number = await town.order(code)
    await town.set(stock__write="true")
    await town.work()
    await town.put({code: 77})
    await lanes.block(
        town.service.engine,
        lane,
        reason="no budget",
        now=town.watch(),
        until=town.watch().replace(year=2099),
        priority=2,
    )
    town.ship(town.ticket(number))

    await town.poll()

    assert town.origin.orders[number]["status_id"] == 4
    assert town.shown(code) != 77
    assert len(await blocks(town)) == 1


async def test_a_spent_budget_blocks_what_it_was_spent_for(town: Town) -> None:
    await town.set(stock__write="true")
    await town.work()
    code = (await town.tracked())[0]
    await town.put({code: 77})
    town.origin.tariff = Tariff(hour=0, day=0)

    await town.poll()
    town.world.ledger.violations.clear()  # the first call learned of the limit

    assert [(block.lane.name, block.priority) for block in await blocks(town)] == [("push:upgates", 2)]


async def test_a_hundred_items_are_one_call(town: Town) -> None:
    await town.set(stock__write="true", stock__guard_percent="100")
    await town.work()
    codes = (await town.tracked())[:150]
    await town.put(dict.fromkeys(codes, 123))
    town.asked()

    await town.poll()

    assert len(town.asked("PUT")) == -(-len(codes) // 100)
    assert {town.shown(code) for code in codes} == {123}


async def test_the_bodies_that_wait_are_encrypted(town: Town) -> None:
    await town.set(stock__write="true", stock__guard_percent="0")
    await town.work()
    code = (await town.tracked())[0]
    await town.put({code: 77})
    await town.poll()

    rows = await town.rows("SELECT body FROM documents WHERE target = 'upgates'")

    assert [json.loads(town.service.cipher.decrypt(row.body))["written"] for row in rows] == [77]
    assert not any(code.encode() in row.body for row in rows)
