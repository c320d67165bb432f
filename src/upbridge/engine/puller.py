"""The first half of every flow: claim changes, read the current state, plan documents.

Work is done in slices: a slice ends after `SLICE_SECONDS` and says whether something is left, and another slice
goes on later. So one shop's import never keeps another shop's orders waiting. No transaction is open during a
call.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.backoff import pause_after
from upbridge.core.clock import Clock
from upbridge.core.errors import LoginRefused, Rejected, Throttled, Unreachable
from upbridge.core.telemetry.metrics import BUDGET_WAITS
from upbridge.domain.lane import SLICE_SECONDS, Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop, ShopState
from upbridge.engine import lanes
from upbridge.engine.access import Logins
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.facts import no_right
from upbridge.engine.flows import ENTITY, NEEDED, PAGES, SERVICES, wanted
from upbridge.engine.read_ahead import ReadAhead, Slice
from upbridge.engine.readers import Readers
from upbridge.engine.runs import forget_pages
from upbridge.engine.shop_maintenance import ShopMaintenance
from upbridge.rate_limits.ledger import Ledger
from upbridge.rate_limits.pace import GATHERED, is_free, not_before
from upbridge.store import change_queries, changes
from upbridge.store import lanes as lane_rows
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.connections import ConnectionRow, connections_of
from upbridge.store.gatherings import gather_until, gathered_until
from upbridge.store.problems import NewProblem, Stage, raise_problems
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems
from upbridge.systems.http.batching import in_halves

log = structlog.get_logger(__name__)

BATCH = 300
"""Changes that are looked at together: three calls in flight, a hundred entities each."""
A_FEW = 10
"""So many things that are announced after a quiet time go at once; more are a burst, of which more is to come."""
MAX_ATTEMPTS = 6
_FAILURES_BEFORE_HALVING = 2
"""So often a list is asked for as a whole before it is made smaller."""
_RETRY_PAUSE = timedelta(minutes=1)
_ASIDE = frozenset({Kind.FACTS, Kind.WEBHOOKS})
"""What is read of the shop itself, beside its orders and products: these go on without it."""
_NAMING = frozenset({Kind.VARIANT})
"""What makes no call and says what else is to be read: it goes before that, which is then read once."""
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Puller:
    """Reads what has changed in shops and systems."""

    engine: AsyncEngine
    clock: Clock
    shops: Shops
    systems: Systems
    ledger: Ledger
    connected: ConnectedSystems
    readers: Readers
    read_ahead: ReadAhead
    maintenance: ShopMaintenance
    logins: Logins
    coalesce_seconds: float
    batch: int = BATCH
    """Changes that are read together at most."""

    async def pull(
        self, lane: Lane, guard: AsyncConnection, *, monotonic: Callable[[], float] = time.monotonic
    ) -> bool:
        """Work one slice of *lane*; returns whether something is left that could be done now.

        *guard* is the session that holds the lane (`lanes.exclusive`), *monotonic* tells how long it took, in
        seconds.
        """
        if lane.system != self.systems.platform.name:
            return await self._pull(lane, guard, Slice(), monotonic)
        async with self.read_ahead.slice(lane.shop_id) as ahead:
            return await self._pull(lane, guard, ahead, monotonic)

    async def _pull(
        self, lane: Lane, guard: AsyncConnection, ahead: Slice, monotonic: Callable[[], float]
    ) -> bool:
        deadline, passage = monotonic() + SLICE_SECONDS, None
        while (in_time := ahead.more and monotonic() < deadline) or ahead.holds:
            ahead.more = in_time  # later only what was asked for already has its turn
            now = self.clock()
            if passage is None or passage.failed:  # only the worker that has the lane blocks it
                passage = await lane_rows.passage(guard, lane, now=now)
            batch = await change_queries.claim(
                guard, lane.shop_id, lane.system, below=passage.below, limit=self.batch, now=now
            )
            if not batch:
                return False
            shop = await self.shops.read(guard, lane.shop_id)
            rows = await connections_of(guard, shop.id)
            batch = [change for change in batch if shop.state is ShopState.ACTIVE or change.kind is Kind.PROBE]
            if not batch:
                return False
            batch = [change for change in batch if change.kind in _NAMING] or batch
            if not in_time and all(change.kind is not Kind.PRODUCTS_PAGE for change in batch):
                return True
            if await self._gathers(guard, lane, shop, batch):
                continue
            batch = await self._without_rest(guard, lane, batch)
            targets = self.connected.known(rows)
            if not await self._work(lane, shop, batch, targets, failed=passage.failed):
                return False
            if read := [change for change in batch if change.announced]:
                await changes.gather_again(guard, shop.id, lane.system, read)
        return True

    async def _gathers(self, guard: AsyncConnection, lane: Lane, shop: Shop, batch: Sequence[Change]) -> bool:
        """Whether *batch* waits, to share its calls with what comes next; if it does not, the next ones are
        gathered.

        Calls for what was announced are spread where they run ahead of what the hour and the day hold. Else the
        first announcement after a quiet time is read at once while calls are free, unless it announces a burst by
        itself. What web stored while the gathering began waits for its end like the others.
        """
        now, purpose = self.clock(), batch[0].purpose
        announced = [change.marked_at for change in batch if change.announced]
        state = None
        if lane.system == self.systems.platform.name and purpose in GATHERED:
            state = await self.ledger.state(guard, shop.id)
            until = not_before(state, now)
            if until > now:
                await _gather(self.engine, lane, shop, GATHERED, until)
                return True
        if not announced or batch[0].kind in _NAMING:  # what makes no call shares none
            return False
        together = timedelta(seconds=self.coalesce_seconds)
        before = await gathered_until(guard, shop.id, lane.system, purpose)
        waiting = all(change.announced for change in batch if change.due)  # a person waits for no gathering
        if waiting and before is not None and now < before <= min(announced) + together:
            await _gather(self.engine, lane, shop, [purpose], before)  # web has not seen that they are gathered
            return True
        first = before is None or before < min(announced)
        alone = len(announced) <= A_FEW and (state is None or is_free(state, now))
        until = min(announced) + together
        if not first or alone or until <= now:
            await gather_until(guard, shop.id, lane.system, purpose, now + together)
            return False
        await _gather(self.engine, lane, shop, [purpose], until)
        return True

    async def _without_rest(self, guard: AsyncConnection, lane: Lane, batch: list[Change]) -> list[Change]:
        """*batch* without the rest of a burst: what is too new to have been gathered and would take one call more.
        It is left to the gathering that has just begun."""
        begun = self.clock() - timedelta(seconds=self.coalesce_seconds)
        rest = _rest(self.readers, batch, newer_than=begun)
        if not rest:
            return batch
        await changes.leave_gathered(guard, lane.shop_id, lane.system, rest)
        left = {change.seq for change in rest}
        return [change for change in batch if change.seq not in left]

    async def _work(
        self,
        lane: Lane,
        shop: Shop,
        batch: Sequence[Change],
        targets: Mapping[str, ConnectionRow],
        *,
        failed: bool,
    ) -> bool:
        """Read and settle *batch*; returns whether the lane can go on. *targets*: the shop's connections.
        *failed*: the last try did, so that the lane is unblocked if this one succeeds."""
        useless = [change for change in batch if not wanted(self.systems, change.kind, targets)]
        if useless:
            async with self.engine.begin() as tx:
                await changes.done(tx, shop.id, lane.system, useless)
                await _forget(tx, useless, now=self.clock())
        useful = [change for change in batch if change not in useless]
        useful = await _permitted(self.engine, lane, shop, useful, now=self.clock())
        useful = await _mappable(self.engine, lane, shop, useful, now=self.clock())
        if shop.facts is None and any(change.kind in ENTITY for change in useful):
            # Nothing can be mapped before languages, price lists and statuses are known.
            async with self.engine.begin() as tx:
                await changes.mark_changed(
                    tx,
                    shop.id,
                    lane.system,
                    Kind.FACTS,
                    ["facts"],
                    origin=Origin.LIFECYCLE,
                    now=self.clock(),
                )
            return True
        chunks = _chunks(self.readers, useful)
        results = await asyncio.gather(
            *(self._read(lane, shop, chunk, targets) for chunk in chunks), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if not failures:
            if useful and failed:
                async with self.engine.begin() as tx:
                    await lane_rows.unblock(tx, lane, purpose=int(useful[0].purpose))
            return True
        failures.sort(key=_gravity)
        for failure in failures[1:]:
            log.warning("pull_also_failed", shop_id=str(shop.id), lane=lane.name, error=str(failure))
        if len(failures) < len(results) and isinstance(failures[0], Unreachable):
            # The rest went well, so it is not the shop that is down: what failed waits by itself (`_read`).
            return True
        return await self._passes(lane, shop, chunks, failures[0], failed=failed)

    async def _passes(
        self, lane: Lane, shop: Shop, chunks: Sequence[Sequence[Change]], error: BaseException, *, failed: bool
    ) -> bool:
        """Whether the lane can go on although none of *chunks* could be read, the gravest because of *error*."""
        purpose = chunks[0][0].purpose
        fault: BaseException | None = error
        if isinstance(error, Unreachable) and shop.facts is not None and purpose is Purpose.LIFECYCLE:
            # Nothing is more urgent, so a block would stop all the rest; what failed waits by itself.
            return True
        if isinstance(error, Unreachable) and lane.system == PLATFORM and all(map(_is_alone, chunks)):
            told = all(chunk[0].attempts >= MAX_ATTEMPTS for chunk in chunks)
            fault = None if told and not failed else await self._fault_of_shop(shop, purpose, error)
        if fault is None:
            async with self.engine.begin() as tx:
                await lane_rows.unblock(tx, lane, purpose=int(purpose))
            return True
        await self._stop(lane, shop, fault, priority=int(purpose))
        return False

    async def _fault_of_shop(self, shop: Shop, purpose: Purpose, error: Unreachable) -> BaseException | None:
        """Why the shop cannot be read; None if it answers, and it is what was asked for that it stumbles on."""
        try:
            await self.maintenance.ask(shop, purpose)
        except (Unreachable, Rejected):
            return error
        except (LoginRefused, Throttled) as graver:
            return graver
        return None

    async def _read(
        self, lane: Lane, shop: Shop, chunk: list[Change], targets: Mapping[str, ConnectionRow]
    ) -> None:
        """Read one chunk. Without a usable answer its changes wait, each time longer, and the failure goes on."""
        try:
            await self._ask(lane, shop, chunk, targets)
        except Unreachable as error:
            await _unanswered(self.engine, lane, shop, chunk, error, now=self.clock())
            if chunk[0].kind in _ASIDE and (await self.shops.get(shop.id)).facts is not None:
                log.warning("pull_put_off", shop_id=str(shop.id), kind=chunk[0].kind, error=str(error))
                return
            raise

    async def _ask(
        self, lane: Lane, shop: Shop, chunk: list[Change], targets: Mapping[str, ConnectionRow]
    ) -> None:
        """One call, or more: a refusal halves the chunk until the bad one is alone and counted."""
        reader, title = self.readers.of(chunk[0].kind, targets), self.systems.title(lane.system)

        async def read(part: Sequence[Change]) -> None:
            await reader.read(shop, list(part))

        async for part, refusal in in_halves(chunk, read, system=title):
            if refusal is not None:
                if part[0].kind is Kind.FACTS and shop.facts is None:  # nothing else can be done before
                    raise Unreachable(
                        f"{self.systems.title(lane.system)} does not answer as published: {refusal}"
                    ) from refusal
                await _refused(self.engine, lane, shop, part[0], refusal, now=self.clock())

    async def _stop(self, lane: Lane, shop: Shop, error: BaseException, *, priority: int) -> None:
        """Block the lane as the failure asks for. Raises a failure that is not expected."""
        now = self.clock()
        match error:
            case LoginRefused() if lane.system == self.systems.platform.name:
                await self.logins.refused_by_platform(shop, error)
            case LoginRefused():
                await self.logins.refused_by_target(shop, lane.system, error)
            case Throttled():
                BUDGET_WAITS.inc()
                await lanes.wait(self.engine, lane, error, now=now, priority=priority)
            case Unreachable():
                # What is more urgent asks for itself: a page that cannot be read stops no new order.
                await lanes.wait(self.engine, lane, error, now=now, priority=priority)
            case _:
                raise error
        if isinstance(error, Throttled):
            log.info("lane_stopped", shop_id=str(shop.id), lane=lane.name, reason=str(error))
        else:
            log.warning("lane_stopped", shop_id=str(shop.id), lane=lane.name, reason=str(error))


async def _gather(
    engine: AsyncEngine, lane: Lane, shop: Shop, purposes: Collection[Purpose], until: datetime
) -> None:
    async with engine.begin() as tx:
        for purpose in purposes:
            await gather_until(tx, shop.id, lane.system, purpose, until)
        await changes.gather(tx, shop.id, lane.system, purposes, until=until)
    log.info("changes_gathered_longer", shop_id=str(shop.id), until=until.isoformat())


async def _permitted(
    engine: AsyncEngine, lane: Lane, shop: Shop, batch: list[Change], *, now: datetime
) -> list[Change]:
    """*batch* without what the shop does not let us read: that is a problem of the shop, and no call (R32)."""
    rights = (shop.facts or {}).get("rights") or {}
    denied = [change for change in batch if rights.get(SERVICES.get(ENTITY.get(change.kind, ""), "")) == "deny"]
    if denied:
        services = sorted({SERVICES[ENTITY[change.kind]] for change in denied})
        async with engine.begin() as tx:
            await changes.done(tx, shop.id, lane.system, denied)
            await _forget(tx, denied, now=now)
            await raise_problems(tx, shop.id, [no_right(name) for name in services], now=now)
    return [change for change in batch if change not in denied]


async def _mappable(
    engine: AsyncEngine, lane: Lane, shop: Shop, batch: list[Change], *, now: datetime
) -> list[Change]:
    """*batch* without what cannot be mapped before a list of the shop was read for the first time: that waits."""
    unread = (shop.facts or {}).get("unread") or ()
    if not unread or lane.system != PLATFORM:
        return batch
    waits = [
        change for change in batch if not NEEDED.get(ENTITY.get(change.kind, ""), _NOTHING).isdisjoint(unread)
    ]
    async with engine.begin() as tx:
        for kind in dict.fromkeys(change.kind for change in waits):
            keys = [change.key for change in waits if change.kind is kind]
            await changes.put_off(tx, shop.id, PLATFORM, kind, keys, until=now + _RETRY_PAUSE)
    return [change for change in batch if change not in waits]


async def _forget(tx: AsyncConnection, given_up: Sequence[Change], *, now: datetime) -> None:
    pages = [change.key for change in given_up if change.kind in PAGES.values()]
    await forget_pages(tx, pages, now=now)


def _is_alone(chunk: Sequence[Change]) -> bool:
    """Whether *chunk* is one thing that has failed a few times. A page is none: its walk goes round it."""
    return (
        len(chunk) == 1 and chunk[0].attempts >= _FAILURES_BEFORE_HALVING and chunk[0].kind not in PAGES.values()
    )


def _rest(readers: Readers, batch: Sequence[Change], *, newer_than: datetime) -> list[Change]:
    """Of a burst, what is left over by its full calls, if all of that was announced after *newer_than*: the newest
    announcements. What the others leave room for fills their calls."""
    rest: list[Change] = []
    for kind in {change.kind for change in batch if change.due and change.attempts == 0}:
        size = readers.of(kind).batch
        due = [change for change in batch if change.kind is kind and change.due and change.attempts == 0]
        over = len(due) % size if len(due) > size else 0
        due.sort(key=lambda change: (change.announced, change.marked_at))
        newest = due[len(due) - over :]
        if all(change.announced and change.marked_at > newer_than for change in newest):
            rest += newest
    return rest


def _chunks(readers: Readers, batch: Sequence[Change]) -> list[list[Change]]:
    """One list per call: as many as one call can ask for, of one kind, at most three calls. What is not due yet
    fills them, and makes none of its own.

    What has failed a few times is asked for in ever smaller lists, so that the one thing on which the server
    stumbles ends up alone and holds up no other.
    """
    result: list[list[Change]] = []
    for kind, attempts in dict.fromkeys((change.kind, change.attempts) for change in batch):
        same = [change for change in batch if change.kind is kind and change.attempts == attempts]
        size = max(1, min(readers.of(kind).batch, len(same)) >> max(0, attempts - _FAILURES_BEFORE_HALVING))
        same.sort(key=lambda change: not change.due)
        result += [same[start : start + size] for start in range(0, sum(change.due for change in same), size)]
    return result[:3]


async def _unanswered(
    engine: AsyncEngine, lane: Lane, shop: Shop, chunk: list[Change], error: Unreachable, *, now: datetime
) -> None:
    """Put these changes off, longer each time, because the call had no usable answer; after a while, a problem."""
    attempts = chunk[0].attempts + 1
    until = now + pause_after(attempts)
    async with engine.begin() as tx:
        await changes.postpone(tx, shop.id, lane.system, chunk, until=until)
        page = chunk[0].kind in PAGES.values()  # of what a list leaves out, its run tells when it ends
        if attempts >= MAX_ATTEMPTS and len(chunk) == 1 and not page:
            await raise_problems(tx, shop.id, [_unreadable(lane, chunk[0], error)], now=now)


async def _refused(
    engine: AsyncEngine, lane: Lane, shop: Shop, change: Change, error: Rejected, *, now: datetime
) -> None:
    """Upgates refuses to tell about this one: try a few times, then it is a problem and no change any more."""
    log.warning("pull_refused", shop_id=str(shop.id), kind=change.kind, key=change.key, error=str(error))
    async with engine.begin() as tx:
        if change.attempts + 1 < MAX_ATTEMPTS:
            until = now + _RETRY_PAUSE * 2**change.attempts
            await changes.postpone(tx, shop.id, lane.system, [change], until=until)
            return
        await changes.done(tx, shop.id, lane.system, [change])
        await _forget(tx, [change], now=now)
        await raise_problems(tx, shop.id, [_unreadable(lane, change, error)], now=now)


def _unreadable(lane: Lane, change: Change, error: Rejected | Unreachable) -> NewProblem:
    return NewProblem(
        stage=Stage.READ,
        key="read.refused",
        target=lane.system,
        kind=change.kind,
        entity=change.key,
        parent=change.key,
        params={"said": str(error)},
    )


def _gravity(error: BaseException) -> int:
    """The gravest first: what we cannot name, then what stops the shop, then what only waits."""
    for rank, kind in enumerate((LoginRefused, Throttled, Unreachable), start=1):
        if isinstance(error, kind):
            return rank
    return 0
