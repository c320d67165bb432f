"""One look is not believed where it takes something away; what was announced and is not there yet is asked for
again."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.engine import Engine
from tests.support.upgates import raw_prices, raw_product, raw_variant
from upbridge.engine import second_look
from upbridge.store.changes import Kind, Origin

LAG = second_look.lag_of(10)


def nothing(request: httpx.Request) -> httpx.Response:
    """An answer of a replica that is behind: no error, and nothing in it."""
    name = request.url.path.rsplit("/", 1)[-1]
    return httpx.Response(200, json={name: [], "number_of_pages": 1, "number_of_items": 0})


def two_sizes(*variants: int, **overrides: Any) -> dict[str, Any]:
    """Product 7 with these variants, each with three pieces and a price."""
    sizes = [
        raw_variant(variant_id=one, code=f"V-{one}", stock=3, prices=[raw_prices()], **overrides)
        for one in variants
    ]
    return raw_product(product_id=7, variants=sizes)


async def at_the_target(machine: Engine) -> dict[str, Any]:
    """What the target has, by key: what it was sent last."""
    found = {}
    for body in machine.target.bodies():
        found[body["id"]] = "gone" if body.get("gone") else body.get("stock", "there")
    return found


async def look(machine: Engine, *, after: timedelta = LAG) -> None:
    """Time passes and what is due is read and sent."""
    machine.watch.move(seconds=after.total_seconds())
    await machine.drain()


async def sold(machine: Engine, product: dict[str, Any]) -> None:
    """*product* is on sale, at the target too."""
    machine.upgates.products[product["product_id"]] = product
    await machine.mark(Kind.PRODUCT, str(product["product_id"]))
    await machine.drain()


# --- the reported case --------------------------------------------------------------------------------------


@pytest.mark.situation("after.created")
@pytest.mark.situation("after.updated")
@pytest.mark.situation("look.order")
async def test_an_empty_answer_for_a_moment_takes_nothing_away_and_forgets_no_new_order(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    machine.upgates.order("X")
    await machine.mark(Kind.ORDER, "X")
    await machine.drain()
    before = await at_the_target(machine)
    machine.upgates.order("A")
    machine.upgates.judges.append(nothing)
    await machine.mark(Kind.PRODUCT, "7")
    await machine.mark(Kind.ORDER, "X", "A")
    await machine.drain()

    assert await at_the_target(machine) == before
    machine.upgates.judges.clear()
    await look(machine, after=timedelta(minutes=1))

    assert await at_the_target(machine) == {**before, "A": "there"}
    await look(machine, after=timedelta(days=1))
    assert await machine.changes() == []
    assert await machine.value("SELECT count(*) FROM first_looks") == 0


# --- what is taken away -------------------------------------------------------------------------------------


@pytest.mark.situation("after.old")
async def test_the_version_before_the_one_that_was_announced_is_asked_for_once_more(machine: Engine) -> None:
    old = raw_product(product_id=7, stock=4, last_update_time=(machine.watch() - timedelta(hours=9)).isoformat())
    await sold(machine, old)
    changed_at = machine.watch()
    await sold(machine, old)  # the webhook is ahead of the answer
    assert await at_the_target(machine) == {"p-7": 4}

    machine.upgates.products[7] = {**old, "stock": 9, "last_update_time": changed_at.isoformat()}
    await look(machine)
    assert await at_the_target(machine) == {"p-7": 9}

    asked = len(machine.upgates.requests)
    for _ in range(3):
        await look(machine)
    assert (len(machine.upgates.requests), await machine.change_keys()) == (asked, [])


@pytest.mark.situation("after.old")
@pytest.mark.parametrize("heard", ["before", "between"])
async def test_an_old_version_that_is_news_to_us_is_asked_for_once_more_too(machine: Engine, heard: str) -> None:
    def of(stock: int, minutes: float) -> dict[str, Any]:
        changed_at = machine.watch() - timedelta(minutes=minutes)
        return raw_product(product_id=7, stock=stock, last_update_time=changed_at.isoformat())

    await sold(machine, of(4, 90))
    missed = of(6, 30)
    if heard == "between":  # it was to be read already when the webhook came
        await machine.mark(Kind.PRODUCT, "7", origin=Origin.SCHEDULE, now=machine.watch() - timedelta(minutes=30))
    newest = of(9, 0)
    await sold(machine, missed)
    assert await at_the_target(machine) == {"p-7": 6}

    machine.upgates.products[7] = newest
    await look(machine)
    assert await at_the_target(machine) == {"p-7": 9}


@pytest.mark.situation("after.old")
@pytest.mark.parametrize(("number", "again"), [(10, 10), (11, 0)])
async def test_a_burst_of_which_all_is_older_than_its_webhook_is_not_read_twice(
    machine: Engine, number: int, again: int
) -> None:
    machine.upgates.sell(
        *range(1, number + 1), last_update_time=(machine.watch() - timedelta(hours=9)).isoformat()
    )
    await machine.mark(Kind.PRODUCT, *(str(one) for one in range(1, number + 1)), now=machine.watch())
    machine.watch.move(seconds=10)  # a burst is gathered

    await machine.pull()

    assert len(machine.upgates.asked("/products")) == 1
    assert len(await machine.changes()) == again


@pytest.mark.situation("after.old")
async def test_what_changed_just_now_and_brought_nothing_new_is_not_asked_for_again(machine: Engine) -> None:
    machine.upgates.order("A", last_update_time=machine.watch().isoformat())
    for _ in range(2):
        await machine.mark(Kind.ORDER, "A")
        await machine.drain()

    assert await machine.change_keys() == []


@pytest.mark.situation("after.updated")
async def test_what_is_announced_anew_is_not_gone_because_two_looks_that_come_too_soon_miss_it(
    machine: Engine,
) -> None:
    await sold(machine, raw_product(product_id=7))
    before = await at_the_target(machine)
    machine.upgates.judges.append(nothing)
    for _ in range(2):
        machine.watch.move(minutes=20)
        await machine.mark(Kind.PRODUCT, "7")
        await machine.pull()
    assert await at_the_target(machine) == before

    machine.upgates.judges.clear()
    await look(machine)

    assert await at_the_target(machine) == before
    assert await machine.value("SELECT count(*) FROM first_looks") == 0


@pytest.mark.situation("after.updated")
@pytest.mark.situation("look.gone")
async def test_a_product_that_is_gone_goes_after_a_second_look_minutes_later(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    machine.upgates.products.clear()
    await machine.mark(Kind.PRODUCT, "7")
    await machine.drain()
    assert await at_the_target(machine) == {"p-7": 4}

    await look(machine)

    assert await at_the_target(machine) == {"p-7": "gone"}
    assert await machine.rows("SELECT key FROM variants WHERE shop_id = :shop_id") == []


@pytest.mark.situation("look.order")
async def test_an_order_that_was_missing_once_is_not_sent_before_the_second_look(machine: Engine) -> None:
    """It could not be sent while it was there; a moment later it is asked for again, and perhaps deleted."""
    machine.upgates.order("A")
    await machine.mark(Kind.ORDER, "A")
    await machine.pull()
    machine.upgates.orders.clear()
    await machine.mark(Kind.ORDER, "A")

    await machine.drain()
    assert await at_the_target(machine) == {}
    assert [*await machine.documents()] == ["A"]
    await look(machine)

    assert await at_the_target(machine) == {}
    assert await machine.documents() == {}


@pytest.mark.situation("look.order")
async def test_an_order_that_was_missing_once_and_is_there_is_sent(machine: Engine) -> None:
    machine.upgates.order("A")
    await machine.mark(Kind.ORDER, "A")
    await machine.pull()
    machine.upgates.judges.append(nothing)
    await machine.mark(Kind.ORDER, "A")
    await machine.drain()
    machine.upgates.judges.clear()

    for _ in range(3):
        await look(machine)

    assert await at_the_target(machine) == {"A": "there"}


@pytest.mark.situation("after.updated")
async def test_two_looks_within_the_lag_are_one(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    machine.upgates.judges.append(nothing)
    for _ in range(4):
        await machine.mark(Kind.PRODUCT, "7")
        await look(machine, after=LAG / 5)

    assert await at_the_target(machine) == {"p-7": 4}


@pytest.mark.situation("after.part")
async def test_a_variant_that_is_missing_from_its_product_stays_until_the_second_look(machine: Engine) -> None:
    await sold(machine, two_sizes(1, 2))
    await sold(machine, two_sizes(1))
    assert await at_the_target(machine) == {"v-1": 3, "v-2": 3}

    await look(machine)

    assert await at_the_target(machine) == {"v-1": 3, "v-2": "gone"}


@pytest.mark.situation("after.part")
async def test_a_product_without_its_variants_is_not_taken_for_one_that_has_none(machine: Engine) -> None:
    await sold(machine, two_sizes(1, 2))
    await sold(machine, two_sizes())
    assert await at_the_target(machine) == {"v-1": 3, "v-2": 3}

    await look(machine)

    assert await at_the_target(machine) == {"v-1": "gone", "v-2": "gone", "p-7": 4}


@pytest.mark.situation("after.less")
@pytest.mark.situation("look.gone")
@pytest.mark.parametrize("change", [{"stock": 0}, {"stock": -1}])
async def test_goods_that_are_suddenly_sold_out_are_sold_out_after_a_second_look(
    machine: Engine, change: dict[str, Any]
) -> None:
    await sold(machine, raw_product(product_id=7))
    await sold(machine, raw_product(product_id=7, **change))
    assert await at_the_target(machine) == {"p-7": 4}

    await look(machine)

    assert await at_the_target(machine) == {"p-7": change["stock"]}


async def test_goods_that_are_sold_out_already_are_not_asked_for_again(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7, stock=0))
    calls = len(machine.upgates.requests)

    await sold(machine, raw_product(product_id=7, stock=0))

    assert len(machine.upgates.requests) == calls + 1
    assert await machine.changes() == []


@pytest.mark.situation("after.less")
async def test_a_price_that_is_missing_takes_nothing_from_sale_at_the_first_look(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    await sold(machine, raw_product(product_id=7, prices=[], code="NEW"))
    assert [body["code"] for body in machine.target.bodies()] == ["GAR-41"]

    await look(machine)

    assert [body["code"] for body in machine.target.bodies()] == ["GAR-41", "NEW"]


@pytest.mark.situation("look.gone")
async def test_what_else_changed_at_the_product_goes_at_once(machine: Engine) -> None:
    await sold(machine, two_sizes(1, 2))
    product = two_sizes(1, 2)
    product["variants"][0]["stock"] = 0
    product["variants"][1]["stock"] = 9

    await sold(machine, product)

    assert await at_the_target(machine) == {"v-1": 3, "v-2": 9}


@pytest.mark.situation("after.less")
async def test_what_the_shop_switches_off_by_its_own_word_goes_at_once(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))

    await sold(machine, raw_product(product_id=7, active_yn=False, stock=0))

    assert await at_the_target(machine) == {"p-7": 0}


@pytest.mark.situation("after.part")
async def test_variants_that_are_made_anew_under_their_codes_follow_at_once(machine: Engine) -> None:
    await sold(machine, two_sizes(1))
    product = two_sizes(2)
    product["variants"][0]["code"] = "v-1 "

    await sold(machine, product)

    assert await at_the_target(machine) == {"v-1": "gone", "v-2": 3}


async def test_a_product_that_gets_variants_is_sold_by_them_at_once(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))

    await sold(machine, two_sizes(1))

    assert await at_the_target(machine) == {"p-7": "gone", "v-1": 3}


# --- what the shop itself says ------------------------------------------------------------------------------


@pytest.mark.situation("after.deleted")
@pytest.mark.situation("look.told")
async def test_what_was_announced_as_deleted_and_is_missing_goes_at_once(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    machine.upgates.products.clear()
    await machine.mark(Kind.PRODUCT, "7", origin=Origin.DELETION)

    await machine.drain()

    assert await at_the_target(machine) == {"p-7": "gone"}
    assert await machine.changes() == []


@pytest.mark.situation("after.deleted")
async def test_a_variant_that_was_announced_as_deleted_goes_at_once(machine: Engine) -> None:
    await sold(machine, two_sizes(1, 2))
    machine.upgates.products[7] = two_sizes(1)
    machine.watch.move(seconds=11)  # what the first read began to gather is over
    await machine.mark(Kind.VARIANT, "2", origin=Origin.DELETION)

    await machine.drain()

    assert await at_the_target(machine) == {"v-1": 3, "v-2": "gone"}


@pytest.mark.situation("after.deleted_there")
@pytest.mark.situation("look.told")
async def test_what_was_announced_as_deleted_and_still_stands_in_the_answer_is_looked_at_again(
    machine: Engine,
) -> None:
    await sold(machine, raw_product(product_id=7))
    await machine.mark(Kind.PRODUCT, "7", origin=Origin.DELETION)
    await machine.drain()
    machine.upgates.products.clear()

    await look(machine, after=timedelta(minutes=1))

    assert await at_the_target(machine) == {"p-7": "gone"}


@pytest.mark.situation("after.deleted_there")
async def test_what_was_announced_as_deleted_and_stays_is_left_alone_in_the_end(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    await machine.mark(Kind.PRODUCT, "7", origin=Origin.DELETION)
    for _ in range(5):
        await look(machine, after=timedelta(minutes=3))

    assert await at_the_target(machine) == {"p-7": 4}
    assert await machine.changes() == []
    assert await machine.value("SELECT count(*) FROM first_looks") == 0


# --- what is announced and not there yet --------------------------------------------------------------------


@pytest.mark.situation("after.created")
async def test_an_announced_order_that_is_late_is_asked_for_again_and_given_up_in_the_end(machine: Engine) -> None:
    await machine.mark(Kind.ORDER, "A")
    for _ in range(70):
        await look(machine, after=timedelta(minutes=1))

    assert len(machine.upgates.asked("/orders")) == 5
    assert await machine.changes() == []
    assert await machine.value("SELECT count(*) FROM first_looks") == 0


@pytest.mark.situation("after.created")
@pytest.mark.situation("look.order")
async def test_an_order_that_appears_after_half_an_hour_is_delivered(machine: Engine) -> None:
    await machine.mark(Kind.ORDER, "A")
    await look(machine, after=timedelta(minutes=16))
    machine.upgates.order("A")

    await look(machine, after=timedelta(minutes=45))

    assert await at_the_target(machine) == {"A": "there"}


# --- cost and safety ----------------------------------------------------------------------------------------


async def test_second_looks_share_a_call(machine: Engine) -> None:
    for number in range(1, 91):
        machine.upgates.sell(number)
    await machine.mark(Kind.PRODUCT, *map(str, range(1, 91)))
    await machine.drain()
    for number in range(1, 91):
        machine.upgates.sell(number, stock=0)
    await machine.mark(Kind.PRODUCT, *map(str, range(1, 91)))
    await machine.drain()
    calls = len(machine.upgates.requests)

    await look(machine)

    assert len(machine.upgates.requests) == calls + 1
    assert {body["stock"] for body in machine.target.bodies()[-90:]} == {Decimal(0)}


@pytest.mark.situation("after.updated")
async def test_a_second_look_that_fails_is_none(machine: Engine) -> None:
    await sold(machine, raw_product(product_id=7))
    await sold(machine, raw_product(product_id=7, stock=0))
    machine.upgates.judges.append(lambda _: httpx.Response(500, json={}))

    await look(machine, after=timedelta(hours=1))

    assert await at_the_target(machine) == {"p-7": 4}


LOOKS = st.lists(st.tuples(st.sampled_from(["whole", "empty", "part", "zero"]), st.integers(0, 9)), max_size=12)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(looks=LOOKS)
async def test_nothing_goes_that_was_not_missing_twice_minutes_apart_and_the_end_is_right(
    machine: Engine, looks: list[tuple[str, int]]
) -> None:
    answers = {"whole": two_sizes(1, 2), "part": two_sizes(1), "zero": two_sizes(1, 2)}
    answers["zero"]["variants"][1]["stock"] = 0
    await sold(machine, answers["whole"])
    machine.target.received.clear()
    less: list[float] = []  # since when every look has shown less of v-2
    clock = 0.0
    for kind, minutes in looks:
        machine.upgates.products = {7: answers[kind]} if kind != "empty" else {}
        await machine.mark(Kind.PRODUCT, "7")
        await look(machine, after=timedelta(minutes=minutes))
        clock += minutes
        less = [] if kind == "whole" else [*less, clock]
        taken = [body for body in machine.target.bodies() if body.get("gone") or not body["stock"]]
        if taken:
            assert less
            assert less[-1] - less[0] >= LAG.total_seconds() / 60
        machine.target.received.clear()
    machine.upgates.products = {7: answers["whole"]}
    await machine.mark(Kind.PRODUCT, "7")
    await look(machine, after=timedelta(hours=2))
    links = await machine.rows("SELECT key, sent FROM links WHERE shop_id = :shop_id AND kind = 'product'")
    assert all(b'"stock":3' in bytes(row["sent"]) for row in links), links
