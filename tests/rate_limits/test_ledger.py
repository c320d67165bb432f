"""The ledger on a real Postgres: counted before the call, in at most three slots, corrected by the server."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.rate_limits.calling_processes import Witness, call_from, watched
from tests.rate_limits.calls import ACCESS, OpenLedger, one_call, response, said, sql
from tests.support.clock import NOON, MovableClock, expired
from tests.support.postgres import wait_for_lock
from tests.support.shops import MakeShop
from upbridge.core.errors import NotFound, NotReady, Throttled
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import AGAIN, LEASE
from upbridge.rate_limits.windows import CAP_PER_DAY, BudgetState, Limits
from upbridge.store.database import sqlalchemy_url


@pytest.fixture
async def shop(make_shop: MakeShop, ledger: OpenLedger) -> ShopId:
    """A shop whose login is known to work."""
    shop_id = await make_shop()
    await one_call(ledger, shop_id)
    await reset(ledger, shop_id)
    return shop_id


async def reset(ledger: OpenLedger, shop_id: ShopId) -> None:
    await sql(
        ledger,
        "UPDATE budgets SET calls_unconfirmed = 0, calls_today = 0, calls_lost = 0 WHERE shop_id = :shop",
        shop=shop_id,
    )
    await sql(ledger, "DELETE FROM api_calls")


async def left(ledger: OpenLedger, shop_id: ShopId) -> tuple[int, int]:
    snapshot = await ledger.snapshot(shop_id)
    return snapshot.hour_remaining, snapshot.day_remaining


# --- counting -----------------------------------------------------------------------------------------------


async def test_calls_come_from_the_hour_first_and_then_from_the_day(ledger: OpenLedger, shop: ShopId) -> None:
    await ledger.set_tariff(shop, "bronze")
    for _ in range(13):
        await one_call(ledger, shop)
    assert await left(ledger, shop) == (0, 97)


async def test_when_both_are_empty_the_next_full_hour_is_named(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await ledger.set_tariff(shop, "bronze")
    await sql(ledger, "UPDATE budgets SET day_used = 100")
    clock.move(minutes=7)
    for _ in range(10):
        await one_call(ledger, shop)
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, shop)
    assert refused.value.until == NOON + timedelta(hours=1)
    assert clock.slept == 0, "waiting for budget is the caller's business"
    clock.now = refused.value.until
    await one_call(ledger, shop)
    assert await left(ledger, shop) == (9, 0)


async def test_the_pool_comes_back_at_midnight_in_prague(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await ledger.set_tariff(shop, "bronze")
    for _ in range(12):
        await one_call(ledger, shop)
    clock.now = datetime.fromisoformat("2026-11-24T22:59:59+00:00")
    await one_call(ledger, shop)
    assert await left(ledger, shop) == (9, 98)
    clock.now = datetime.fromisoformat("2026-11-24T23:00:00+00:00")
    await one_call(ledger, shop)
    assert await left(ledger, shop) == (9, 100)


async def test_an_import_leaves_the_reserve_and_an_order_takes_it(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await ledger.set_tariff(shop, "bronze")
    await sql(ledger, "UPDATE budgets SET day_used = 100")
    for _ in range(6):
        await one_call(ledger, shop, Purpose.IMPORT)
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, shop, Purpose.IMPORT)
    assert refused.value.until == NOON + timedelta(minutes=50)
    await one_call(ledger, shop, Purpose.PRODUCTS)
    await one_call(ledger, shop, Purpose.PRODUCTS)
    with pytest.raises(Throttled):
        await one_call(ledger, shop, Purpose.PRODUCTS)
    await one_call(ledger, shop, Purpose.ORDERS)
    clock.now = refused.value.until
    with pytest.raises(Throttled):
        await one_call(ledger, shop, Purpose.IMPORT)  # the last one stays
    await one_call(ledger, shop, Purpose.STOCK)


@pytest.mark.rule("R50")
async def test_without_a_tariff_the_day_has_sixty_thousand(ledger: OpenLedger, shop: ShopId) -> None:
    await sql(ledger, "UPDATE budgets SET calls_today = :most", most=CAP_PER_DAY - 1)
    await one_call(ledger, shop)
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, shop)
    assert refused.value.until == datetime.fromisoformat("2026-11-24T23:00:00+00:00")


@pytest.mark.rule("R50")
async def test_every_call_is_counted_by_access_and_purpose(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await one_call(ledger, shop, Purpose.ORDERS)
    await one_call(ledger, shop, Purpose.ORDERS)
    clock.move(hours=1)
    await one_call(ledger, shop, Purpose.IMPORT)
    snapshot = await ledger.snapshot(shop)
    assert snapshot.calls_by_purpose[Purpose.ORDERS] == 2
    assert snapshot.calls_by_purpose[Purpose.IMPORT] == 1
    assert snapshot.calls_by_purpose[Purpose.STOCK] == 0
    assert snapshot.calls_today == 3
    assert await sql(ledger, "SELECT count(*) FROM api_calls WHERE access = :access", access=ACCESS) == 2


async def test_a_refused_call_is_not_counted(ledger: OpenLedger, shop: ShopId) -> None:
    await sql(ledger, "UPDATE budgets SET calls_today = :most", most=CAP_PER_DAY)
    with pytest.raises(Throttled):
        await one_call(ledger, shop)
    assert await sql(ledger, "SELECT count(*) FROM api_calls") == 0
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 0


async def test_a_call_that_ends_in_an_error_is_counted_and_its_slot_is_free(
    ledger: OpenLedger, shop: ShopId
) -> None:
    await ledger.set_tariff(shop, "bronze")
    with pytest.raises(ConnectionError):
        async with ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS):
            raise ConnectionError
    assert await left(ledger, shop) == (9, 100)
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 0


async def test_a_permit_is_good_for_one_call(ledger: OpenLedger, shop: ShopId) -> None:
    async with ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as permit:
        await permit.answered(response(200))
        with pytest.raises(RuntimeError):
            await permit.answered(response(200))


async def test_a_shop_that_does_not_exist_is_not_found(ledger: OpenLedger) -> None:
    with pytest.raises(NotFound):
        await one_call(ledger, ShopId(uuid4()))


# --- slots --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R49")
async def test_a_fourth_call_waits_for_a_slot_and_then_gives_up(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS))
        with pytest.raises(Throttled) as refused:
            await one_call(ledger, shop)
        assert 10 <= clock.slept < 11
        assert refused.value.until is not None
        assert clock.now + AGAIN <= refused.value.until <= clock.now + 2 * AGAIN
        assert await sql(ledger, "SELECT sum(count) FROM api_calls") == 3, "it spent nothing"
    await one_call(ledger, shop)


async def test_the_third_slot_is_for_what_is_urgent(ledger: OpenLedger, shop: ShopId) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(ledger.call(shop, access=ACCESS, purpose=Purpose.IMPORT))
        with pytest.raises(Throttled):
            await one_call(ledger, shop, Purpose.IMPORT)
        await one_call(ledger, shop, Purpose.ORDERS)


async def test_a_cancelled_caller_gives_its_slot_back(ledger: OpenLedger, shop: ShopId) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await inside.wait()
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 0


async def test_the_slot_of_a_killed_caller_comes_back_when_its_lease_expires(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await ledger.set_tariff(shop, "bronze")
    for _ in range(3):
        await ledger.enter_and_die(shop)
    with pytest.raises(Throttled):
        await one_call(ledger, shop)
    clock.now = NOON + LEASE
    await one_call(ledger, shop)
    assert await left(ledger, shop) == (6, 100), "what was spent stays spent"


KILLED = """
import asyncio, os, signal, sys, uuid
from datetime import datetime
from sqlalchemy.ext.asyncio import create_async_engine
from upbridge.rate_limits.ledger import Ledger
from upbridge.domain.purpose import Purpose

async def main(url, shop, now):
    ledger = Ledger(create_async_engine(url), lambda: datetime.fromisoformat(now))
    async with ledger.call(uuid.UUID(shop), access="GET /orders", purpose=Purpose.ORDERS):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_was_spent_survives_kill_9_between_spend_and_call(
    database_url: str, ledger: OpenLedger, shop: ShopId
) -> None:
    await ledger.set_tariff(shop, "bronze")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, sqlalchemy_url(database_url), str(shop), NOON.isoformat()
    )
    assert await process.wait() == -signal.SIGKILL
    assert await left(ledger, shop) == (9, 100)
    assert (await ledger.snapshot(shop)).calls_by_purpose[Purpose.ORDERS] == 1
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 1


# --- races --------------------------------------------------------------------------------------------------


@pytest.mark.rule("R49")
async def test_forty_callers_of_four_processes_never_overspend_and_never_are_four(
    database_url: str, ledger: OpenLedger, shop: ShopId
) -> None:
    await ledger.set_tariff(shop, "silver")
    await sql(ledger, "UPDATE budgets SET day_used = 280")

    async with watched(Witness(together=3)) as witness:
        refused = await call_from(
            4, witness, url=database_url, now=NOON, purpose=Purpose.ORDERS, shops=[shop] * 40
        )

    assert witness.calls == 35, "15 of the hour and 20 of the day"
    assert refused == 5 * [NOON + timedelta(hours=1)]
    assert witness.most == 3
    assert await left(ledger, shop) == (0, 0)
    assert await sql(ledger, "SELECT count(*) FROM call_leases") == 0


async def test_the_statement_agrees_with_the_arithmetic(ledger: OpenLedger, make_shop: MakeShop) -> None:
    """A walk through two days, with the database and `BudgetState` side by side."""
    shop = await make_shop()
    clock = ledger.clock
    await ledger.set_tariff(shop, "bronze")
    await sql(ledger, "UPDATE budgets SET succeeded_at = '2027-01-01'")
    state = BudgetState.fresh(Limits(10, 100), clock())
    steps = [(minutes, purpose) for minutes in (0, 0, 0, 3, 17, 41, 0, 0, 9) for purpose in (5, 3, 1, 4, 5, 3)]
    for minutes, purpose in steps * 8:
        clock.move(minutes=minutes)
        state = state.at(clock())
        room = state.room(Purpose(purpose), clock())
        if room:
            async with ledger.call(shop, access=ACCESS, purpose=Purpose(purpose)):
                state = state.spend()
        else:
            with pytest.raises(Throttled) as refused:
                await one_call(ledger, shop, Purpose(purpose))
            assert refused.value.until == state.free_at(Purpose(purpose), clock())


# --- no database, no call -----------------------------------------------------------------------------------


async def test_no_database_no_call(clock: MovableClock) -> None:
    engine = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(NotReady):
        await one_call(OpenLedger(engine, clock, sleep=clock.sleep), ShopId(uuid4()))
    await engine.dispose()


async def test_a_database_that_hangs_is_no_database(ledger: OpenLedger, engine: AsyncEngine, shop: ShopId) -> None:
    async with engine.connect() as tx, tx.begin():
        await tx.execute(text("LOCK TABLE budgets"))
        with pytest.raises(NotReady):
            await expired(one_call(ledger, shop), lambda: wait_for_lock(engine))
    await one_call(ledger, shop)


# --- what the server says -----------------------------------------------------------------------------------


async def test_the_first_answer_teaches_the_limits(ledger: OpenLedger, shop: ShopId) -> None:
    await one_call(ledger, shop, headers=said(50, 600, 48, 600))
    snapshot = await ledger.snapshot(shop)
    assert snapshot.limits == Limits(50, 600)
    assert snapshot.learned_at == NOON
    assert (snapshot.hour_remaining, snapshot.day_remaining) == (48, 600)


async def test_headers_win_over_a_chosen_tariff_before_and_after(ledger: OpenLedger, shop: ShopId) -> None:
    await ledger.set_tariff(shop, "gold", 2)
    assert (await ledger.snapshot(shop)).limits == Limits(100, 1400)
    await one_call(ledger, shop, headers=said(10, 100, 9, 100))
    await ledger.set_tariff(shop, "platinum")
    assert (await ledger.snapshot(shop)).limits == Limits(10, 100)


async def test_other_software_on_the_same_pot_is_seen(ledger: OpenLedger, shop: ShopId) -> None:
    await one_call(ledger, shop, headers=said(10, 100, 0, 1))
    assert await left(ledger, shop) == (0, 1)
    await one_call(ledger, shop)
    with pytest.raises(Throttled):
        await one_call(ledger, shop)


async def test_calls_that_the_server_never_counted_come_back(ledger: OpenLedger, shop: ShopId) -> None:
    await ledger.set_tariff(shop, "bronze")
    for _ in range(4):
        with pytest.raises(ConnectionError):
            async with ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS):
                raise ConnectionError
    await one_call(ledger, shop, headers=said(10, 100, 9, 100))
    assert await left(ledger, shop) == (9, 100)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
async def test_answers_of_parallel_calls_may_come_in_any_order(
    ledger: OpenLedger, shop: ShopId, order: tuple[int, ...]
) -> None:
    await one_call(ledger, shop, headers=said(10, 100, 9, 100))
    async with AsyncExitStack() as stack:
        permits = [
            await stack.enter_async_context(ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS))
            for _ in range(3)
        ]
        assert await left(ledger, shop) == (6, 100)
        for number in order:
            await permits[number].answered(response(200, said(10, 100, 8 - number, 100)))
            assert (await left(ledger, shop))[0] <= 6, "never more than there is"
        assert await left(ledger, shop) == (6, 100), "and in the end exactly that"


async def test_an_answer_that_was_counted_in_another_hour_teaches_no_count(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await ledger.set_tariff(shop, "bronze")
    clock.now = NOON + timedelta(minutes=59, seconds=59)
    async with ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as permit:
        clock.move(seconds=2)
        await permit.answered(response(200, said(10, 100, 0, 40)))
    assert (await left(ledger, shop))[0] == 10
    # Our clock is ahead of theirs: they are still in the hour before and say so.
    late = said(10, 100, 0, 40, Date="Tue, 24 Nov 2026 11:59:59 GMT")
    await one_call(ledger, shop, headers=late)
    assert (await left(ledger, shop))[0] == 9


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Rate-Limit-Hour": "", "X-Rate-Limit-Day": "many", "X-Rate-Limit-Hour-Remaining": "9, 9"},
        {"X-Rate-Limit-Hour": "-5", "X-Rate-Limit-Day": "1e3", "X-Rate-Limit-Hour-Remaining": "\u0665"},
        {"X-Rate-Limit-Hour": "9" * 30, "X-Rate-Limit-Total-Remaining": "0x10", "Retry-After": "soon"},
    ],
)
async def test_garbage_teaches_nothing(ledger: OpenLedger, shop: ShopId, headers: dict[str, str]) -> None:
    await ledger.set_tariff(shop, "bronze")
    await one_call(ledger, shop, headers=headers)
    snapshot = await ledger.snapshot(shop)
    assert snapshot.limits == Limits(10, 100)
    assert await left(ledger, shop) == (9, 100)


# --- 429 ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R49")
@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({"Retry-After": "Tue, 24 Nov 2026 11:34:00 GMT"}, "2026-11-24T11:34:00+00:00"),
        ({"Retry-After": "90"}, "2026-11-24T11:01:30+00:00"),
        ({"retry-after": "90"}, "2026-11-24T11:01:30+00:00"),
        ({}, "2026-11-24T12:00:00+00:00"),
        ({"Retry-After": "whenever"}, "2026-11-24T12:00:00+00:00"),
        ({"Retry-After": "Fri, 24 Nov 2045 11:34:00 GMT"}, "2026-11-25T11:00:00+00:00"),
        ({"Retry-After": "Tue, 24 Nov 2026 10:59:59 GMT"}, "2026-11-24T11:00:02+00:00"),
        (said(10, 100, 4, 100), "2026-11-24T11:00:02+00:00"),
        (said(10, 100, 0, 0), "2026-11-24T12:00:00+00:00"),
    ],
)
async def test_429_closes_the_budget_until_then(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock, headers: dict[str, str], until: str
) -> None:
    await one_call(ledger, shop, status=429, headers=headers)
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, shop)
    assert refused.value.until == datetime.fromisoformat(until)
    assert (await ledger.snapshot(shop)).closed_until == datetime.fromisoformat(until)
    clock.now = refused.value.until
    await one_call(ledger, shop)


async def test_429_without_a_word_waits_briefly_when_calls_were_just_left_and_longer_the_second_time(
    ledger: OpenLedger, shop: ShopId, clock: MovableClock
) -> None:
    await one_call(ledger, shop, headers=said(10, 100, 8, 100))
    await one_call(ledger, shop, status=429)
    for seconds in (2, 60):
        with pytest.raises(Throttled) as refused:
            await one_call(ledger, shop)
        assert refused.value.until == clock.now + timedelta(seconds=seconds)
        clock.now = refused.value.until
        await one_call(ledger, shop, status=429)


async def test_a_shop_that_is_closed_does_not_close_another(
    ledger: OpenLedger, shop: ShopId, make_shop: MakeShop
) -> None:
    await one_call(ledger, shop, status=429)
    await one_call(ledger, await make_shop())


# --- the rest -----------------------------------------------------------------------------------------------


async def test_the_snapshot_of_a_shop_that_was_never_called_is_the_cap(
    ledger: OpenLedger, make_shop: MakeShop
) -> None:
    snapshot = await ledger.snapshot(await make_shop())
    assert snapshot.limits is None
    assert snapshot.next_24_hours == 2 * CAP_PER_DAY, "what is left of today, and tomorrow's"


async def test_the_snapshot_counts_the_coming_hours_and_both_days(ledger: OpenLedger, shop: ShopId) -> None:
    await ledger.set_tariff(shop, "bronze")
    for _ in range(12):
        await one_call(ledger, shop)
    snapshot = await ledger.snapshot(shop)
    assert len(snapshot.hours) == 24
    assert [hour.calls for hour in snapshot.hours] == [0] + 23 * [10]
    assert snapshot.next_24_hours == 23 * 10 + 98 + 100
