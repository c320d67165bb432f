"""An order or a product names a status, price list or language that we have not heard of."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.facts import Upp, facts_changed, held, pricelists, sold, statuses, two_lists
from tests.support.simulated import answering
from tests.support.vendor_files import reported_fault
from upbridge.store.changes import Kind
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.uphance.target import UphanceTarget

MakeEngine = Callable[..., Awaitable[Engine]]


class Uphance(Upp):
    """Uphance with its own mapping; what it is sent, it takes."""

    def desired_documents(self, entity: Any, context: Any) -> Any:
        return _REAL.desired_documents(entity, context)

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        return _REAL.tombstone(kind, sent)


_REAL: UphanceTarget


@pytest.fixture
async def shop(make_engine: MakeEngine) -> Engine:
    """A shop that is connected to both systems, with statuses 1 (received) and 2 (cancelled)."""
    upp, uphance = Upp("upp"), Uphance("uphance")
    machine = await make_engine(targets={"upp": upp, "uphance": uphance})
    machine.target, machine.other = upp, uphance
    global _REAL  # noqa: PLW0603 - made from the tools of the engine
    make = next(one.target for one in SYSTEMS.connected if one.name == "uphance")
    assert make is not None
    real = make(machine.service.tools)
    assert isinstance(real, UphanceTarget)
    _REAL = real
    await machine.connect("uphance", connected_at=machine.watch().replace(year=2020))
    machine.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Canceled")
    machine.upgates.rare["/pricelists"] = pricelists("Výchozí", "VIP", default="Výchozí")
    await facts_changed(machine)
    machine.upgates.requests.clear()
    return machine


async def ordered(machine: Engine, *numbers: str) -> None:
    await machine.mark(Kind.ORDER, *numbers)
    for _ in range(5):
        await machine.drain()
        await machine.push("uphance")


async def parked(machine: Engine) -> list[tuple[str, str, Any]]:
    problems = await machine.problems()
    return sorted((one.target, one.key, one.params["status"]) for one in problems if "status" in one.params)


BOTH = [("uphance", "order.unknown_status", 99), ("upp", "order.unknown_status", 99)]


@pytest.mark.situation("facts.status_unknown")
async def test_the_list_is_read_once_before_an_order_in_an_unknown_status_is_decided(shop: Engine) -> None:
    case = json.loads(json.dumps(reported_fault("08"), default=float))
    [order] = case["input"]["orders"]
    shop.upgates.orders = {f"T-{number}": {**order, "order_number": f"T-{number}"} for number in range(3)}
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _2="Canceled", _99="Received")

    await ordered(shop, *shop.upgates.orders)

    assert shop.upgates.paths().count("/order-statuses") == 1, case["expected"]
    assert held(shop).keys() == shop.upgates.orders.keys()
    assert {one.key for one in shop.other.received} == shop.upgates.orders.keys()
    assert await shop.problems() == []


@pytest.mark.situation("facts.status_unknown")
async def test_an_order_whose_status_the_list_lacks_waits_with_a_problem_and_goes_when_it_is_listed(
    shop: Engine,
) -> None:
    case = json.loads(json.dumps(reported_fault("08"), default=float))
    shop.upgates.orders = {"T-1": case["input"]["orders"][0]}
    shop.upgates.rare["/order-statuses"] = case["order_statuses"]
    await ordered(shop, "T-1")
    assert shop.target.received == shop.other.received == []
    assert await parked(shop) == BOTH

    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _99="Received")
    await facts_changed(shop)
    await ordered(shop)

    assert [one.key for one in (*shop.target.received, *shop.other.received)] == ["T-1", "T-1"]
    assert await shop.problems() == []


async def test_a_status_that_turns_out_to_cancel_sends_nothing_and_is_no_problem(shop: Engine) -> None:
    shop.upgates.order("T-1", status_id=99)
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _99="Canceled")

    await ordered(shop, "T-1")

    assert shop.target.received == shop.other.received == []
    assert await shop.problems() == []


async def test_the_same_unknown_status_is_not_asked_about_again_for_hours(shop: Engine) -> None:
    shop.upgates.order("T-1", "T-2", "T-3", status_id=99)

    await ordered(shop, "T-1")
    shop.watch.move(hours=1)
    await ordered(shop, "T-2")
    assert shop.upgates.paths().count("/order-statuses") == 1

    shop.watch.move(hours=6)
    await ordered(shop, "T-3")
    assert shop.upgates.paths().count("/order-statuses") == 2


async def test_one_list_that_was_read_puts_off_no_reading_of_all_facts(shop: Engine) -> None:
    """Else a shop with new names every hour would never have its switches read."""
    before = (await shop.shop()).facts_at
    shop.watch.move(hours=1)
    shop.upgates.order("T-1", status_id=99)

    await ordered(shop, "T-1")

    assert shop.upgates.paths().count("/order-statuses") == 1
    assert (await shop.shop()).facts_at == before


async def test_many_orders_read_at_once_ask_for_the_list_once(shop: Engine) -> None:
    numbers = [f"T-{number}" for number in range(250)]
    shop.upgates.order(*numbers, status_id=99)

    await ordered(shop, *numbers)

    assert shop.upgates.paths().count("/order-statuses") == 1
    assert len(await shop.problems()) == 2 * len(numbers)


@pytest.mark.parametrize("status", [404, 500])
async def test_a_list_that_cannot_be_read_delays_no_order_and_is_read_later(shop: Engine, status: int) -> None:
    shop.upgates.order("T-1", status_id=99)
    shop.upgates.order("T-2", status_id=1)
    shop.upgates.rare["/order-statuses"] = statuses(_1="Received", _99="Received")
    shop.upgates.judges.append(answering(status, "/order-statuses", times=2))

    await ordered(shop, "T-1", "T-2")
    assert [*held(shop)] == ["T-2"]
    assert await parked(shop) == BOTH

    for _ in range(4):
        shop.watch.move(minutes=10)
        await ordered(shop)
    assert sorted(held(shop)) == ["T-1", "T-2"]


async def test_an_order_that_was_sent_stays_as_it_is_while_its_status_is_unknown(shop: Engine) -> None:
    shop.upgates.order("T-1", status_id=1)
    await ordered(shop, "T-1")
    shop.upgates.order("T-1", status_id=99, order_total=5)

    await ordered(shop, "T-1")

    assert len(shop.target.received) == len(shop.other.received) == 1
    assert await parked(shop) == BOTH


async def test_where_the_shop_shows_no_statuses_none_is_unknown(shop: Engine) -> None:
    await shop.run("UPDATE shops SET facts = facts - 'status_types' - 'status_names' - 'past_status_types'")
    shop.upgates.order("T-1", status_id=99)

    await ordered(shop, "T-1")

    assert [*held(shop)] == ["T-1"]
    assert shop.upgates.asked("/order-statuses") == []


# --- price lists and languages ------------------------------------------------------------------------------


@pytest.mark.situation("facts.renamed")
async def test_a_product_that_names_a_renamed_list_has_the_lists_read_before_it_is_mapped(shop: Engine) -> None:
    """The default list is renamed, and an edited product comes before the webhook that says so."""
    shop.upgates.sell(1, prices=[two_lists(100, 90)])
    await sold(shop, 1)
    shop.upgates.sell(1, prices=[two_lists(105, 90)])
    shop.upgates.products[1]["prices"][0]["pricelists"][0]["name"] = "Základní"
    shop.upgates.rare["/pricelists"] = pricelists("Základní", "VIP", default="Základní")
    shop.upgates.requests.clear()

    await shop.mark(Kind.PRODUCT, "1")
    await shop.pull(monotonic=iter((0.0, 0.0, 20.0)).__next__)
    await shop.push()

    assert shop.upgates.paths() == ["/products", "/pricelists"]
    assert [(one["price"], one["active"]) for one in shop.target.bodies()] == [(100, True), (105, True)]


@pytest.mark.situation("facts.renamed")
async def test_a_rule_that_names_a_renamed_list_follows_it(shop: Engine) -> None:
    def lists(*names: str) -> dict[str, Any]:
        rows = [{"id": place, "name": name, "default_yn": place == 1} for place, name in enumerate(names, start=1)]
        return {"pricelists": rows}

    shop.upgates.rare["/pricelists"] = lists("Výchozí", "VIP")
    await facts_changed(shop)
    shop.upgates.sell(1, 2, prices=[two_lists(100, 90)])
    await shop.service.settings_editor.change(await shop.shop(), {"upp.pricelist": "VIP"})
    await sold(shop, 1, 2)
    shop.upgates.rare["/pricelists"] = lists("Výchozí", "Velkoobchod")
    for product in shop.upgates.products.values():
        product["prices"][0]["pricelists"][1] |= {"name": "Velkoobchod", "price_with_vat": 85}

    await facts_changed(shop)

    assert (await shop.shop()).settings.text("upp.pricelist") == "Velkoobchod"
    assert {one["price"] for one in held(shop).values()} == {85}
    assert await shop.problems() == []


@pytest.mark.situation("facts.list_gone")
@pytest.mark.parametrize(
    ("setting", "chosen", "gone", "key"),
    [
        ("upp.pricelist", "VIP", "/pricelists", "product.unknown_pricelist"),
        ("upp.language", "sk", "/languages", "product.unknown_language"),
    ],
)
async def test_nothing_is_switched_off_because_the_chosen_list_is_gone(
    shop: Engine, setting: str, chosen: str, gone: str, key: str
) -> None:
    there = {"language_id": "sk", "default_yn": False, "active_yn": True, "currency_id": "EUR"}
    czech = {**there, "language_id": "cs", "default_yn": True, "currency_id": "CZK"}
    shop.upgates.rare["/languages"] = {"languages": [czech, there]}
    await facts_changed(shop)
    prices = two_lists(100, 90)
    shop.upgates.sell(1, prices=[prices, {**prices, "language": "sk", "currency": "EUR"}])
    await shop.service.settings_editor.change(await shop.shop(), {setting: chosen})
    await sold(shop, 1)
    before = held(shop)
    shop.upgates.rare["/languages"] = {"languages": [czech]}
    shop.upgates.rare["/pricelists"] = pricelists("Výchozí", default="Výchozí")
    left = {**prices, "pricelists": prices["pricelists"][:1]}
    shop.upgates.sell(1, prices=[left])

    await sold(shop, 1)
    await facts_changed(shop)

    assert held(shop) == before
    assert [one.key for one in await shop.problems()] == [key]

    await shop.service.settings_editor.change(await shop.shop(), {setting: ""})
    await shop.drain()
    assert held(shop)["p-1"]["price"] == 100
    assert await shop.problems() == []


@pytest.mark.parametrize(("minutes", "calls"), [(10, 0), (70, 1)])
async def test_what_a_new_product_lacks_is_not_doubted_just_after_all_facts_were_read(
    shop: Engine, minutes: int, calls: int
) -> None:
    shop.upgates.sell(1, prices=[])
    shop.watch.move(minutes=minutes)

    await sold(shop, 1)
    await sold(shop, 1)

    assert shop.upgates.paths().count("/pricelists") == calls


async def test_a_language_that_is_switched_off_is_not_asked_about(shop: Engine) -> None:
    off = {"language_id": "sk", "default_yn": False, "active_yn": False, "currency_id": "EUR"}
    shop.upgates.rare["/languages"] = {
        "languages": [{**off, "language_id": "cs", "default_yn": True, "active_yn": True}, off]
    }
    await facts_changed(shop)
    shop.upgates.requests.clear()
    shop.upgates.sell(1, prices=[two_lists(100, 90), two_lists(4, 3, language="sk")])

    await sold(shop, 1)

    assert shop.upgates.paths() == ["/products"]
