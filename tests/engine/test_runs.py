"""Whole lists: the first import, the safety net, the search for deleted products. Nothing is skipped, ever."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine
from tests.support.simulated import answering
from tests.support.statements import each_statement
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.engine import puller
from upbridge.engine.runs import pause_imports, resume_imports, start_run
from upbridge.engine.scheduler import start_reconciliation
from upbridge.engine.second_look import lag_of
from upbridge.insights.flow_states import see
from upbridge.store.change_queries import claim
from upbridge.store.changes import Kind, Origin, PageKey
from upbridge.store.runs import Run, RunPurpose, RunState, latest_runs


async def begin(machine: Engine, kind: str = "product", purpose: RunPurpose = RunPurpose.IMPORT) -> int:
    async with machine.db.begin() as tx:
        return await start_run(tx, machine.shop_id, kind, purpose, since=None, now=machine.watch())


async def run_of(machine: Engine, kind: str = "product", purpose: RunPurpose = RunPurpose.IMPORT) -> Run:
    return (await latest_runs(machine.db, machine.shop_id, purpose))[kind]


async def net(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        await start_reconciliation(tx, machine.shop_id, now=machine.watch())


def pages_asked(machine: Engine, path: str = "/products") -> list[str]:
    return [call["page"] for call in machine.upgates.asked(path) if "product_ids" not in call]


def test_a_page_key_can_be_read_back() -> None:
    assert PageKey.parse(str(PageKey(12, 345))) == PageKey(12, 345)


# --- page by page -------------------------------------------------------------------------------------------


async def test_every_page_is_read_and_counted(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 46))
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.complete, run.total, run.pages, run.done) == (RunState.DONE, True, 45, 10, 45)
    assert run.finished_at == machine.watch()
    assert pages_asked(machine) == ["1", "2", "3", "4", "5"] * 2  # two looks, because the server chose the size
    assert len(machine.target.times()) == 45
    assert await machine.changes() == []


async def test_a_server_that_takes_our_page_size_is_read_once(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 291))
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.complete, run.total, run.pages, run.done) == (RunState.DONE, True, 290, 3, 290)
    assert len(pages_asked(machine)) == 3


async def test_an_empty_list_is_a_finished_run(machine: Engine) -> None:
    await begin(machine)

    await machine.pull()

    run = await run_of(machine)
    assert (run.state, run.total, run.done) == (RunState.DONE, 0, 0)


async def test_what_orders_wait_for_comes_with_the_list_and_the_rest_is_asked_for_when_that_has_ended(
    machine: Engine,
) -> None:
    machine.upgates.sell(1, 2)
    machine.upgates.sell(3, archived_yn=True)
    soon = machine.watch() + timedelta(minutes=1)
    await machine.mark(Kind.PRODUCT, "1", "3", origin=Origin.SCHEDULE, purpose=Purpose.ORDERS, due_at=soon)
    await begin(machine)

    await machine.drain()

    assert pages_asked(machine) == ["1"]
    assert [call["product_ids"] for call in machine.upgates.asked("/products") if "product_ids" in call] == ["3"]
    assert await machine.changes() == []


async def test_what_the_shop_announced_while_a_list_is_read_is_read_by_itself(machine: Engine) -> None:
    machine.upgates.sell(1)
    later = machine.watch() + timedelta(seconds=5)
    await machine.mark(Kind.PRODUCT, "1", due_at=later)
    await begin(machine)

    await machine.drain()

    assert [row["key"] for row in await machine.changes()] == ["1"]


async def test_an_import_asks_only_for_what_is_on_sale(machine: Engine) -> None:
    machine.upgates.sell(1)
    machine.upgates.sell(2, active_yn=False)
    machine.upgates.sell(3, archived_yn=True)
    await begin(machine)

    await machine.drain()

    assert [call["active_yn"] + call["archived_yn"] for call in machine.upgates.asked("/products")] == [
        "truefalse"
    ]
    assert [*machine.target.times()] == ["p-1"]


async def test_an_unreadable_entity_is_counted_and_named(machine: Engine) -> None:
    machine.upgates.sell(1, 2)
    machine.upgates.sell(3, active_yn="perhaps")
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.done) == (RunState.DONE, 3)
    assert [problem.entity for problem in await machine.problems()] == ["3"]


async def test_pages_that_appear_during_the_run_are_read_too(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 21))

    def grow(request: httpx.Request) -> None:
        if request.url.params.get("page") == "2":
            machine.upgates.sell(*range(21, 26))

    machine.upgates.judges.append(grow)
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.total, run.done) == (RunState.DONE, 25, 25)
    assert len(machine.target.times()) == 25


async def test_a_list_that_shrinks_is_read_once_more(machine: Engine) -> None:
    """Product 11 moves to page 1 when product 1 goes, after page 1 was read."""
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))

    def shrink(request: httpx.Request) -> None:
        if request.url.params.get("page") != "1":
            machine.upgates.products.pop(1, None)

    machine.upgates.judges.append(shrink)
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.complete, run.total) == (RunState.DONE, True, 29)
    assert machine.target.times().keys() == {f"p-{number}" for number in range(1, 31)}


async def test_a_list_that_shrinks_all_the_time_ends_the_run_some_day(machine: Engine) -> None:
    machine.upgates.page_size = 5
    machine.upgates.sell(*range(1, 61))

    def shrink(request: httpx.Request) -> None:
        if request.url.params.get("page") != "1":
            machine.upgates.products.pop(next(iter(machine.upgates.products)), None)

    machine.upgates.judges.append(shrink)
    await begin(machine)

    await machine.drain()

    run = await run_of(machine)
    assert run.state is RunState.DONE
    assert not run.complete
    assert len(pages_asked(machine)) < 60


# --- joining ------------------------------------------------------------------------------------------------


@pytest.mark.rule("R54")
async def test_a_run_under_way_is_joined(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 25))
    first = await begin(machine)

    assert await begin(machine) == first

    await machine.drain()
    assert pages_asked(machine) == ["1", "2", "3"] * 2
    assert await begin(machine) != first


async def test_a_run_that_covers_less_is_not_joined(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        late, early = machine.watch(), machine.watch() - timedelta(days=30)

        async def since(moment: Any) -> int:
            return await start_run(
                tx, machine.shop_id, "order", RunPurpose.IMPORT, since=moment, now=machine.watch()
            )

        first, second, third = await since(late), await since(early), await since(late)

    assert first != second
    assert third == second


async def test_the_runs_of_two_shops_are_two_runs(machine: Engine) -> None:
    first = await begin(machine)
    machine.shop_id = await machine.make_shop()

    assert await begin(machine) != first


# --- a kill at any point ------------------------------------------------------------------------------------

STEPS = ("INSERT INTO documents", "UPDATE runs")


class Killed(BaseException):
    """The process is gone in the middle of a transaction."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_a_kill_in_any_page_repeats_that_and_the_next_at_most(
    machine: Engine, step: str, number: int
) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 36))
    await begin(machine)
    seen = 0

    def die(statement: str) -> None:
        nonlocal seen
        seen += statement.startswith(step)
        if seen == number:
            raise Killed

    page_by_page = replace(machine.service.puller, batch=1)
    with each_statement(machine.db, die), pytest.raises(Killed):
        await machine.drain(by=page_by_page)
    await machine.db.dispose()  # its sessions go with a process, and the lane with its session
    assert (await run_of(machine)).state is RunState.RUNNING

    await machine.drain(by=page_by_page)

    run = await run_of(machine)
    assert (run.state, run.done, run.total) == (RunState.DONE, 35, 35)
    asked = pages_asked(machine)
    assert sorted(set(asked)) == ["1", "2", "3", "4"]
    assert len(asked) in {9, 10}
    assert set(machine.target.times().values()) == {1}
    assert len(machine.target.times()) == 35


# --- pages that are never read ------------------------------------------------------------------------------


async def test_a_page_that_stays_refused_does_not_keep_the_run_alive_for_ever(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))
    machine.upgates.judges.append(answering(400, "page=2"))
    first = await begin(machine)

    for _ in range(puller.MAX_ATTEMPTS + 1):
        await machine.drain()
        machine.watch.move(hours=2)

    run = await run_of(machine)
    assert (run.state, run.complete) == (RunState.DONE, False)
    assert len(machine.target.times()) == 30  # what is on the page was asked for by id
    machine.upgates.judges.clear()
    assert await begin(machine) != first
    await machine.drain()
    assert (await run_of(machine)).complete


async def test_an_import_that_no_target_wanted_any_more_can_be_started_again(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))
    await begin(machine)
    await machine.service.connections.disconnect(machine.shop_id, "upp", now=machine.watch())
    await machine.pull()
    assert await machine.changes() == []

    await machine.connect("upp", account="client")
    await begin(machine)
    await machine.drain()

    assert (await run_of(machine)).state is RunState.DONE
    assert len(machine.target.times()) == 30


async def test_an_import_of_what_the_shop_does_not_show_can_be_started_again(machine: Engine) -> None:
    machine.upgates.sell(1)
    await machine.run("""UPDATE shops SET facts = facts || '{"rights": {"products": "deny"}}'""")
    await begin(machine)
    await machine.pull()
    assert machine.upgates.requests == []
    assert [problem.key for problem in await machine.problems()] == ["shop.no_right"]

    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()

    assert machine.target.times() == {"p-1": 1}
    assert await machine.problems() == []


# --- the safety net -----------------------------------------------------------------------------------------


def stamp(machine: Engine, **ago: float) -> str:
    return (machine.watch() - timedelta(**ago)).isoformat()


@pytest.mark.rule("R38")
async def test_the_net_repairs_and_counts_what_no_webhook_announced(machine: Engine) -> None:
    machine.upgates.sell(1, 2, 3, last_update_time=stamp(machine, days=9))
    machine.upgates.order("A-1", "A-2", last_update_time=stamp(machine, days=9))
    await begin(machine)
    await machine.mark(Kind.ORDER, "A-1", "A-2", origin=Origin.IMPORT)
    await machine.drain()
    machine.target.received.clear()
    # three changes: one is announced and waits, one is announced and was read, one is not announced
    recently = stamp(machine, minutes=1)
    machine.upgates.sell(1, 2, 3, stock=9, last_update_time=recently)
    machine.upgates.order("A-2", order_total=999, last_update_time=recently)
    await machine.mark(Kind.PRODUCT, "2")
    await machine.drain()
    await machine.mark(Kind.PRODUCT, "1", due_at=machine.watch() + timedelta(hours=1))
    machine.watch.move(minutes=1)
    await machine.run("UPDATE changes SET attempts = 1")  # so that it does not fill a call

    await net(machine)
    await machine.drain()

    products = await run_of(machine, "product", RunPurpose.SAFETY_NET)
    orders = await run_of(machine, "order", RunPurpose.SAFETY_NET)
    assert (products.done, products.found) == (3, 1)
    assert (orders.done, orders.found) == (1, 1)
    assert machine.target.times() == {"p-1": 1, "p-2": 1, "p-3": 1, "A-2": 1}


async def test_the_net_sees_what_has_just_left_the_shop(machine: Engine) -> None:
    machine.upgates.sell(1)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.drain()
    machine.upgates.sell(1, active_yn=False, stock=0, last_update_time=stamp(machine))

    await net(machine)
    await machine.drain()

    assert machine.target.times() == {"p-1": 2}


async def test_a_net_reaches_back_an_hour_before_the_last_one(machine: Engine) -> None:
    first = machine.watch()
    await net(machine)
    await machine.drain()
    machine.watch.move(hours=24)

    await net(machine)

    run = await run_of(machine, "order", RunPurpose.SAFETY_NET)
    assert run.since == first - timedelta(hours=1)


async def test_a_net_that_joined_a_slow_one_leaves_no_gap(machine: Engine) -> None:
    """The slow run may have read its pages before the second net: what changed meanwhile is the third one's."""
    first = machine.watch()
    await net(machine)
    machine.watch.move(hours=24)
    await net(machine)
    await machine.drain()
    machine.watch.move(hours=24)

    await net(machine)

    run = await run_of(machine, "order", RunPurpose.SAFETY_NET)
    assert run.since is not None
    assert run.since <= first


async def test_the_net_asks_about_orders_that_are_not_through_yet(machine: Engine) -> None:
    """A deleted order is in no list, and its pieces count as sold until the search for deleted entities finds
    it."""
    machine.upgates.order("A-1", "A-2", last_update_time=stamp(machine, days=9))
    await machine.run(
        "INSERT INTO open_order_lines (shop_id, order_number, position, quantity, pending, ordered_at)"
        " VALUES (:shop_id, 'A-1', 0, 1, true, now()), (:shop_id, 'A-9', 0, 1, true, now())"
    )

    await net(machine)
    await machine.drain()

    [asked] = machine.upgates.asked("/orders", order_numbers="A-1;A-9")
    assert asked["page"] == "1"


# --- deleted products ---------------------------------------------------------------------------------------


async def imported(machine: Engine, count: int) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, count + 1), last_update_time=stamp(machine, days=9))
    await begin(machine)
    await machine.drain()
    machine.watch.move(minutes=1)
    machine.upgates.requests.clear()


@pytest.mark.rule("R38")
async def test_the_net_finds_a_product_that_vanished_without_a_word(machine: Engine) -> None:
    await imported(machine, 25)
    for number in (3, 14):
        del machine.upgates.products[number]

    await net(machine)
    await machine.drain()
    assert machine.target.bodies()[25:] == []
    machine.watch.move(seconds=lag_of(10).total_seconds())
    await machine.drain()

    assert (await run_of(machine, "product", RunPurpose.SWEEP)).state is RunState.DONE
    gone = sorted(machine.target.bodies()[25:], key=lambda body: str(body["id"]))
    assert gone == [{"id": "p-14", "gone": True}, {"id": "p-3", "gone": True}]
    asked = [call["product_ids"] for call in machine.upgates.asked("/products") if "product_ids" in call]
    assert [set(ids.split(";")) for ids in asked] == [{"3", "14"}, {"3", "14"}]
    assert await machine.value("SELECT count(*) FROM variants") == 23


async def test_a_search_reads_no_page_twice_and_needs_no_count_of_its_own(machine: Engine) -> None:
    """The count that differs was read from the first page, and the list tells its length."""
    await imported(machine, 150)
    machine.upgates.page_size = 100
    del machine.upgates.products[3]

    await net(machine)
    for _ in range(3):
        await machine.drain()
        machine.watch.move(seconds=lag_of(10).total_seconds())

    lists = [call for call in machine.upgates.asked("/products", active_yn="true") if "product_ids" not in call]
    assert [call["page"] for call in lists] == ["1", "2"]
    async with machine.db.connect() as tx:
        counted = (await see(tx, machine.service.systems, machine.shop_id)).counted["product"]
    assert (counted.shop_says, counted.known) == (149, 149)


async def test_where_the_numbers_agree_one_call_is_enough(machine: Engine) -> None:
    await imported(machine, 25)

    await net(machine)
    await machine.drain()

    assert len(machine.upgates.asked("/products")) == 2  # what changed, and how many there are
    assert "product" not in await latest_runs(machine.db, machine.shop_id, RunPurpose.SWEEP)


async def test_a_sweep_deletes_nothing_that_the_api_still_has(machine: Engine) -> None:
    """A product that a list skips while it is read is not deleted at the target."""
    await imported(machine, 25)
    hidden = machine.upgates.products[7]

    def skip(request: httpx.Request) -> None:
        if "product_ids" in request.url.params:
            machine.upgates.products[7] = hidden
        else:
            machine.upgates.products.pop(7, None)

    machine.upgates.judges.append(skip)
    await net(machine)
    await machine.drain()

    assert machine.target.times()["p-7"] == 1


async def test_the_imports_of_a_shop_read_products_and_the_orders_of_the_last_days(machine: Engine) -> None:
    shop: Shop = await machine.shop()
    rows = await machine.service.connections.of(machine.shop_id)
    async with machine.db.begin() as tx:
        runs = await machine.service.imports.start(tx, shop, rows)

    assert len(runs) == 2
    order = await run_of(machine, "order")
    assert order.since == rows["upp"].connected_at - timedelta(days=30)


# --- pause and resume ---------------------------------------------------------------------------------------


async def pause(machine: Engine) -> int:
    async with machine.db.begin() as tx:
        return await pause_imports(tx, machine.shop_id)


async def resume(machine: Engine) -> int:
    async with machine.db.begin() as tx:
        return await resume_imports(tx, machine.shop_id, now=machine.watch())


async def test_a_paused_import_asks_nothing_and_goes_on_where_it_stopped(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 46))
    await begin(machine)
    await read_first_page(machine)

    assert await pause(machine) == 1
    await machine.drain()
    asked = pages_asked(machine)
    machine.watch.move(days=3)
    await machine.drain()

    run = await run_of(machine)
    assert (run.state, run.done) == (RunState.PAUSED, 10)
    assert pages_asked(machine) == asked == ["1"]
    assert await resume(machine) == 1
    await machine.drain()
    run = await run_of(machine)
    assert (run.state, run.done) == (RunState.DONE, 45)
    assert pages_asked(machine) == ["1", "2", "3", "4", "5"] * 2


async def read_first_page(machine: Engine) -> None:
    """Settle page 1 alone: it says which others there are."""
    async with machine.db.begin() as tx:
        (change,) = await claim(tx, machine.shop_id, "upgates", below=100, limit=1, now=machine.watch())
    await machine.service.readers.of(change.kind).read(await machine.shop(), [change])


async def test_news_go_on_while_the_import_is_paused(machine: Engine) -> None:
    machine.upgates.sell(1)
    machine.upgates.order("O-1")
    await begin(machine)
    await pause(machine)
    await machine.mark(Kind.ORDER, "O-1")

    await machine.drain()

    assert list(machine.target.times()) == ["O-1"]


async def test_a_page_that_was_being_read_is_counted_and_the_run_ends_when_resumed(machine: Engine) -> None:
    machine.upgates.sell(1, 2, 3)
    await begin(machine)

    async with machine.db.begin() as tx:
        (change,) = await claim(tx, machine.shop_id, "upgates", below=100, limit=1, now=machine.watch())
    read = asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        read[0].set()
        await read[1].wait()
        return machine.upgates(request)

    machine.upgates.others["shop.admin.s1.upgates.com"] = slow
    shop = await machine.shop()

    async def pause_during_the_call() -> None:
        await read[0].wait()
        await pause(machine)
        read[1].set()

    await asyncio.gather(machine.service.readers.of(change.kind).read(shop, [change]), pause_during_the_call())

    run = await run_of(machine)
    assert (run.state, run.done) == (RunState.PAUSED, 3)
    asked = pages_asked(machine)
    await resume(machine)
    await machine.drain()
    run = await run_of(machine)
    assert (run.state, run.complete) == (RunState.DONE, True)
    assert pages_asked(machine) == asked


async def test_a_page_that_turns_up_while_paused_is_put_off_and_not_lost(machine: Engine) -> None:
    machine.upgates.sell(1)
    await begin(machine)
    await pause(machine)
    await machine.run("UPDATE changes SET due_at = :at", at=machine.watch())

    await machine.drain()

    assert pages_asked(machine) == []
    await resume(machine)
    await machine.drain()
    assert (await run_of(machine)).state is RunState.DONE
    assert len(machine.target.times()) == 1


async def test_a_new_reading_of_everything_ends_a_paused_one(machine: Engine) -> None:
    machine.upgates.sell(1)
    first = await begin(machine)
    await pause(machine)
    rows = await machine.service.connections.of(machine.shop_id)

    async with machine.db.begin() as tx:
        runs = await machine.service.imports.start(tx, await machine.shop(), rows, kinds=("product",), anew=True)

    assert runs != [first]
    await machine.drain()
    assert (await run_of(machine)).state is RunState.DONE


async def test_the_safety_net_is_no_import_that_could_be_paused(machine: Engine) -> None:
    await net(machine)

    assert await pause(machine) == 0
    assert await resume(machine) == 0


async def test_second_looks_at_what_the_pages_of_a_run_bring_share_a_call(machine: Engine) -> None:
    """Each page is read some seconds after the one before it, and has a product that seems to be sold out."""
    machine.upgates.sell(*range(1, 251), stock=3)
    await begin(machine)
    await machine.drain()
    for number in (5, 120, 240):
        machine.upgates.sell(number, stock=0)
    machine.upgates.judges.append(lambda _: machine.watch.move(seconds=7))
    machine.upgates.requests.clear()

    await begin(machine)
    for _ in range(50):
        await machine.drain()
        machine.watch.move(seconds=5)

    asked = [call["product_ids"] for call in machine.upgates.asked("/products") if "product_ids" in call]
    assert [set(ids.split(";")) for ids in asked] == [{"5", "120", "240"}]
    assert {machine.target.bodies()[-3 + place]["stock"] for place in range(3)} == {0}
    assert await machine.changes() == []
