"""The steps of an order: written with what they tell, and without a word about the customer."""

import json
from datetime import UTC, datetime, timedelta

from tests.support.engine import Engine
from tests.support.simulated import one_by_one
from tests.support.upp import make_order, make_product, make_variant
from upbridge.core.canonical_json import canonical
from upbridge.domain.delivery import Delivered, DesiredDocument, Issue, Parked
from upbridge.domain.masking import MASK
from upbridge.engine.planner import ReadBatch
from upbridge.store.changes import Kind
from upbridge.store.order_events import opened

MADE = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


async def steps(machine: Engine) -> list[tuple[str, str, str]]:
    rows = await machine.rows("SELECT * FROM order_events WHERE shop_id = :shop_id ORDER BY id")
    return [(row["event"], row["target"], row["detail"]) for row in rows]


async def test_an_order_that_no_target_wants_is_known_until_it_is_gone(machine: Engine) -> None:
    machine.target.mapping = lambda _entity: ()

    await machine.settle(make_order(order_number="1", created_at=MADE), kind="order")

    known = await machine.rows("SELECT number, ordered_at, read_at FROM orders WHERE shop_id = :shop_id")
    assert known == [{"number": "1", "ordered_at": MADE, "read_at": machine.watch()}]
    assert await steps(machine) == []

    await machine.settle(kind="order", missing=("1",))

    assert await machine.value("SELECT count(*) FROM orders WHERE shop_id = :shop_id") == 0


async def test_an_order_s_way_is_kept_step_by_step(machine: Engine) -> None:
    machine.target.script = one_by_one(lambda _document: Parked(Issue("order.no_channel")))
    await machine.settle(make_order(order_number="1"), kind="order")
    await machine.push()
    machine.target.script = one_by_one(lambda document: Delivered(remote_id=f"remote-{document.key}"))
    await machine.run("UPDATE documents SET state = 'waiting'")

    await machine.push()
    await machine.settle(make_order(order_number="1"), kind="order")  # read again, no news

    assert await steps(machine) == [
        ("read", "upgates", ""),
        ("parked", "upp", "order.no_channel"),
        ("delivered", "upp", "remote-1"),
    ]


async def test_products_leave_no_steps(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(1)))
    await machine.push()

    assert await steps(machine) == []


async def test_of_what_was_sent_a_copy_without_personal_data_stays(machine: Engine) -> None:
    body = {
        "order_number": "1",
        "currency": "CZK",
        "email": "jana@example.com",
        "lines": [{"sku": "A", "note": "J"}],
    }
    machine.target.mapping = lambda entity: [DesiredDocument("order", entity.key, entity.key, canonical(body))]

    await machine.settle(make_order(order_number="1"), kind="order")
    await machine.push()

    kept = await machine.value("SELECT body FROM order_events WHERE shop_id = :shop_id AND event = 'delivered'")
    assert json.loads(opened(kept) or "") == {
        "order_number": "1",
        "currency": "CZK",
        "email": MASK,
        "lines": [{"sku": "A", "note": MASK}],
    }


async def test_the_delay_counts_from_when_we_heard_of_the_order(machine: Engine) -> None:
    heard = machine.watch()
    machine.upgates.order("1")
    await machine.mark(Kind.ORDER, "1")
    await machine.run("UPDATE changes SET marked_at = :at", at=heard)
    machine.watch.move(seconds=30)
    await machine.pull()
    machine.watch.move(seconds=12)

    await machine.push()

    (step,) = await machine.rows(
        "SELECT at, since FROM order_events WHERE shop_id = :shop_id AND event = 'delivered'"
    )
    assert step["at"] - step["since"] == timedelta(seconds=42)


async def test_what_the_first_import_sends_has_no_delay(machine: Engine) -> None:
    order = make_order(order_number="1")

    await machine.settle(read=ReadBatch("order", [order]), priority=5)
    await machine.push()

    since = await machine.value("SELECT since FROM order_events WHERE shop_id = :shop_id AND event = 'delivered'")
    assert since is None
