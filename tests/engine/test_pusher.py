"""Sending: each outcome is settled before the next call, and a crash resends only what was not."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from tests.support.clock import ManualTimers
from tests.support.engine import Engine
from tests.support.simulated import Said, accept, delivered, one_by_one
from tests.support.statements import each_statement
from tests.support.upp import make_order, make_product, make_variant
from upbridge.core.backoff import pause_after
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import (
    ADOPTED,
    Attempt,
    Delivered,
    Document,
    Dropped,
    Issue,
    Link,
    LinkState,
    Outcome,
    Parked,
    Retry,
)
from upbridge.domain.lane import SLICE_SECONDS, Lane
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import BY_OPERATOR, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes, pusher
from upbridge.store import document_queries, documents
from upbridge.store.links import StoredLinks
from upbridge.store.problems import Stage


async def fill(machine: Engine, *numbers: int) -> None:
    """Documents `v-1`, `v-2`, … that wait."""
    variants = [make_variant(number) for number in numbers or (1, 2, 3)]
    await machine.settle(make_product(*variants))


async def keys(machine: Engine, state: str) -> list[str]:
    return [key for key, row in (await machine.documents()).items() if row["state"] == state]


async def test_a_slice_that_sends_all_there_is_reads_its_shop_once(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Delivered(remote_id="77"))
    asked: list[str] = []

    with each_statement(machine.db, asked.append):
        assert await machine.push() is False

    assert await machine.documents() == {}
    assert sum("FROM shops" in " ".join(one.split()) for one in asked) == 1


async def test_a_delivery_is_written_down_in_one_trip_of_the_session_that_holds_the_lane(machine: Engine) -> None:
    async def statements(*numbers: int) -> list[str]:
        await fill(machine, *numbers)
        asked: list[str] = []
        with each_statement(machine.db, asked.append):
            await machine.push()
        assert await machine.documents() == {}
        return [" ".join(one.split())[:28] for one in asked]

    machine.target.script = one_by_one(lambda _: Delivered(remote_id="77"))
    first = await statements(1)

    second = await statements(2, 3)

    assert second[-1] == first[-1]  # the lane is let go
    more = Counter(second) - Counter(first)
    assert sorted(more.elements()) == [
        "BEGIN",
        "COMMIT",
        "DELETE FROM problems WHERE p",
        "INSERT INTO links (shop_id, ",
        "WITH settled AS ( SELECT * F",
    ]


async def test_what_comes_while_a_slice_sends_goes_through_the_sender_that_it_has(machine: Engine) -> None:
    await fill(machine, 1)

    async def meanwhile(documents: Sequence[Document]) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        if len(machine.target.received) == 1:
            await fill(machine, 2)
        yield [(one, Delivered(remote_id="77")) for one in documents]

    machine.target.script = meanwhile

    assert await machine.push() is False

    assert [one.key for one in machine.target.received] == ["v-1", "v-2"]
    assert machine.target.senders == 1


# --- outcomes -----------------------------------------------------------------------------------------------


async def test_what_was_delivered_becomes_a_link_and_leaves_the_outbox(machine: Engine) -> None:
    await fill(machine, 1)
    [waiting] = (await machine.documents()).values()
    machine.target.script = one_by_one(lambda one: Delivered(remote_id="77", keep=one.body, metadata={"a": 1}))

    assert await machine.push() is False

    [link] = (await machine.links()).values()
    assert (link["remote_id"], link["state"], link["metadata"]) == ("77", "delivered", {"a": 1})
    assert (link["hash"], link["sent"], link["parent"]) == (waiting["hash"], waiting["body"], "12")
    assert await machine.documents() == {}


async def test_a_delivery_without_a_remote_id_keeps_the_one_that_is_known(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Delivered(remote_id="77"))
    await machine.push()
    machine.target.script = one_by_one(lambda _: Delivered())
    await machine.settle(make_product(make_variant(1, code="new")))

    await machine.push()

    assert [link["remote_id"] for link in (await machine.links()).values()] == ["77"]


async def test_a_remark_is_a_problem_of_what_was_delivered_and_no_delivery_closes_it(machine: Engine) -> None:
    await fill(machine, 1)
    remark = Issue("order.taxed_otherwise", {"ours": "121.00", "theirs": "115.00"})
    machine.target.script = one_by_one(lambda _: Delivered(remote_id="77", remark=remark))
    await machine.push()
    assert (await machine.documents(), [*await machine.links()]) == ({}, ["v-1"])
    machine.target.script = one_by_one(lambda _: Delivered(remote_id="77"))

    await machine.settle(make_product(make_variant(1, code="new")))
    await machine.push()

    [problem] = await machine.problems()
    assert (problem.stage, problem.entity, problem.params) == (Stage.REMARK, "v-1", remark.params)
    assert machine.target.times() == {"v-1": 2}


async def test_what_was_found_and_its_remark_are_kept_with_what_is_parked(machine: Engine) -> None:
    await fill(machine, 1)
    found = Link("product", "v-1", "12", remote_id="77", hash=b"as sent", sent=b"{}")
    issue, remark = Issue("order.changed_after_sending"), Issue("order.taxed_otherwise", {"ours": "121.00"})
    machine.target.script = one_by_one(lambda _: Parked(issue, found, remark))

    await machine.push()

    [link] = (await machine.links()).values()
    assert (link["remote_id"], link["state"], link["hash"]) == ("77", "delivered", b"as sent")
    assert await keys(machine, "parked") == ["v-1"]
    assert {(problem.stage, problem.key) for problem in await machine.problems()} == {
        (Stage.PUSH, issue.key),
        (Stage.REMARK, remark.key),
    }


async def test_what_is_dropped_goes_and_its_link_stays_as_it_is(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Dropped("it is switched off"))

    await machine.push()

    assert (await machine.documents(), await machine.links()) == ({}, {})


async def test_what_is_parked_waits_for_a_person_and_costs_no_call(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Parked(Issue("uphance.channel_missing", {"currency": "EUR"})))

    for _ in range(3):
        await machine.push()

    [row] = (await machine.documents()).values()
    assert (row["state"], row["reason"]) == ("parked", "uphance.channel_missing")
    assert machine.target.times() == {"v-1": 1}
    [problem] = await machine.problems()
    assert (problem.stage, problem.entity, problem.parent) == (Stage.PUSH, "v-1", "12")
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []


async def test_what_comes_again_waits_and_counts_an_attempt(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Retry("they stumbled"))

    await machine.push()

    [row] = (await machine.documents()).values()
    assert (row["state"], row["reason"], row["attempts"]) == ("waiting", "they stumbled", 1)
    assert row["due_at"] == machine.watch() + pause_after(1)
    await machine.push()
    assert machine.target.times() == {"v-1": 1}
    machine.watch.now = row["due_at"]
    await machine.push()
    assert machine.target.times() == {"v-1": 2}


async def test_what_comes_again_waits_until_they_say(machine: Engine) -> None:
    await fill(machine, 1)
    until = machine.watch() + timedelta(hours=1)
    machine.target.script = one_by_one(lambda _: Retry("later", until))

    await machine.push()

    assert [row["due_at"] for row in (await machine.documents()).values()] == [until]


async def test_what_never_works_becomes_a_problem(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Retry("they stumbled"))

    for _ in range(pusher.MAX_ATTEMPTS):
        await machine.push()
        machine.watch.move(hours=1)

    assert await keys(machine, "parked") == ["v-1"]
    [problem] = await machine.problems()
    assert (problem.key, dict(problem.params)) == ("push.gave_up", {"said": "they stumbled"})


async def test_a_delivery_closes_the_problem_of_its_sending(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Parked(Issue("upp.rejected", {})))
    await machine.push()
    machine.target.script = accept
    await machine.settle(make_product(make_variant(1, code="better")))

    await machine.push()

    assert await machine.problems() == []


async def test_a_new_cause_replaces_the_old_one(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Parked(Issue("uphance.channel_missing", {})))
    await machine.push()
    machine.target.script = one_by_one(lambda _: Parked(Issue("uphance.season_missing", {})))
    await machine.settle(make_product(make_variant(1, code="other")))

    await machine.push()

    assert [problem.key for problem in await machine.problems()] == ["uphance.season_missing"]


@pytest.mark.parametrize("outcome", [Retry("x"), Parked(Issue("upp.rejected", {}))])
async def test_an_outcome_of_an_older_body_does_not_hold_the_newer_one(machine: Engine, outcome: Outcome) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if machine.target.script is meanwhile:
            machine.target.script = accept
            await machine.settle(make_product(make_variant(1, code="newer")))
            yield [(documents[0], outcome)]

    machine.target.script = meanwhile
    await fill(machine, 1)

    await machine.push()

    assert [body["code"] for body in machine.target.bodies()] == ["AB-1", "newer"]
    assert await machine.documents() == {}


async def test_what_a_first_import_brings_meanwhile_shares_a_later_call(machine: Engine) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if machine.target.script is meanwhile:
            machine.target.script = accept
            await machine.settle(make_product(make_variant(2), product_id=13), priority=int(Purpose.IMPORT))
            await machine.settle(make_product(make_variant(3), product_id=14), priority=int(Purpose.IMPORT))
        yield [(one, delivered(one)) for one in documents]

    machine.target.script = meanwhile
    await machine.settle(make_product(make_variant(1)), priority=int(Purpose.IMPORT))

    assert await machine.push() is False
    assert await keys(machine, "waiting") == ["v-2", "v-3"]
    assert await machine.push() is False
    assert [one.key for one in machine.target.received] == ["v-1", "v-2", "v-3"]


async def test_the_urgent_ones_are_sent_first(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(1)), priority=5)
    await machine.settle(make_order(), kind="order", priority=1)

    await machine.push()

    assert [one.kind for one in machine.target.received] == ["order", "product"]


# --- failures -----------------------------------------------------------------------------------------------


def fails_after(count: int, error: BaseException) -> Any:
    """A script that settles *count* documents and then fails."""

    async def script(documents: Sequence[Document]) -> AsyncIterator[Said]:
        for document in documents[:count]:
            yield [(document, delivered(document))]
        raise error

    return script


async def test_a_crash_between_two_outcomes_resends_only_what_was_not_settled(machine: Engine) -> None:
    await fill(machine)
    machine.target.script = fails_after(1, ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await machine.push()

    assert await keys(machine, "waiting") == ["v-2", "v-3"]
    machine.target.received.clear()
    machine.target.script = accept
    await machine.push()
    assert machine.target.times() == {"v-2": 1, "v-3": 1}


async def test_documents_left_by_a_dead_worker_are_sent_by_the_next(machine: Engine) -> None:
    await fill(machine)
    await machine.take()
    assert await keys(machine, "sending") == ["v-1", "v-2", "v-3"]
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == [
        Lane.push(machine.shop_id, "upp")
    ]

    await machine.push()

    assert machine.target.times() == {"v-1": 1, "v-2": 1, "v-3": 1}


async def test_what_a_dead_worker_was_sending_and_is_not_wanted_goes_with_the_next_sweep_and_is_never_shown(
    machine: Engine,
) -> None:
    await fill(machine, 1)
    await machine.take()
    await machine.settle(missing=("12",))
    assert await keys(machine, "unwanted") == ["v-1"]
    async with machine.db.connect() as tx:
        assert await document_queries.count_open(tx, machine.shop_id) == 0
        assert await document_queries.oldest(tx, machine.shop_id, limit=9) == []
        assert await document_queries.states_of(tx, machine.shop_id, "product", ["12"]) == []

    for lane in await lanes.due(machine.db, machine.service.systems, now=machine.watch(), only=machine.shop_id):
        assert await machine.push(lane.system) is False

    assert await machine.documents() == {}
    assert machine.target.received == []
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch(), only=machine.shop_id) == []


async def test_a_cancelled_slice_gives_its_documents_back(machine: Engine) -> None:
    started = asyncio.Event()

    async def hang(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(documents[0], delivered(documents[0]))]
        started.set()
        await asyncio.Event().wait()

    machine.target.script = hang
    await fill(machine)
    slice_ = asyncio.create_task(machine.push())
    await asyncio.wait_for(started.wait(), 10)

    slice_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slice_

    assert await keys(machine, "waiting") == ["v-2", "v-3"]


async def test_refused_credentials_stop_the_connection_and_say_so(machine: Engine) -> None:
    await fill(machine)
    machine.target.script = fails_after(1, LoginRefused("client secret is wrong"))

    assert await machine.push() is False

    row = (await machine.service.connections.of(machine.shop_id))["upp"]
    assert (str(row.state), row.reason) == ("broken", "client secret is wrong")
    [problem] = await machine.problems()
    assert (problem.key, problem.target) == ("connection.refused", "upp")
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []
    machine.target.received.clear()
    assert await machine.push() is False
    assert machine.target.received == []
    assert (await machine.shop()).state is ShopState.ACTIVE


async def test_throttled_waits_until_they_say_and_counts_no_attempt(machine: Engine) -> None:
    await fill(machine)
    until = machine.watch() + timedelta(minutes=7)
    machine.target.script = fails_after(1, Throttled("429", until=until))

    assert await machine.push() is False

    row = await machine.lane("push:upp")
    assert row is not None
    assert row["until"] == until
    assert [one["attempts"] for one in (await machine.documents()).values()] == [0, 0]
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []
    assert await lanes.due(machine.db, machine.service.systems, now=until) == [Lane.push(machine.shop_id, "upp")]


@pytest.mark.situation("down")
@pytest.mark.parametrize(
    "error", [Unreachable("cut"), Throttled("later", until=None)], ids=["no answer", "later, but not when"]
)
async def test_what_names_no_moment_waits_longer_each_time_and_recovers(
    machine: Engine, error: Unreachable | Throttled
) -> None:
    await fill(machine)
    machine.target.script = fails_after(0, error)
    pauses = []
    for _ in range(4):
        await machine.push()
        row = await machine.lane("push:upp")
        assert row is not None
        pauses.append(row["until"] - machine.watch())
        machine.watch.now = row["until"]
    assert [pause.total_seconds() for pause in pauses] == [2, 4, 8, 16]

    machine.target.script = accept
    await machine.push()

    assert (await machine.documents(), await machine.lane("push:upp")) == ({}, None)


def test_a_pause_grows_to_a_quarter_of_an_hour_and_no_further() -> None:
    assert [pause_after(number) for number in (1, 2, 10, 1000)] == [
        timedelta(seconds=2),
        timedelta(seconds=4),
        timedelta(seconds=900),
        timedelta(seconds=900),
    ]


# --- when nothing is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ShopState.SUSPENDED, ShopState.UNINSTALLING, ShopState.UNINSTALLED])
async def test_nothing_is_sent_for_a_shop_that_is_stopped(machine: Engine, state: ShopState) -> None:
    await fill(machine)
    await machine.service.shops.move(
        machine.shop_id, to=state, among=[ShopState.ACTIVE], now=machine.watch(), reason=BY_OPERATOR
    )

    assert await machine.push() is False

    assert machine.target.received == []
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []


async def test_what_another_shop_sends_is_left_alone(machine: Engine) -> None:
    await fill(machine)
    other = await machine.make_shop()
    await machine.connect("upp", other)
    machine.shop_id, mine = ShopId(other), machine.shop_id

    await machine.push()
    assert machine.target.received == []
    machine.shop_id = mine
    await machine.push()
    assert len(machine.target.received) == 3


async def test_a_slice_ends_when_its_time_is_over(machine: Engine) -> None:
    timers = ManualTimers()
    await fill(machine)

    async def slow(documents: Sequence[Document]) -> AsyncIterator[Said]:
        for document in documents:
            timers.advance(SLICE_SECONDS)
            yield [(document, delivered(document))]

    machine.target.script = slow

    assert await machine.push(monotonic=timers.time) is True
    assert await keys(machine, "waiting") == ["v-2", "v-3"]
    assert await keys(machine, "sending") == []


async def test_no_transaction_is_open_while_it_is_sent(machine: Engine) -> None:
    states: list[str] = []

    async def look(documents: Sequence[Document]) -> AsyncIterator[Said]:
        rows = await machine.rows(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        states.extend(str(row["state"]) for row in rows)
        yield [(one, delivered(one)) for one in documents]

    machine.target.script = look
    await fill(machine)

    await machine.push()

    assert states
    assert "idle in transaction" not in states


async def test_what_is_sent_is_never_logged(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Dropped("switched off"))

    with capture_logs() as logs:
        await machine.push()

    assert [entry["event"] for entry in logs] == ["document_dropped", "documents_sent"]
    assert "AB-1" not in str(logs)


async def test_each_delivery_leaves_a_line(machine: Engine) -> None:
    await fill(machine)

    with capture_logs() as logs:
        await machine.push()

    (line,) = logs
    assert (line["event"], line["log_level"], line["target"]) == ("documents_sent", "info", "upp")
    assert (line["kinds"], line["outcomes"]) == (["product"], {"delivered": 3})


async def test_what_has_to_be_sent_again_is_a_warning(machine: Engine) -> None:
    await fill(machine, 1)
    machine.target.script = one_by_one(lambda _: Retry("a passing fault"))

    with capture_logs() as logs:
        await machine.push()

    (line,) = logs
    assert (line["log_level"], line["outcomes"]) == ("warning", {"retry": 1})
    assert line["again_because"] == ["a passing fault"]


@pytest.mark.parametrize(
    ("error", "level"),
    [(Unreachable("server error (500)"), "warning"), (Throttled("the budget is spent", until=None), "info")],
)
async def test_a_failing_system_is_a_warning_and_a_spent_budget_is_none(
    machine: Engine, error: Exception, level: str
) -> None:
    await fill(machine, 1)
    machine.target.script = fails_after(0, error)

    with capture_logs() as logs:
        await machine.push()

    assert [(line["event"], line["log_level"]) for line in logs] == [("lane_stopped", level)]


# --- the guard ----------------------------------------------------------------------------------------------


async def test_only_one_works_on_a_shop_and_system_at_a_time(machine: Engine) -> None:
    lane, other = Lane.push(machine.shop_id, "upp"), Lane.push(machine.shop_id, "uphance")
    async with (
        lanes.exclusive(machine.db, lane) as first,
        lanes.exclusive(machine.db, lane) as second,
        lanes.exclusive(machine.db, other) as elsewhere,
    ):
        assert (first is not None, second, elsewhere is not None) == (True, None, True)
    async with lanes.exclusive(machine.db, lane) as again:
        assert again is not None


async def test_reading_and_writing_the_same_system_exclude_each_other(machine: Engine) -> None:
    async with (
        lanes.exclusive(machine.db, Lane.pull(machine.shop_id, "uphance")) as first,
        lanes.exclusive(machine.db, Lane.push(machine.shop_id, "uphance")) as second,
    ):
        assert (first is not None, second) == (True, None)


async def test_the_guard_is_let_go_when_the_work_fails(machine: Engine) -> None:
    lane = Lane.push(machine.shop_id, "upp")
    with pytest.raises(ZeroDivisionError):
        async with lanes.exclusive(machine.db, lane):
            raise ZeroDivisionError
    async with lanes.exclusive(machine.db, lane) as again:
        assert again is not None


async def test_who_lost_the_guard_can_write_no_link(machine: Engine) -> None:
    """A worker whose database session is gone has lost the lane: another one may be at it."""
    lane = Lane.push(machine.shop_id, "upp")
    with pytest.raises(DBAPIError):  # noqa: PT012
        async with lanes.exclusive(machine.db, lane) as guard:
            assert guard is not None
            links = StoredLinks(guard, machine.shop_id, "upp", machine.watch)
            await links.save(Link("order", "A-1", state=LinkState.SENDING))
            await machine.run(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            async with lanes.exclusive(machine.db, lane) as successor:
                assert successor is not None
            await links.save(Link("order", "A-2", state=LinkState.SENDING))
    assert [*await machine.links()] == ["A-1"]


async def test_who_lost_the_guard_settles_nothing(machine: Engine) -> None:
    """Nor does it release anything: what is on its way may be so with the next holder of the lane."""
    await fill(machine, 1)

    async def script(documents: Sequence[Document]) -> AsyncIterator[Said]:
        await machine.run(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        yield [(one, delivered(one)) for one in documents]

    machine.target.script = script

    with pytest.raises(DBAPIError):
        await machine.push()

    assert await machine.links() == {}
    assert await keys(machine, "sending") == ["v-1"]
    machine.target.script = one_by_one(delivered)
    await machine.push()
    assert [*await machine.links()] == ["v-1"]


async def test_an_attempt_is_kept_with_its_link(machine: Engine) -> None:
    attempt = Attempt(machine.watch(), newer_than=7, mark="ab", trace={"number": "A-1"})
    link = Link("order", "A-1", state=LinkState.SENDING, metadata={"kept": 1}, attempt=attempt)
    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")) as guard:
        assert guard is not None
        links = StoredLinks(guard, machine.shop_id, "upp", machine.watch)

        await links.save(link)
        kept = await links.get("order", "A-1")
        await links.save(replace(link, state=LinkState.UNSENT, attempt=None))
        ended = await links.get("order", "A-1")

    assert kept == link
    assert ended is not None
    assert (ended.attempt, ended.metadata) == (None, {"kept": 1})


async def test_links_that_are_saved_together_are_one_statement_and_come_back_as_they_were(machine: Engine) -> None:
    whole = Link(
        "order",
        "A-1",
        "A-1",
        remote_id="41",
        state=LinkState.DELIVERED,
        hash=b"\x00\xff",
        sent=b"{}",
        created_keys=("v-1", 7),
        remote_status="draft",
        remote_updated_at=machine.watch(),
        closed=True,
        metadata={"order_number": "Š1"},
    )
    under_way = Link(
        "order", "A-2", state=LinkState.SENDING, attempt=Attempt(machine.watch(), None, "ab", {"a": [1]})
    )
    asked: list[str] = []
    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")) as guard:
        assert guard is not None
        links = StoredLinks(guard, machine.shop_id, "upp", machine.watch)

        with each_statement(machine.db, asked.append):
            await links.save(under_way, whole)

        kept = [await links.get("order", key) for key in ("A-1", "A-2")]
    assert kept == [whole, under_way]
    assert len(asked) == 1


async def test_links_are_committed_as_soon_as_they_are_saved(machine: Engine) -> None:
    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")) as guard:
        assert guard is not None
        links = StoredLinks(guard, machine.shop_id, "upp", machine.watch)
        await links.save(Link("order", "A-1", remote_id="41", state=LinkState.SENDING, metadata={"b": 2}))
        await links.save(Link("order", "A-2"))
        await links.reached("order", 99)
        await links.save(Link("customer", "c", remote_id="500"))

        assert [*await machine.links()] == ["A-1", "A-2"]
        found = await links.get("order", "A-1")
        assert found == Link("order", "A-1", remote_id="41", state=LinkState.SENDING, metadata={"b": 2})
        assert await links.get("order", "A-3") is None
        assert await links.high_water("order") == 99
        assert await links.high_water("nothing") is None


async def test_what_was_found_is_linked_where_no_link_says_that_it_is_there(machine: Engine) -> None:
    attempt = Attempt(machine.watch(), newer_than=7)
    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")) as guard:
        assert guard is not None
        links = StoredLinks(guard, machine.shop_id, "upp", machine.watch)
        await links.save(Link("order", "there", remote_id="1", hash=b"h"))
        await links.save(Link("order", "unsent", state=LinkState.UNSENT))
        await links.save(Link("order", "sending", state=LinkState.SENDING, attempt=attempt))
        assert await links.linked_up_to("order") == 7

        found = [Link("order", key, key, f"{10 + at}", hash=ADOPTED) for at, key in enumerate(_FOUND)]
        news = await links.adopt("order", found, up_to=20)

        assert sorted(news) == ["forgotten", "unsent"]
        assert await links.linked_up_to("order") == 20
        kept = {key: await links.get("order", key) for key in _FOUND}

    assert {key: link.remote_id for key, link in kept.items() if link is not None} == {
        "there": "1",
        "unsent": "11",
        "sending": None,
        "forgotten": "13",
    }


_FOUND = ("there", "unsent", "sending", "forgotten")


# --- how long something lasts -------------------------------------------------------------------------------


async def retried(machine: Engine, issue: Issue) -> Any:
    """Everything that is parked is tried again; the problem that is open then."""
    machine.target.script = one_by_one(lambda _: Parked(issue))
    async with machine.db.begin() as tx:
        await documents.release(tx, machine.shop_id, "upp", now=machine.watch())
    await machine.push()
    [problem] = await machine.problems()
    return problem


async def test_a_problem_lasts_since_it_was_first_there_however_often_it_is_tried_again(machine: Engine) -> None:
    await fill(machine, 1)
    began = machine.watch()
    for _ in range(3):
        problem = await retried(machine, Issue("order.no_channel", {"currency": "EUR", "language": "sk"}))
        machine.watch.move(hours=1)

    assert problem.since == began


async def test_another_cause_is_another_problem_and_begins_anew(machine: Engine) -> None:
    await fill(machine, 1)
    await retried(machine, Issue("order.no_channel", {"currency": "EUR", "language": "sk"}))
    machine.watch.move(hours=1)

    problem = await retried(machine, Issue("order.no_season"))

    assert (problem.key, problem.since) == ("order.no_season", machine.watch())


async def test_an_order_that_stops_again_for_the_same_cause_has_stopped_once(machine: Engine) -> None:
    await machine.settle(make_order(order_number="A"))
    for _ in range(3):
        await retried(machine, Issue("order.no_season"))
        machine.watch.move(hours=1)

    steps = await machine.rows("SELECT event FROM order_events WHERE shop_id = :shop_id ORDER BY id")
    assert [row["event"] for row in steps] == ["parked"]
