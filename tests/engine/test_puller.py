"""Reading: what is asked for, in which order, how often; and what each failure means for the lane."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import event, text

from tests.support.engine import Engine, MakeEngine
from tests.support.shops import MakeShop
from tests.support.simulated import FACTS, Target, accept, answering, mirror
from tests.support.statements import each_statement
from tests.support.upgates import raw_variant
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import DesiredDocument, Document, Entity, Unmappable
from upbridge.domain.lane import Lane
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import ShopState
from upbridge.engine import lanes, puller, readers
from upbridge.engine.puller import Puller
from upbridge.engine.runs import start_run
from upbridge.store import lanes as lane_rows
from upbridge.store.changes import Kind, Origin
from upbridge.store.runs import RunPurpose

# --- fetch once, feed all -----------------------------------------------------------------------------------


async def test_a_mark_is_read_and_feeds_every_target(machine: Engine) -> None:
    await machine.connect("uphance")
    machine.upgates.sell(1)
    await machine.mark(Kind.PRODUCT, "1")

    assert await machine.pull() is False

    assert machine.upgates.asked("/products") == [
        {"product_ids": "1", "page": "1", "current_page_items": "100"},
    ]
    assert [*await machine.documents("upp")] == [*await machine.documents("uphance")] == ["p-1"]
    assert await machine.changes() == []
    assert sorted(lane.name for lane in machine.woken.lanes) == ["push:uphance", "push:upp"]


@pytest.mark.rule("R53")
async def test_many_marks_share_a_call(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 251))
    await machine.mark(Kind.PRODUCT, *[str(number) for number in range(1, 251)])

    await machine.pull()

    assert len(machine.upgates.asked("/products")) == 3
    assert len(await machine.documents()) == 250


async def test_many_orders_cost_no_more_statements_than_one_and_roll_nothing_back(machine: Engine) -> None:
    """The driver forgets what it has prepared on a connection where something is rolled back."""
    await machine.connect("uphance")
    machine.upgates.order("A-0")
    await machine.mark(Kind.ORDER, "A-0")
    await machine.pull()  # the first call of a shop is a case of its own
    undone: list[object] = []
    event.listen(machine.db.sync_engine, "rollback", undone.append)
    asked: list[list[str]] = []

    for numbers in (["B-1"], [f"C-{number}" for number in range(90)]):
        for number in numbers:
            machine.upgates.order(number)
        machine.watch.move(minutes=1)
        await machine.mark(Kind.ORDER, *numbers)
        asked.append([])
        undone.clear()
        with each_statement(machine.db, asked[-1].append):
            await machine.pull()
        assert undone == []
        assert {*numbers} <= {*await machine.documents()}

    assert len(asked[0]) == len(asked[1]) <= 39


async def test_orders_go_before_products(machine: Engine) -> None:
    machine.upgates.sell(1)
    machine.upgates.order("A-1")
    await machine.mark(Kind.PRODUCT, "1")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert machine.upgates.paths() == ["/orders", "/products"]
    assert {key: row["priority"] for key, row in (await machine.documents()).items()} == {
        "A-1": Purpose.ORDERS,
        "p-1": Purpose.PRODUCTS,
    }


async def test_what_is_not_due_fills_a_call_that_is_made_anyway(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1")
    later = machine.watch.now.replace(year=machine.watch.now.year + 1)
    await machine.mark(Kind.PRODUCT, "2", due_at=later)

    await machine.pull()

    assert [call["product_ids"] for call in machine.upgates.asked("/products")] == ["1;2"]


async def test_what_is_not_due_fills_no_call_for_other_things(machine: Engine) -> None:
    """A second look at an order waits for its time, and not for each page of products that is read meanwhile."""
    later = machine.watch.now.replace(year=machine.watch.now.year + 1)
    await machine.mark(Kind.ORDER, "A-1", due_at=later, purpose=Purpose.PRODUCTS)
    await machine.mark(Kind.PRODUCT, *map(str, range(1, 100)))
    await machine.mark(Kind.PRODUCT, *map(str, range(200, 300)), due_at=later)

    await machine.pull()

    [call] = machine.upgates.asked("/products")
    assert len(call["product_ids"].split(";")) == 100
    assert machine.upgates.asked("/orders") == []


async def test_what_is_not_due_makes_no_call(machine: Engine) -> None:
    later = machine.watch.now.replace(year=machine.watch.now.year + 1)
    await machine.mark(Kind.PRODUCT, "2", due_at=later)

    assert await machine.pull() is False
    assert machine.upgates.requests == []


async def test_what_no_target_wants_costs_no_call(make_engine: MakeEngine) -> None:
    machine = await make_engine(connected=False)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert machine.upgates.requests == []
    assert await machine.changes() == []


@pytest.mark.rule("R52")
async def test_the_facts_come_first_and_once(make_engine: MakeEngine) -> None:
    machine = await make_engine(facts=None)
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert machine.upgates.paths()[-1] == "/orders"
    assert machine.upgates.paths().count("/owner") == 1
    assert (await machine.shop()).name == "Dílna"


async def test_facts_that_are_refused_block_the_lane_instead_of_being_asked_for_in_a_circle(
    make_engine: MakeEngine,
) -> None:
    machine = await make_engine(facts=None)
    machine.upgates.judges.append(answering(400))
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert machine.upgates.paths() == ["/status", "/languages"]
    assert await machine.lane("pull:upgates") is not None


# --- deletion -----------------------------------------------------------------------------------------------


async def test_a_product_is_deleted_only_when_the_api_confirms_it(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1", "2")
    await machine.drain()
    del machine.upgates.products[1]
    await machine.mark(Kind.PRODUCT, "1", "2", origin=Origin.DELETION)

    await machine.drain()

    assert machine.target.bodies()[2:] == [{"id": "p-1", "gone": True}]


async def test_a_cut_list_deletes_nothing(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1", "2")
    await machine.drain()

    def half(request: httpx.Request) -> httpx.Response | None:
        answer = {"number_of_pages": 1, "number_of_items": 2, "products": [machine.upgates.products[2]]}
        return httpx.Response(200, json=answer) if "/products" in str(request.url) else None

    machine.upgates.judges.append(half)
    await machine.mark(Kind.PRODUCT, "1", "2")

    await machine.drain()

    assert machine.target.times() == {"p-1": 1, "p-2": 1}
    assert [row["key"] for row in await machine.changes()] == ["1", "2"]


async def test_an_unreadable_product_is_neither_deleted_nor_in_the_way(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1", "2")
    await machine.drain()
    machine.upgates.sell(1, active_yn="perhaps")
    machine.upgates.sell(2, stock=9)
    await machine.mark(Kind.PRODUCT, "1", "2")

    await machine.drain()

    assert machine.target.times() == {"p-1": 1, "p-2": 2}
    assert [(problem.key, problem.entity) for problem in await machine.problems()] == [("product.unreadable", "1")]


async def test_where_one_does_not_say_which_it_is_none_is_taken_for_deleted(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1", "2")
    await machine.drain()
    nameless = {**machine.upgates.products[1], "product_id": None}

    def answer(request: httpx.Request) -> httpx.Response | None:
        rows = [nameless, machine.upgates.products[2]]
        return httpx.Response(200, json={"number_of_pages": 1, "number_of_items": 2, "products": rows})

    machine.upgates.judges.append(answer)
    await machine.mark(Kind.PRODUCT, "1", "2")

    await machine.drain()

    assert machine.target.times() == {"p-1": 1, "p-2": 1}


@pytest.mark.rule("R44")
async def test_a_deleted_variant_has_its_product_read_again(machine: Engine) -> None:
    variants = [{"variant_id": 5, "code": "V-5"}, {"variant_id": 6, "code": "V-6"}]
    machine.upgates.sell(1, variants=variants)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.drain()
    machine.upgates.sell(1, variants=variants[1:])
    machine.watch.move(seconds=11)  # what the first read began to gather is over
    await machine.mark(Kind.VARIANT, "5", "777", origin=Origin.DELETION)

    await machine.drain()

    assert machine.target.bodies()[2:] == [{"id": "v-5", "gone": True}]
    assert await machine.changes() == []


async def test_what_is_deleted_during_its_first_sending_is_retired_by_itself(machine: Engine) -> None:
    machine.upgates.sell(1)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.pull()

    async def meanwhile(documents: Sequence[Document]) -> Any:
        if machine.upgates.products:
            machine.upgates.products.clear()
            await machine.mark(Kind.PRODUCT, "1", origin=Origin.DELETION)
            await machine.pull()
        async for said in accept(documents):
            yield said

    machine.target.script = meanwhile
    await machine.push()
    calls = len(machine.upgates.requests)
    await machine.pull()
    assert len(machine.upgates.requests) == calls, "it is looked at again later, not in a circle"

    machine.watch.move(minutes=1)
    await machine.drain()

    assert machine.target.bodies()[-1] == {"id": "p-1", "gone": True}
    assert await machine.changes() == []


# --- a refused question -------------------------------------------------------------------------------------


async def test_a_refused_batch_is_halved_down_to_the_one_bad_key(machine: Engine) -> None:
    numbers = [f"A-{number}" for number in range(8)]
    machine.upgates.order(*numbers)

    def judge(request: httpx.Request) -> httpx.Response | None:
        bad = "A-5" in request.url.params.get("order_numbers", "").split(";")
        return httpx.Response(400, json={}) if bad else None

    machine.upgates.judges.append(judge)
    await machine.mark(Kind.ORDER, *numbers)

    await machine.pull()

    assert len(await machine.documents()) == 7
    [left] = await machine.changes()
    assert (left["key"], left["attempts"]) == ("A-5", 1)
    assert left["due_at"] > machine.watch()
    assert await machine.lane("pull:upgates") is None


async def test_what_stays_refused_becomes_a_problem(machine: Engine) -> None:
    machine.upgates.judges.append(answering(400, "/orders"))
    await machine.mark(Kind.ORDER, "A-5")

    for _ in range(puller.MAX_ATTEMPTS):
        assert await machine.problems() == []
        await machine.pull()
        machine.watch.move(hours=2)

    assert await machine.changes() == []
    [problem] = await machine.problems()
    assert (problem.key, problem.entity, problem.target) == ("read.refused", "A-5", "upgates")
    assert len(machine.upgates.asked("/orders")) == puller.MAX_ATTEMPTS


async def test_a_problem_of_a_refused_question_closes_when_it_is_answered(machine: Engine) -> None:
    machine.upgates.judges.append(answering(400, "/orders"))
    await machine.mark(Kind.ORDER, "A-5")
    for _ in range(puller.MAX_ATTEMPTS):
        await machine.pull()
        machine.watch.move(hours=2)
    machine.upgates.judges.clear()
    machine.upgates.order("A-5")
    await machine.mark(Kind.ORDER, "A-5")

    await machine.pull()

    assert await machine.problems() == []


@pytest.mark.parametrize("status", [404, 405, 500, 502])
async def test_an_answer_that_is_about_the_whole_call_blocks_the_lane(machine: Engine, status: int) -> None:
    machine.upgates.judges.append(answering(status, "/orders"))
    await machine.mark(Kind.ORDER, "A-1", "A-2")

    assert await machine.pull() is False

    assert len(machine.upgates.requests) == 1
    assert len(await machine.changes()) == 2
    row = await machine.lane("pull:upgates")
    assert row is not None
    assert row["until"] > machine.watch()


async def test_a_call_on_which_the_server_stumbles_holds_up_no_other(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 151))
    machine.upgates.judges.append(answering(500, "product_ids=1%3B"))
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(1, 151)))

    await machine.pull()

    assert len(await machine.documents()) == 50
    assert {row["attempts"] for row in await machine.changes()} == {1}


async def test_the_one_thing_on_which_the_server_stumbles_ends_up_alone(machine: Engine) -> None:
    numbers = [f"A-{number}" for number in range(50)]
    machine.upgates.order(*numbers)

    def judge(request: httpx.Request) -> httpx.Response | None:
        bad = "A-7" in request.url.params.get("order_numbers", "").split(";")
        return httpx.Response(500, json={}) if bad else None

    machine.upgates.judges.append(judge)
    await machine.mark(Kind.ORDER, *numbers)
    for _ in range(20):
        await machine.pull()
        machine.watch.move(hours=1)

    assert len(await machine.documents()) == 49
    assert [row["key"] for row in await machine.changes()] == ["A-7"]
    [problem] = await machine.problems()
    assert (problem.key, problem.entity) == ("read.refused", "A-7")

    machine.upgates.judges.clear()
    await machine.pull()

    assert len(await machine.documents()) == 50
    assert await machine.problems() == []


async def test_a_lane_that_fails_waits_longer_each_time_and_forgets_when_it_works(machine: Engine) -> None:
    machine.upgates.judges.append(answering(500))
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    pauses = []
    for _ in range(3):
        await machine.pull()
        row = await machine.lane("pull:upgates")
        assert row is not None
        pauses.append((row["until"] - machine.watch()).total_seconds())
        machine.watch.now = row["until"]
    assert pauses == [2, 4, 8]

    machine.upgates.judges.clear()
    await machine.pull()

    assert await machine.lane("pull:upgates") is None
    assert [*await machine.documents()] == ["A-1"]


# --- waiting for budget -------------------------------------------------------------------------------------


async def test_an_import_without_budget_lets_orders_pass(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())
    machine.upgates.order("A-1")
    lane = Lane.pull(machine.shop_id, "upgates")
    until = machine.watch.now.replace(year=machine.watch.now.year + 1)
    await lanes.block(
        machine.db, lane, reason="no budget", now=machine.watch(), until=until, priority=int(Purpose.IMPORT)
    )
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []
    await machine.mark(Kind.ORDER, "A-1")
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == [lane]

    await machine.pull()

    assert [*await machine.documents()] == ["A-1"]
    assert [kind for kind, _ in await machine.change_keys()] == ["products.page"]


async def test_a_lane_that_waits_for_the_login_breaker_says_so(machine: Engine, make_shop: MakeShop) -> None:
    for _ in range(2):
        dead = await make_shop()
        await machine.run(
            "INSERT INTO failed_logins (shop_id, at) VALUES (:dead, :now)", dead=dead, now=machine.watch()
        )
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    async with machine.db.connect() as tx:
        [block] = (await lane_rows.blocks_of(tx, machine.shop_id, now=machine.watch())).values()
    assert (block.asked, block.logins) == (True, True)
    assert block.until == machine.watch() + timedelta(hours=1)
    assert machine.upgates.asked("/orders") == []


async def test_waiting_for_budget_blocks_only_what_has_none_and_counts_no_attempt(machine: Engine) -> None:
    """An hour of 10 calls: the import leaves 40 % of it to the others."""
    await machine.service.ledger.set_tariff(machine.shop_id, "bronze")
    await machine.run("UPDATE budgets SET day_used = 100, hour_used = 7")
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await machine.pull()

    row = await machine.lane("pull:upgates")
    assert row is not None
    assert (row["priority"], row["until"] > machine.watch()) == (Purpose.IMPORT, True)
    assert [one["attempts"] for one in await machine.changes()] == [0]
    assert machine.upgates.requests == []
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    assert [*await machine.documents()] == ["A-1"]


@pytest.mark.rule("R49")
async def test_too_many_requests_closes_the_lane_until_they_say(machine: Engine) -> None:
    machine.upgates.judges.append(answering(429, Retry_After="120"))
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    row = await machine.lane("pull:upgates")
    assert row is not None
    assert 119 <= (row["until"] - machine.watch()).total_seconds() <= 121
    assert [one["attempts"] for one in await machine.changes()] == [0]


def reading_orders_by(machine: Engine, reader: readers.ChangeReader) -> Puller:
    """A puller to which *reader* tells about orders."""
    ours = machine.service.readers
    return replace(machine.service.puller, readers=replace(ours, platform={**ours.platform, Kind.ORDER: reader}))


async def test_the_gravest_of_several_failures_decides(machine: Engine) -> None:
    errors = iter(
        [
            Unreachable(),
            LoginRefused("401"),
            Throttled(until=machine.watch.now.replace(year=machine.watch.now.year + 1)),
        ]
    )

    async def fail(*_: object) -> None:
        raise next(errors)

    reader = reading_orders_by(machine, readers.ChangeReader(fail, 1))
    await machine.mark(Kind.ORDER, "A-1", "A-2", "A-3")

    await machine.pull(by=reader)

    assert (await machine.shop()).state is ShopState.SUSPENDED


async def test_an_unforeseen_error_is_raised(machine: Engine) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    reader = reading_orders_by(machine, readers.ChangeReader(fail, 100))
    await machine.mark(Kind.ORDER, "A-1")

    with pytest.raises(ZeroDivisionError):
        await machine.pull(by=reader)


# --- during the work ----------------------------------------------------------------------------------------


async def test_a_mark_during_the_reading_is_read_again(machine: Engine) -> None:
    machine.upgates.order("A-1")
    machine.upgates.order("A-1", order_total=331)

    marked: list[httpx.Request] = []

    async def first(request: httpx.Request) -> None:
        if not marked:
            marked.append(request)
            await machine.mark(Kind.ORDER, "A-1")

    machine.service.http.event_hooks["request"].append(first)
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()
    machine.watch.move(seconds=10)
    await machine.pull()

    assert len(machine.upgates.asked("/orders")) == 2
    assert await machine.changes() == []


async def test_no_transaction_is_open_while_another_system_is_asked(machine: Engine) -> None:
    machine.upgates.order("A-1")
    open_ones: list[Any] = []

    async def look(_request: httpx.Request) -> None:
        async with machine.db.connect() as tx:
            rows = await tx.execute(
                text(
                    "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
                )
            )
            open_ones.extend(rows.all())

    machine.service.http.event_hooks["request"].append(look)
    await machine.mark(Kind.ORDER, "A-1")
    await machine.mark(Kind.FACTS, "facts")

    await machine.drain()

    assert len(machine.upgates.requests) > 1
    assert open_ones == []


# --- parameters ---------------------------------------------------------------------------------------------


def worn(request: httpx.Request) -> httpx.Response | None:
    """The colours of the products' variants, where they are asked for."""
    if not request.url.path.endswith("/products/parameters"):
        return None
    ids = [int(number) for number in request.url.params["product_ids"].split(";")]
    rows = [
        {
            "product_id": number,
            "variants": [{"variant_id": number * 10, "parameters": [_spoken("Barva", "Colour", "bílá", "white")]}],
        }
        for number in ids
    ]
    return httpx.Response(
        200,
        json={
            "products": rows,
            "current_page": 1,
            "current_page_items": len(rows),
            "number_of_pages": 1,
            "number_of_items": len(rows),
        },
    )


def _spoken(cs: str, en: str, cs_value: str, en_value: str) -> dict[str, Any]:
    return {"name": {"cs": cs, "en": en}, "values": [{"cs": cs_value, "en": en_value}]}


def parameters_of(machine: Engine, target: Target) -> list[tuple[tuple[str, str], ...]]:
    """Have *target* say which parameters it sees."""
    seen: list[tuple[tuple[str, str], ...]] = []

    def wants(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
        assert isinstance(entity, Product)
        seen.extend(variant.parameters for variant in entity.variants)
        return mirror(entity)

    target.mapping = wants
    machine.upgates.judges.append(worn)
    for number in (1, 2):
        machine.upgates.sell(number, variants=[raw_variant(variant_id=number * 10)])
    return seen


@pytest.mark.parametrize(
    ("system", "shop_settings", "asked"),
    [
        ("upp", {"upp.variant_titles": True}, [(("Barva", "bílá"),)] * 2),
        ("upp", {"upp.variant_titles": True, "upp.language": "en"}, [(("Colour", "white"),)] * 2),
        ("uphance", {"uphance.create_products": True}, [(("Barva", "bílá"),)] * 2),
        ("upp", {"uphance.create_products": True}, [()] * 2),
        ("upp", {}, [()] * 2),
    ],
)
async def test_parameters_are_read_where_a_target_shows_them_and_cost_one_call(
    make_engine: MakeEngine, system: str, shop_settings: dict[str, Any], asked: list[Any]
) -> None:
    machine = await make_engine(connected=False, settings=shop_settings)
    await machine.connect(system)
    seen = parameters_of(machine, machine.target if system == "upp" else machine.other)
    await machine.mark(Kind.PRODUCT, "1", "2")

    await machine.pull()

    assert seen == asked
    assert len(machine.upgates.asked("/products/parameters")) == (1 if any(asked) else 0)


async def test_the_first_import_reads_parameters_page_by_page(make_engine: MakeEngine) -> None:
    machine = await make_engine(settings={"upp.variant_titles": True})
    seen = parameters_of(machine, machine.target)
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await machine.drain()

    assert seen == [(("Barva", "bílá"),)] * 2
    assert [call["product_ids"] for call in machine.upgates.asked("/products/parameters")] == ["1;2"]


async def test_a_product_without_variants_has_no_parameters_to_ask_for(make_engine: MakeEngine) -> None:
    machine = await make_engine(settings={"upp.variant_titles": True})
    machine.upgates.sell(1)
    await machine.mark(Kind.PRODUCT, "1")

    await machine.pull()

    assert machine.upgates.asked("/products/parameters") == []


async def test_a_shop_that_keeps_prices_without_vat_is_read_as_such(make_engine: MakeEngine) -> None:
    machine = await make_engine(facts={**FACTS, "prices_with_vat": False})
    shown: list[Decimal | None] = []

    def wants(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
        assert isinstance(entity, Product)
        shown.extend(price.with_vat for variant in entity.variants for price in variant.prices)
        return ()

    machine.target.mapping = wants
    lists = [{"name": "Výchozí", "price_original": 100}]
    machine.upgates.sell(1, prices=[{"language": "cs", "currency": "CZK", "vat": 21, "pricelists": lists}])
    await machine.mark(Kind.PRODUCT, "1")

    await machine.pull()

    assert shown == [Decimal("121.00")]
