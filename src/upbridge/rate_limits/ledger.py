"""The ledger: every call to a shop's Upgates API goes through `Ledger.call` (docs/decisions/0003).

    async with ledger.call(shop_id, access="GET /orders", purpose=Purpose.ORDERS) as permit:
        response = await client.send(request)                          # no transaction is open here
        await permit.answered(Response(response.headers, accepted=response.is_success, …))

Entering asks the login breaker, spends one call and leases one of three slots, in one short transaction, committed
before the call. Leaving always releases the slot; the slot of a process that dies is free when its lease expires.
The call stays counted in any case: to count one call too many costs less than to count one too few.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.deadline import pause_deadline, time_limit
from upbridge.core.errors import LoginsFailed, NotReady, Throttled
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits import repository as rows
from upbridge.rate_limits.lease import leasing
from upbridge.rate_limits.login_breaker import WINDOW, Pass, admit
from upbridge.rate_limits.record_response import Response, Ticket, answered, unanswered
from upbridge.rate_limits.snapshot import HOURS, BudgetSnapshot, take_snapshot
from upbridge.rate_limits.spend import spending
from upbridge.rate_limits.windows import HOUR, BudgetState, limits_of
from upbridge.store import rate_limits as store
from upbridge.store.session import committing, driver_transaction, reading

log = structlog.get_logger(__name__)

#: How long a slot is held for a process that may have died. A call must be over before: time out earlier.
LEASE = timedelta(seconds=90)
#: How long `call` waits for a slot, or for the turn of a first call, before it says `Throttled`.
SLOT_TIMEOUT = timedelta(seconds=10)
#: What it says then: come back in about this time.
AGAIN = timedelta(seconds=5)
#: How long the database may take before the ledger fails closed, in seconds.
DATABASE_TIMEOUT = 10.0

_SILENT = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    TimeoutError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

Sleep = Callable[[float], Awaitable[None]]
Settle = Callable[[Ticket, Response], Coroutine[Any, Any, None]]
_random = SystemRandom()


class Permit:
    """The right to make one call, now. Made by `Ledger.call`."""

    def __init__(self, settle: Settle, ticket: Ticket) -> None:
        self.settled = False
        self._settle = settle
        self._ticket = ticket

    async def answered(self, response: Response) -> None:
        """Tell the ledger what the server said; call it once, when the answer is complete.

        The headers correct the count. The slot is free afterwards. If the database does not answer, what the
        server said is lost (and logged): the call stays counted and the slot comes back when its lease expires.
        """
        if self.settled:
            raise RuntimeError("a permit is good for one call")
        self.settled = True
        await _surely(self._settle(self._ticket, response))


class Ledger:
    """The budgets of all shops, in Postgres; any number of processes share them."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, sleep: Sleep = asyncio.sleep) -> None:
        self._engine = engine
        self._clock = clock
        self._sleep = sleep

    @asynccontextmanager
    async def call(self, shop_id: ShopId, *, access: str, purpose: Purpose) -> AsyncIterator[Permit]:
        """Spend one call of the shop's budget and hold one of its three slots for the length of the block.

        *access* is the declared access ("GET /orders"), counted per hour. Waits up to `SLOT_TIMEOUT` for a slot or
        for the turn of a first call, never for budget. Raises `Throttled` (with `until`) when nothing is left for
        *purpose*, the server or the login breaker closed the budget; `NotReady` when the database does not answer;
        `NotFound` for a shop that does not exist. In these cases nothing was spent.
        """
        holder = uuid4()
        try:
            permit = await self._wait(shop_id, holder, access, purpose)
        except asyncio.CancelledError:  # perhaps after the commit
            await _surely(self._release(shop_id, holder))
            raise
        try:
            yield permit
        finally:
            if not permit.settled:
                permit.settled = True
                await _surely(self._release(shop_id, holder))

    async def _wait(self, shop_id: ShopId, holder: UUID, access: str, purpose: Purpose) -> Permit:
        pause, waited = _FIRST_PAUSE, 0.0
        while waited < SLOT_TIMEOUT.total_seconds():
            permit = await self._enter(shop_id, holder, access, purpose)
            if permit is not None:
                return permit
            nap = _random.uniform(pause / 2, pause)
            with pause_deadline():  # for other calls of the shop
                await self._sleep(nap)
            waited += nap
            pause = min(pause * 2, _LONGEST_PAUSE)
        until = self._clock() + AGAIN * _random.uniform(1, 2)
        raise Throttled("other calls of this shop take all slots", until=until)

    async def _enter(self, shop_id: ShopId, holder: UUID, access: str, purpose: Purpose) -> Permit | None:
        """One attempt, all or nothing; None when it is worth another one in a moment.

        Nearly always one statement does all of it. Where it does not, it is made step by step, which says why.
        """
        now = self._clock()
        values = {
            **leasing(holder, access=access, purpose=purpose, now=now, until=now + LEASE),
            **spending(shop_id, purpose, now),
            "since": now - WINDOW,
        }
        async with self._answering(), committing(self._engine) as connection:
            # Another caller of the shop may have taken the slot meanwhile; the next look sees that.
            entry = await store.enter(connection, {**values, "first": False})
            entry = entry or await store.enter(connection, {**values, "first": False})
        if entry is not None:
            return self._permit(shop_id, holder, entry, now)
        async with self._transaction() as tx:
            passed = await admit(tx, shop_id, now)
            if isinstance(passed, datetime):
                raise LoginsFailed("too many failed logins within the hour", until=passed)
            if passed is Pass.BUSY:
                return None
            entry = await self._spend(tx, shop_id, purpose, {**values, "first": passed is Pass.FIRST}, now)
            return None if entry is None else self._permit(shop_id, holder, entry, now)

    def _permit(self, shop_id: ShopId, holder: UUID, entry: store.Spent, now: datetime) -> Permit:
        ticket = Ticket(
            shop_id,
            holder,
            number=entry.calls_made,
            lost=entry.calls_lost,
            hour_at=entry.hour_at,
            spent_at=now,
        )
        return Permit(self._settle, ticket)

    async def _spend(
        self, tx: AsyncConnection, shop_id: ShopId, purpose: Purpose, values: Mapping[str, Any], now: datetime
    ) -> store.Spent | None:
        """Spend a call, or say until when there is none; None if no slot is free or that changed meanwhile."""
        entry = await store.enter_admitted(tx, values)
        if entry is not None:
            return entry
        row = await store.find_budget(tx, shop_id)
        if row is None:  # the shop's first call ever
            await store.ensure_budget(tx, shop_id, rows.columns(BudgetState.fresh(None, now)))
            return await self._spend(tx, shop_id, purpose, values, now)
        state = rows.state_of(row)
        until = state.free_at(purpose, now)
        if until > now:
            reason = "Upgates wants no calls" if state.closed(now) else "nothing is left of the budget"
            raise Throttled(f"{reason} for {purpose.name.lower()}", until=until)
        return None

    async def _settle(self, ticket: Ticket, response: Response) -> None:
        try:
            async with self._answering(), driver_transaction(self._engine) as connection:
                await answered(connection, ticket, response, self._clock())
        except NotReady as error:
            log.warning("answer_not_recorded", shop_id=str(ticket.shop_id), error=str(error))

    async def _release(self, shop_id: ShopId, holder: UUID) -> None:
        try:
            async with self._transaction() as tx:
                await unanswered(tx, shop_id, holder)
        except NotReady as error:  # the lease expires by itself
            log.warning("slot_not_released", shop_id=str(shop_id), error=str(error))

    async def state(self, tx: AsyncConnection, shop_id: ShopId) -> BudgetState:
        """What the shop's budget held when it was last written; `BudgetState.at` says what it holds now."""
        async with self._answering():
            row = await store.find_budget(tx, shop_id)
        return BudgetState.fresh(None, self._clock()) if row is None else rows.state_of(row)

    async def snapshot(self, shop_id: ShopId) -> BudgetSnapshot:
        """What the shop's budget holds now and in the next 24 hours."""
        now = self._clock()
        async with self._answering(), reading(self._engine) as tx:
            row = await store.find_budget(tx, shop_id)
            sums = await store.calls_by_purpose(tx, shop_id, after=now - HOURS * HOUR)
        state = BudgetState.fresh(None, now) if row is None else rows.state_of(row)
        by_purpose = {Purpose[name.upper()]: count for name, count in sums.items()}
        return take_snapshot(
            state,
            now,
            learned_at=row.learned_at if row is not None else None,
            calls={purpose: by_purpose.get(purpose, 0) for purpose in Purpose},
        )

    async def set_tariff(self, shop_id: ShopId, tariff: str | None, packages: int = 0) -> None:
        """Take the published limits of a tariff, for a shop on its own API user; limits from headers win.

        Raises `ValueError` for a tariff or a number of packages that cannot be bought, `NotFound`, `NotReady`.
        """
        limits, now = limits_of(tariff, packages), self._clock()
        async with self._transaction() as tx:
            await store.ensure_budget(tx, shop_id, rows.columns(BudgetState.fresh(None, now)))
            await store.set_published_limits(
                tx,
                shop_id,
                hour_limit=None if limits is None else limits.hour,
                day_limit=None if limits is None else limits.day,
            )

    async def doubt(self, shop_id: ShopId) -> None:
        """The shop's credentials are new, or probably dead: its next call counts as a first call again."""
        async with self._transaction() as tx:
            await store.forget_login(tx, shop_id)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A short transaction on a database that answers; `NotReady` otherwise."""
        async with self._answering(), self._engine.begin() as tx:
            yield tx

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """A database that does not answer in time is `NotReady`."""
        try:
            async with time_limit(DATABASE_TIMEOUT):
                yield
        except _SILENT as error:
            raise NotReady("the database does not answer, so no call is made") from error


async def _surely(work: Coroutine[Any, Any, None]) -> None:
    """Finish *work* even if the caller is cancelled meanwhile; then let the cancellation go on."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
