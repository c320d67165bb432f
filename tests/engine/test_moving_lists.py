"""Lists that move while they are read, and pages that cannot be read: nothing is missed, and nothing waits."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from tests.support.engine import Engine
from upbridge.engine.runs import start_run
from upbridge.store.changes import Kind
from upbridge.store.runs import Run, RunPurpose, RunState, latest_runs

DAY = timedelta(days=1)
Answer = Callable[[httpx.Request], httpx.Response | None]


def ago(machine: Engine, **how_long: float) -> str:
    return (machine.watch() - timedelta(**how_long)).isoformat(timespec="seconds")


def once(when: Callable[[httpx.Request], bool], happens: Callable[[], None]) -> Answer:
    """Before the first call that *when* fits, something *happens* in the shop."""
    left = [happens]

    def judge(request: httpx.Request) -> None:
        if left and when(request):
            left.pop()()

    return judge


def second_page(path: str) -> Callable[[httpx.Request], bool]:
    """The second call for a list at *path*."""
    calls = 0

    def fits(request: httpx.Request) -> bool:
        nonlocal calls
        calls += request.url.path.endswith(path)
        return request.url.path.endswith(path) and calls == 2

    return fits


async def net(machine: Engine) -> None:
    """The safety net of the next day, to its end."""
    machine.watch.move(days=1, minutes=1)
    await machine.service.scheduler.run_once()
    await rest(machine)


async def rest(machine: Engine, most: int = 12) -> None:
    """What waits and is tried again within some hours."""
    for _ in range(most):
        await machine.drain(60)
        if not await machine.changes():
            return
        machine.watch.move(minutes=16)


async def newest(machine: Engine, kind: str, purpose: RunPurpose = RunPurpose.SAFETY_NET) -> Run:
    return (await latest_runs(machine.db, machine.shop_id, purpose))[kind]


# --- lists that move (case 02) ------------------------------------------------------------------------------


@pytest.mark.situation("list.order_moves")
async def test_an_order_that_slips_to_a_page_that_was_read_is_read_by_the_same_net(machine: Engine) -> None:
    """250 changed, one of the first hundred is edited before the second page: the total stays the same."""
    for number in range(250):
        changed = machine.watch() + timedelta(hours=14, seconds=number)
        machine.upgates.order(f"N{number:03}", last_update_time=changed.isoformat())

    def edit() -> None:
        machine.upgates.order("N005", order_total=999, last_update_time=ago(machine))

    machine.upgates.judges.append(once(second_page("/orders"), edit))

    await net(machine)

    assert {f"N{number:03}" for number in range(250)} == machine.target.times().keys()
    assert (await newest(machine, "order")).complete
    assert len(machine.upgates.asked("/orders", order_by="last_update_time")) <= 4


@pytest.mark.situation("list.order_moves")
async def test_an_import_finds_the_order_that_slips_when_one_goes_and_one_comes(machine: Engine) -> None:
    machine.upgates.page_size = 10
    for number in range(30):
        created = machine.watch() - timedelta(hours=10) + timedelta(minutes=number)
        machine.upgates.order(f"N{number}", creation_time=created.isoformat())

    def move() -> None:
        del machine.upgates.orders["N0"]
        machine.upgates.order("N30", creation_time=ago(machine))

    machine.upgates.judges.append(once(second_page("/orders"), move))
    async with machine.db.begin() as tx:
        await start_run(
            tx, machine.shop_id, "order", RunPurpose.IMPORT, since=machine.watch() - DAY, now=machine.watch()
        )

    await machine.drain()

    assert {f"N{number}" for number in range(31)} == machine.target.times().keys()
    assert (await newest(machine, "order", RunPurpose.IMPORT)).complete


async def test_a_thousand_orders_of_one_second_are_read(machine: Engine) -> None:
    """A bulk edit: no moment lies between two pages."""
    machine.upgates.order(*(f"N{number}" for number in range(1000)), last_update_time=ago(machine))

    await net(machine)

    assert len(machine.target.times()) == 1000
    assert (await newest(machine, "order")).complete


@pytest.mark.situation("list.product_moves")
@pytest.mark.parametrize("size", [100, 50])
async def test_an_import_finds_the_product_that_slips_when_one_goes_and_one_comes(
    machine: Engine, size: int
) -> None:
    machine.upgates.page_size = size
    machine.upgates.sell(*range(1, 251))

    def move() -> None:
        del machine.upgates.products[1]
        machine.upgates.sell(251)

    machine.upgates.judges.append(once(second_page("/products"), move))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await machine.drain()

    assert len(machine.target.times()) == 251
    assert (await newest(machine, "product", RunPurpose.IMPORT)).complete


@pytest.mark.situation("list.shrinks")
async def test_a_page_that_is_gone_because_the_list_shrank_between_two_pages_is_no_fault(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))

    def beyond_the_end(request: httpx.Request) -> httpx.Response | None:
        """What some servers say of a page that is not there any more."""
        page = int(request.url.params.get("page", "1"))
        listed = request.url.path.endswith("/products") and "product_ids" not in request.url.params
        return (
            httpx.Response(404, json={}) if listed and (page - 1) * 10 >= len(machine.upgates.products) else None
        )

    def shrink() -> None:
        for number in range(1, 12):
            del machine.upgates.products[number]

    machine.upgates.judges += [once(second_page("/products"), shrink), beyond_the_end]
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await rest(machine)
    for _ in range(2):
        await net(machine)

    assert {f"p-{number}" for number in range(12, 31)} <= machine.target.times().keys()
    assert await machine.problems() == []
    assert (await newest(machine, "product")).complete


# --- what cannot be read (case 03) --------------------------------------------------------------------------


def broken_page(page: str, how: httpx.Response | Exception) -> Answer:
    def judge(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/products") or request.url.params.get("page") != page:
            return None
        if isinstance(how, Exception):
            raise how
        return how

    return judge


BROKEN = {
    "500": httpx.Response(500),
    "gone, because the list has shrunk": httpx.Response(404, json={}),
    "no answer in time": httpx.ReadTimeout("60 s"),
    "no JSON": httpx.Response(200, text="<html>"),
    "refused": httpx.Response(400, json={"messages": []}),
}


@pytest.mark.situation("list.page")
@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN.keys())
async def test_one_page_that_cannot_be_read_keeps_nothing_else_waiting(
    machine: Engine, how: httpx.Response | Exception
) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 46), last_update_time=ago(machine, days=9))
    await machine.mark(Kind.PRODUCT, *map(str, range(1, 46)))
    await machine.drain()
    machine.upgates.sell(*range(1, 46), stock=9, last_update_time=(machine.watch() + DAY).isoformat())
    machine.upgates.judges.append(broken_page("3", how))

    await net(machine)
    first = await newest(machine, "product")
    machine.upgates.order("LOST", last_update_time=ago(machine))  # its webhook does not come
    for _ in range(3):
        await net(machine)

    assert first.state is RunState.DONE
    assert {machine.target.times()[f"p-{number}"] for number in range(1, 46)} == {2}
    assert machine.target.times()["LOST"] == 1
    assert (await newest(machine, "product")).id > first.id
    assert (await newest(machine, "product")).since == first.since  # it left a page out: nothing is forgotten


def poisonous(machine: Engine, path: str, key: str, number: str) -> Answer:
    """No page that shows the thing can be read."""

    def judge(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(path):
            return None
        machine.upgates.judges.remove(judge)
        answer = machine.upgates(request)
        machine.upgates.requests.pop()
        machine.upgates.judges.append(judge)
        shown = [str(row[key]) for row in answer.json()[path.strip("/")]]
        return httpx.Response(500) if number in shown else None

    return judge


@pytest.mark.situation("list.entity")
async def test_one_product_that_cannot_be_read_is_named_and_costs_no_neighbour(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 251))
    machine.upgates.judges.append(poisonous(machine, "/products", "product_id", "137"))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await rest(machine)

    assert len(machine.target.times()) == 249
    run = await newest(machine, "product", RunPurpose.IMPORT)
    assert (run.state, run.complete) == (RunState.DONE, False)
    assert [(one.key, one.entity) for one in await machine.problems()] == [("read.refused", "137")]

    machine.upgates.judges.clear()
    await net(machine)

    assert len(machine.target.times()) == 250
    assert (await newest(machine, "product", RunPurpose.IMPORT)).complete
    assert await machine.problems() == []


@pytest.mark.situation("list.entity")
@pytest.mark.parametrize("purpose", [RunPurpose.IMPORT, RunPurpose.SAFETY_NET])
async def test_one_order_that_cannot_be_read_is_named_by_its_second_and_costs_no_neighbour(
    machine: Engine, purpose: RunPurpose
) -> None:
    for number in range(250):
        moment = machine.watch() - timedelta(hours=10) + timedelta(minutes=number)
        machine.upgates.order(f"N{number}", creation_time=moment.isoformat(), last_update_time=moment.isoformat())
    machine.upgates.judges.append(poisonous(machine, "/orders", "order_number", "N137"))
    async with machine.db.begin() as tx:
        since = machine.watch() - DAY
        await start_run(tx, machine.shop_id, "order", purpose, since=since, now=machine.watch())

    await rest(machine)

    assert len(machine.target.times()) == 249
    run = await newest(machine, "order", purpose)
    assert (run.state, run.complete) == (RunState.DONE, False)
    [problem] = await machine.problems()
    assert problem.key == "read.orders_missed"

    machine.upgates.judges.clear()
    await net(machine)

    assert len(machine.target.times()) == 250
    assert await machine.problems() == []


@pytest.mark.situation("list.entity")
async def test_a_part_that_was_called_handled_is_reported_again_while_it_lasts(machine: Engine) -> None:
    machine.upgates.order("N1", last_update_time=ago(machine))
    machine.upgates.judges.append(poisonous(machine, "/orders", "order_number", "N1"))
    await net(machine)
    assert "read.orders_missed" in {one.key for one in await machine.problems()}
    await machine.run("UPDATE problems SET dismissed_at = :now", now=machine.watch())

    await net(machine)

    assert [one.key for one in await machine.problems()] == ["read.orders_missed"]


@pytest.mark.situation("list.new_order")
async def test_a_page_that_cannot_be_read_holds_back_no_new_order(machine: Engine) -> None:
    machine.upgates.sell(1)
    machine.upgates.judges.append(broken_page("1", httpx.Response(500)))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())
    await rest(machine)  # the lane waits for a long time by now

    machine.upgates.order("NEW")
    await machine.mark(Kind.ORDER, "NEW")
    await machine.drain()

    assert machine.target.times()["NEW"] == 1


def stumbling(machine: Engine, path: str, *keys: str) -> Answer:
    """What shows one of these things, by its key or in a page, cannot be read."""
    asked = {"/orders": ("order_number", "order_numbers"), "/products": ("product_id", "product_ids")}[path]
    pages = [poisonous(machine, path, asked[0], key) for key in keys]

    def judge(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(path):
            return None
        named = request.url.params.get(asked[1], "").split(";")
        if asked[1] in request.url.params:
            return httpx.Response(500) if set(keys) & set(named) else None
        machine.upgates.judges.remove(judge)
        try:
            answers = []
            for page in pages:
                machine.upgates.judges.append(page)
                answers.append(page(request))
                machine.upgates.judges.remove(page)
            return next((one for one in answers if one is not None), None)
        finally:
            machine.upgates.judges.append(judge)

    return judge


@pytest.mark.situation("list.new_order", "list.entity")
@pytest.mark.parametrize("quiet", [0, 1, 60], ids=lambda minutes: f"after {minutes} minutes")
@pytest.mark.parametrize("path", ["/orders", "/products"])
async def test_an_announced_thing_that_cannot_be_read_holds_back_nothing(
    machine: Engine, path: str, quiet: int
) -> None:
    kind, bad = (Kind.ORDER, "BAD") if path == "/orders" else (Kind.PRODUCT, "137")
    machine.upgates.order("BAD", creation_time=ago(machine, days=1))
    machine.upgates.sell(137)
    machine.upgates.judges.append(stumbling(machine, path, bad))
    await machine.mark(kind, bad)
    for _ in range(1 + quiet * 4):
        await machine.pull()
        machine.watch.move(seconds=15)

    machine.upgates.order("NEW")
    await machine.mark(Kind.ORDER, "NEW")
    machine.upgates.order("LOST", last_update_time=ago(machine))  # its webhook does not come
    machine.upgates.sell(7, last_update_time=ago(machine))
    async with machine.db.begin() as tx:
        for one in ("product", "order"):
            await start_run(
                tx, machine.shop_id, one, RunPurpose.SAFETY_NET, since=machine.watch() - DAY, now=machine.watch()
            )
    for _ in range(20):
        await machine.pull()
        await machine.push()
        machine.watch.move(seconds=1)

    assert {"NEW", "LOST", "p-7"} <= machine.target.times().keys()


async def test_two_of_which_one_cannot_be_read_are_asked_for_apart_within_a_minute(machine: Engine) -> None:
    machine.upgates.order("GOOD", "BAD")
    machine.upgates.judges.append(stumbling(machine, "/orders", "BAD"))
    await machine.mark(Kind.ORDER, "GOOD", "BAD")

    for _ in range(30):
        await machine.pull()
        await machine.push()
        machine.watch.move(seconds=1)

    assert machine.target.times() == {"GOOD": 1}


async def test_a_shop_that_is_down_is_not_asked_more_because_one_thing_waits(machine: Engine) -> None:
    machine.upgates.order("A")
    machine.upgates.judges.append(lambda _: httpx.Response(500))
    await machine.mark(Kind.ORDER, "A")
    for _ in range(240):
        await machine.pull()
        machine.watch.move(seconds=15)

    assert len(machine.upgates.requests) <= 24  # two in a quarter of an hour


@pytest.mark.situation("list.new_order")
async def test_an_order_that_fails_once_does_not_pay_for_the_failures_of_an_import(machine: Engine) -> None:
    machine.upgates.judges.append(broken_page("1", httpx.Response(500)))
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())
    await rest(machine)
    machine.upgates.order("NEW")
    await machine.mark(Kind.ORDER, "NEW")
    down = [httpx.Response(503)]
    machine.upgates.judges.append(
        lambda request: down.pop() if down and request.url.path.endswith("/orders") else None
    )

    await machine.pull()
    machine.watch.move(seconds=5)
    await machine.drain()

    assert machine.target.times()["NEW"] == 1


@pytest.mark.situation("list.new_order")
async def test_facts_that_cannot_be_read_hold_back_no_order(machine: Engine) -> None:
    machine.upgates.judges.append(
        lambda request: httpx.Response(500) if request.url.path.endswith("/config") else None
    )
    machine.upgates.order("NEW")
    await machine.mark(Kind.FACTS, "facts")
    await machine.mark(Kind.ORDER, "NEW")

    await machine.drain()

    assert machine.target.times()["NEW"] == 1


@pytest.mark.situation("list.stuck")
async def test_a_net_that_hangs_for_a_day_keeps_no_next_one_waiting(machine: Engine) -> None:
    """The shop answers nothing about products; orders are looked after all the same."""
    machine.upgates.judges.append(
        lambda request: httpx.Response(503) if request.url.path.endswith("/products") else None
    )
    await net(machine)
    stuck = await newest(machine, "product")
    assert stuck.state is RunState.RUNNING
    machine.upgates.order("LOST", last_update_time=ago(machine))

    await net(machine)

    assert machine.target.times() == {"LOST": 1}
    again = await newest(machine, "product")
    assert again.id > stuck.id
    assert again.since == stuck.since
