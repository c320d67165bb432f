"""The background: several workers share the work, none doubles it, and none is missed when it dies."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from procrastinate import App
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.support.clock import MID_HOUR, MovableClock
from tests.support.dying_worker import service_on
from tests.support.engine import Engine
from tests.support.shops import MakeShop
from tests.support.simulated import FACTS, Said, Target, Upgates, Woken, accept, delivered, one_by_one
from tests.support.tracing import written
from tests.support.upp import make_product, make_variant
from upbridge import jobs
from upbridge.core.clock import utc_now
from upbridge.core.errors import NotReady
from upbridge.core.telemetry.tracing import traced
from upbridge.domain.delivery import Document
from upbridge.domain.lane import SLICE_SECONDS, Lane
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.job_queue import create_jobs, waker
from upbridge.jobs import register, rescue_once, run_worker
from upbridge.maintenance.erasure import erase_shop
from upbridge.store.changes import Kind
from upbridge.store.database import Database
from upbridge.systems.http.transport import Remote

DEADLINE = 30.0
CONCURRENCY = 2


def known_just_now() -> dict[str, Any]:
    """Columns of a shop about which the schedule has nothing to ask: real workers look at the real time."""
    now = utc_now()
    return {"facts": FACTS, "facts_at": now, "subscribed_at": now, "reconciled_at": now, "installed_at": now}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is logged is not drawn: pretty tracebacks take longer than the tests."""
    with capture_logs():
        yield


@pytest.fixture
async def queue(database: Database) -> AsyncIterator[App]:
    """The job library on the fresh database."""
    app = create_jobs(database.conninfo)
    async with app.open_async():
        yield app


@pytest.fixture
async def machine(engine: AsyncEngine, make_shop: MakeShop, queue: App) -> AsyncIterator[Engine]:
    """A shop that is connected to `upp`; its lanes are woken by real jobs."""
    upgates, target = Upgates(), Target()
    async with httpx.AsyncClient(transport=httpx.MockTransport(upgates)) as http:
        service = service_on(engine, http, target, wake=waker(queue))
        shop_id = ShopId(await make_shop(**known_just_now()))
        made = Engine(service, shop_id, upgates, target, MovableClock(MID_HOUR), Woken(), make_shop)
        await made.connect("upp", account="client")
        yield made


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for it, but not for ever."""
    async with asyncio.timeout(DEADLINE):
        while not await true():  # noqa: ASYNC110 - the other side is a database
            await asyncio.sleep(0.05)


@asynccontextmanager
async def worker(
    machine: Engine,
    database: Database,
    heartbeats: jobs.Heartbeats = jobs.HEARTBEATS,
    others: Sequence[Target] = (),
    alive: Path | None = None,
) -> AsyncIterator[App]:
    """A worker of its own, until the block ends; it feeds *others* as well."""
    app, stop = create_jobs(database.conninfo), asyncio.Event()
    async with app.open_async():
        service = service_on(machine.db, machine.service.http, machine.target, *others, wake=waker(app))
        running = asyncio.create_task(
            run_worker(
                app,
                service.lane_worker,
                service.scheduler,
                service.rounds,
                concurrency=CONCURRENCY,
                stop=stop,
                heartbeats=heartbeats,
                alive=alive,
            )
        )
        try:
            yield app
        finally:
            stop.set()
            await asyncio.wait_for(running, DEADLINE)


async def fill(machine: Engine, *numbers: int) -> None:
    await machine.settle(make_product(*[make_variant(number) for number in numbers]))


async def waiting(machine: Engine) -> bool:
    return bool(await machine.value("SELECT count(*) FROM documents WHERE state <> 'parked'"))


async def queued(machine: Engine) -> list[tuple[str, str]]:
    rows = await machine.rows("SELECT queueing_lock, status::text FROM procrastinate_jobs ORDER BY id")
    return [(row["queueing_lock"].rpartition(":")[2], row["status"]) for row in rows]


# --- sharing ------------------------------------------------------------------------------------------------


async def test_two_workers_share_the_work_and_double_nothing(machine: Engine, database: Database) -> None:
    shops = [machine.shop_id]
    for _ in range(5):
        shops.append(ShopId(await machine.make_shop(**known_just_now())))
        await machine.connect("upp", shops[-1], account="client")
    busy = most = 0

    async def slowly(documents: Sequence[Document]) -> AsyncIterator[Said]:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        for document in documents:
            await asyncio.sleep(0.005)
            yield [(document, delivered(document))]
        busy -= 1

    machine.target.script = slowly
    for place, shop_id in enumerate(shops):
        machine.shop_id = shop_id
        await fill(machine, *range(place * 20 + 1, place * 20 + 21))

    async with worker(machine, database), worker(machine, database):

        async def over() -> bool:
            return not await waiting(machine)

        await until(over)

    assert len(machine.target.times()) == 120
    assert set(machine.target.times().values()) == {1}
    assert most > 2, "each worker alone takes two"


async def test_a_system_that_hangs_for_many_shops_leaves_the_others_their_slots(
    machine: Engine, database: Database
) -> None:
    hung, hanging = asyncio.Event(), 0

    async def never(documents: Sequence[Document]) -> AsyncIterator[Said]:
        nonlocal hanging
        hanging += 1
        await hung.wait()
        yield [(document, delivered(document)) for document in documents]

    slow, alone = Target("uphance", script=never), machine.shop_id
    for _ in range(5):
        machine.shop_id = ShopId(await machine.make_shop(**known_just_now()))
        for system in ("upp", "uphance"):
            await machine.connect(system)
        await machine.settle(make_product(make_variant(1)), targets=(slow,))
    machine.shop_id = alone

    async with worker(machine, database, others=(slow,)):

        async def slots_are_taken() -> bool:
            return hanging == CONCURRENCY

        await until(slots_are_taken)
        machine.upgates.sell(1)
        await machine.mark(Kind.PRODUCT, "1")

        async def arrived() -> bool:
            return bool(await machine.links())

        await until(arrived)
        assert hanging == CONCURRENCY, "a slow system takes no more than its own slots"
        hung.set()

        async def over() -> bool:
            return not await waiting(machine)

        await until(over)

    assert len(slow.received) == 5, "whoever waited for a slot gets it when it is free"


async def test_a_job_that_an_earlier_version_made_is_worked_on(machine: Engine, database: Database) -> None:
    await fill(machine, 1)
    lane = Lane.push(machine.shop_id, "upp")
    app = create_jobs(database.conninfo)
    async with app.open_async():
        await app.configure_task("work", queueing_lock=str(lane), lock=lane.lock).defer_async(
            shop_id=str(lane.shop_id), lane=lane.name
        )

    async with worker(machine, database):

        async def over() -> bool:
            return not await waiting(machine)

        await until(over)


async def test_a_mark_becomes_a_delivery_without_a_wake_up(machine: Engine, database: Database) -> None:
    machine.upgates.sell(1, 2)
    await machine.mark(Kind.PRODUCT, "1", "2")

    async with worker(machine, database):

        async def over() -> bool:
            return len(await machine.links()) == 2

        await until(over)

    assert machine.target.times() == {"p-1": 1, "p-2": 1}


# --- dying --------------------------------------------------------------------------------------------------


async def test_a_worker_that_is_killed_in_the_middle_of_a_slice_is_replaced(
    machine: Engine, database: Database
) -> None:
    await fill(machine, 1, 2, 3)
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.dying_worker", database.conninfo, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(DEADLINE):
        assert await dying.wait() == -signal.SIGKILL
    assert [*await machine.links()] == ["v-1"]
    assert ("upp", "doing") in await queued(machine)

    async with worker(machine, database, jobs.Heartbeats(every=0.1, dead_after=0.5, looked_for_every=0.2)):

        async def over() -> bool:
            return not await waiting(machine)

        await until(over)

    assert machine.target.times() == {"v-2": 1, "v-3": 1}
    assert [*await machine.links()] == ["v-1", "v-2", "v-3"]


async def doing(machine: Engine) -> None:
    """A job that a living worker has taken."""
    await machine.service.wake(Lane.push(machine.shop_id, "upp"))
    await machine.run("INSERT INTO procrastinate_workers DEFAULT VALUES")
    await machine.run(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM procrastinate_workers)"
    )


async def test_a_job_whose_end_was_lost_is_made_free(machine: Engine, queue: App) -> None:
    await doing(machine)
    await machine.run("UPDATE procrastinate_events SET at = at - make_interval(hours => 1)")

    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")):
        assert await rescue_once(queue, machine.db) == 0, "a long slice is no lost one"
    assert await rescue_once(queue, machine.db) == 1

    assert await queued(machine) == []


async def test_a_job_of_a_living_worker_is_left_alone(machine: Engine, queue: App) -> None:
    await doing(machine)

    assert await rescue_once(queue, machine.db) == 0


async def test_a_worker_comes_back_when_the_database_threw_everybody_out(
    machine: Engine, database: Database
) -> None:
    async with worker(machine, database):
        await fill(machine, 1)

        async def first() -> bool:
            return len(await machine.links()) == 1

        await until(first)
        await machine.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await until_it_answers(machine)
        await fill(machine, 2)

        async def second() -> bool:
            return len(await machine.links()) == 2

        await until(second)


async def until_it_answers(machine: Engine) -> None:
    """The first dead connection that is noticed takes the others out of the pool, too."""

    async def answers() -> bool:
        try:
            return bool(await machine.value("SELECT 1"))
        except DBAPIError:
            return False

    await until(answers)


# --- the small loops ----------------------------------------------------------------------------------------


async def test_the_sweep_makes_one_job_for_each_lane_that_has_work(machine: Engine) -> None:
    await fill(machine, 1)
    await machine.mark(Kind.ORDER, "A-1")

    assert await machine.service.lane_worker.sweep_once() == 2
    assert await machine.service.lane_worker.sweep_once() == 0

    assert sorted(await queued(machine)) == [("upgates", "todo"), ("upp", "todo")]


async def test_the_sweep_leaves_alone_what_waits_for_later(machine: Engine) -> None:
    await fill(machine, 1)
    await lanes.block(
        machine.db, Lane.push(machine.shop_id, "upp"), reason="no answer", now=machine.service.clock()
    )

    assert await machine.service.lane_worker.sweep_once() == 0


async def test_the_question_about_a_deactivation_waits_for_no_budget_of_an_import(machine: Engine) -> None:
    lane = Lane.pull(machine.shop_id, "upgates")
    await lanes.block(machine.db, lane, reason="no budget", now=machine.service.clock(), priority=Purpose.IMPORT)
    await machine.service.shops.move(
        machine.shop_id, to=ShopState.UNINSTALLING, among=[ShopState.ACTIVE], now=machine.service.clock()
    )
    await machine.mark(Kind.PROBE, "probe")

    assert await machine.service.lane_worker.sweep_once() == 1
    await lanes.block(machine.db, lane, reason="no answer", now=machine.service.clock())
    await machine.run("DELETE FROM procrastinate_jobs")
    assert await machine.service.lane_worker.sweep_once() == 0


async def test_waking_a_lane_twice_makes_one_job(machine: Engine) -> None:
    for _ in range(3):
        await machine.service.wake(Lane.push(machine.shop_id, "upp"))

    assert await queued(machine) == [("upp", "todo")]


# --- one slice -----------------------------------------------------------------------------------------------


async def test_a_slice_that_leaves_something_puts_its_lane_back(machine: Engine) -> None:
    await fill(machine, 1, 2)
    machine.target.script = one_by_one(delivered)
    looks = itertools.count(step=SLICE_SECONDS / 2)  # so that the slice has time for one document

    await machine.service.lane_worker.work_on(Lane.push(machine.shop_id, "upp"), monotonic=looks.__next__)

    assert len(await machine.documents()) == 1
    assert await queued(machine) == [("upp", "todo")]


async def test_a_slice_of_a_lane_that_another_worker_holds_does_nothing(machine: Engine) -> None:
    await fill(machine, 1)
    lane = Lane.push(machine.shop_id, "upp")
    async with lanes.exclusive(machine.db, lane) as guard:
        assert guard is not None
        await machine.service.lane_worker.work_on(lane)

    assert machine.target.received == []
    await machine.service.lane_worker.work_on(lane)
    assert len(machine.target.received) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError("oops: secret"), NotReady("no database")])
async def test_an_unforeseen_error_blocks_the_lane_instead_of_spinning(machine: Engine, error: Exception) -> None:
    async def fail(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(documents[0], delivered(documents[0]))]
        raise error

    machine.target.script = fail
    await fill(machine, 1, 2)
    lane = Lane.push(machine.shop_id, "upp")

    await machine.service.lane_worker.work_on(lane)

    row = await machine.lane("push:upp")
    assert row is not None
    assert "secret" not in row["reason"]
    assert await machine.service.lane_worker.sweep_once() == 0
    assert await queued(machine) == []
    machine.target.script = accept
    await machine.run("UPDATE lanes SET until = now() - make_interval(secs => 1)")
    assert await machine.service.lane_worker.sweep_once() == 1
    await machine.service.lane_worker.work_on(lane)
    assert machine.target.times()["v-1"] == 1
    assert await machine.lane("push:upp") is None


async def test_a_slice_whose_database_goes_away_is_no_defect_and_waits(machine: Engine) -> None:
    async def thrown_out(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(documents[0], delivered(documents[0]))]
        async with machine.db.connect() as tx:
            await tx.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    machine.target.script = thrown_out
    await fill(machine, 1, 2)

    with capture_logs() as said:
        await machine.service.lane_worker.work_on(Lane.push(machine.shop_id, "upp"))

    assert [line for line in said if line["log_level"] == "error"] == []
    row = await machine.lane("push:upp")
    assert row is not None
    assert row["reason"] == "the database went away"
    assert [*await machine.documents()] == ["v-2"]


async def test_a_slice_that_fails_by_itself_is_logged_with_its_stack(machine: Engine) -> None:
    async def fail(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(documents[0], delivered(documents[0]))]
        raise ZeroDivisionError

    machine.target.script = fail
    await fill(machine, 1, 2)

    with capture_logs() as said:
        await machine.service.lane_worker.work_on(Lane.push(machine.shop_id, "upp"))

    [line] = [line for line in said if line["log_level"] == "error"]
    assert (line["event"], line["error"], line["exc_info"]) == ("slice_failed", "ZeroDivisionError", True)


async def test_a_job_for_a_shop_that_was_erased_ends_quietly(machine: Engine) -> None:
    lane = Lane.pull(machine.shop_id, "upgates")
    await erase_shop(machine.service.engine, machine.shop_id)

    await machine.service.lane_worker.work_on(lane)

    assert await queued(machine) == []


async def test_a_job_says_only_which_lane(machine: Engine, queue: App) -> None:
    register(queue, machine.service.lane_worker)
    await machine.service.wake(Lane.push(machine.shop_id, "upp"))

    [row] = await machine.rows("SELECT args, lock FROM procrastinate_jobs")

    assert row["args"] == {"shop_id": str(machine.shop_id), "lane": "push:upp"}
    assert row["lock"] == f"{machine.shop_id}:upp"


async def test_a_worker_throws_away_what_is_old_and_sums_up_what_is_over(
    machine: Engine, database: Database
) -> None:
    old = {"received_at": utc_now() - timedelta(days=8)}
    await machine.run(
        "INSERT INTO deliveries (shop_id, source, event, records, keys, received_at)"
        " VALUES (:shop_id, 'upgates', 'Orders.update', 1, '{}', :received_at)",
        **old,
    )
    await machine.run(
        "INSERT INTO order_events (shop_id, order_number, event, target, at, since)"
        " VALUES (:shop_id, 'O-1', 'delivered', 'upp', :at, :at)",
        at=utc_now() - timedelta(days=2),
    )

    async def done() -> bool:
        kept = await machine.value("SELECT count(*) FROM deliveries WHERE received_at = :received_at", **old)
        summed = await machine.value(
            "SELECT count(*) FROM daily_stats WHERE shop_id = :shop_id AND metric = 'delays'"
        )
        return (kept, summed) == (0, 1)

    async with worker(machine, database):
        await until(done)


async def test_a_worker_that_works_renews_the_file_of_its_health_check(
    machine: Engine, database: Database, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"

    async def renewed() -> bool:
        return alive.exists() and alive.stat().st_mtime > 0

    async with worker(machine, database, alive=alive):
        await until(renewed)
        os.utime(alive, (0, 0))
        await until(renewed)


async def test_a_worker_stops_when_it_is_asked_to(machine: Engine, database: Database) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(worker(machine, database))
        await fill(machine, 1)

    async with machine.db.connect() as tx:
        doing = await tx.scalar(text("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"))
    assert doing == 0


# --- traces -------------------------------------------------------------------------------------------------


async def test_one_trace_leads_from_a_request_across_the_queue_to_the_call_at_the_target(
    machine: Engine, queue: App, spans: InMemorySpanExporter
) -> None:
    planted = "SECRET-4711"
    target_http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={})))

    async def send(documents: Sequence[Document]) -> AsyncIterator[Said]:
        remote = Remote("upp", target_http, machine.watch)
        await remote.exchange(
            "POST",
            f"https://svc.upp.ai/products?token={planted}",
            operation="POST /products",
            headers={"Authorization": planted},
            content=planted.encode(),
        )
        yield [(document, delivered(document)) for document in documents]

    machine.target.script = send
    machine.upgates.sell(1, code=planted)
    await machine.mark(Kind.PRODUCT, "1")
    register(queue, service_on(machine.db, machine.service.http, machine.target, wake=waker(queue)).lane_worker)

    with traced("request"):
        await waker(queue)(Lane.pull(machine.shop_id, "upgates"))
    await queue.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)
    await target_http.aclose()

    names = [span.name for span in spans.get_finished_spans()]
    assert names[0] == "request"
    assert names.count("slice") >= 2, "the shop was read, and the target was sent to"
    assert "GET /products" in names
    assert "POST /products" in names
    assert len({span.context.trace_id for span in spans.get_finished_spans() if span.context is not None}) == 1
    assert planted not in written(spans)
