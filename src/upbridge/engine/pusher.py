"""The second half of every flow: take documents, send them, settle each outcome before the next call."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.backoff import pause_after
from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import LoginRefused, Throttled, Unreachable
from upbridge.domain.delivery import Delivered, Document, Dropped, Issue, Outcome, Parked, Retry
from upbridge.domain.lane import SLICE_SECONDS, Lane
from upbridge.domain.masking import about_nobody
from upbridge.domain.purpose import EVERYTHING
from upbridge.domain.shop import Shop, ShopState
from upbridge.engine import lanes
from upbridge.engine.access import Logins
from upbridge.engine.connected_systems import ConnectedSystems
from upbridge.engine.unreadable import make_again
from upbridge.store import document_queries, order_events, runs
from upbridge.store import documents as outbox
from upbridge.store import lanes as lane_rows
from upbridge.store.connections import connections_of
from upbridge.store.links import StoredLinks, record_delivered, save_links
from upbridge.store.problems import NewProblem, Stage, close_entity, raise_problems
from upbridge.store.shops import Shops
from upbridge.store.sql import in_one_commit, in_one_trip
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

BATCH = 1_000
#: As many different reasons stand in one line of the log.
_REASONS = 3
MAX_ATTEMPTS = 10
"""Retries of one document, several hours of them: after that a person should look."""


@dataclass(frozen=True, slots=True)
class Pusher:
    """Sends what was planned."""

    engine: AsyncEngine
    clock: Clock
    cipher: Cipher
    shops: Shops
    systems: Systems
    connected: ConnectedSystems
    logins: Logins

    async def push(
        self, lane: Lane, guard: AsyncConnection, *, monotonic: Callable[[], float] = time.monotonic
    ) -> bool:
        """Work one slice of *lane*; returns whether something is left that could be done now.

        *guard* is the session that holds the lane (`lanes.exclusive`), *monotonic* tells how long it took, in
        seconds.
        """
        deadline, goes_on, sender = monotonic() + SLICE_SECONDS, True, None
        while goes_on and monotonic() < deadline:
            shop = await self.shops.read(guard, lane.shop_id)
            if shop.state is not ShopState.ACTIVE:
                return False
            try:
                receiver = await self.connected.receiver(shop, lane.system, await connections_of(guard, shop.id))
            except LoginRefused as error:
                await self._stop(lane, shop, error)
                return False
            if receiver is None:
                return False
            passage = await lane_rows.passage(guard, lane, now=self.clock())
            claimed = await self._take(guard, shop, lane, below=passage.below)
            if not claimed.documents:
                return bool(claimed.unreadable)
            links = _LaneLinks(guard, shop.id, lane.system, self.clock)
            sender = sender or receiver.target.sender(receiver.context.connection, receiver.vault, links)
            try:
                async with aclosing(sender.push(claimed.documents, receiver.context)) as sending:
                    async for outcomes in sending:
                        await self._settle(guard, lane, outcomes)
                        if monotonic() >= deadline:
                            break  # others wait too; what was not sent waits again
            except (LoginRefused, Throttled, Unreachable) as error:
                await self._stop(lane, shop, error)
                return False
            finally:
                left = await self._release_claimed(guard, lane)
            if passage.failed and passage.below == EVERYTHING:  # else what is less urgent than these stays blocked
                async with self.engine.begin() as tx:
                    await lane_rows.unblock(tx, lane)
            goes_on = left and _goes_on(claimed.documents)
        return goes_on

    async def _take(
        self, guard: AsyncConnection, shop: Shop, lane: Lane, *, below: int
    ) -> outbox.ClaimedDocuments:
        """What is to be sent next; what cannot be read leaves the outbox and is made again. Where nothing is, what
        a worker that died left behind is cleared away."""
        now = self.clock()
        claimed = await outbox.claim(
            guard,
            self.cipher,
            shop.id,
            lane.system,
            limit=BATCH,
            now=now,
            below=below,
            newer_than=await runs.out_of_date_up_to(guard, shop.id, lane.system, now=now),
        )
        if claimed.unreadable:
            async with self.engine.begin() as tx:
                await outbox.remove(tx, shop.id, lane.system, claimed.unreadable)
                await make_again(tx, self.systems, shop, lane, claimed.unreadable, now=now)
        if not claimed.documents:
            await self._release_claimed(guard, lane)
        return claimed

    async def _release_claimed(self, guard: AsyncConnection, lane: Lane) -> bool:
        """What was not sent waits again, or goes if it is unwanted by now, and with it what a person was to do;
        returns whether something is due now. Who has lost the lane releases nothing: another may be at it."""
        due, unwanted = await outbox.release_claims(guard, lane.shop_id, lane.system, now=self.clock())
        if unwanted:
            async with self.engine.begin() as tx:
                gone = await outbox.drop_unwanted(tx, lane.shop_id, lane.system)
                for kind in {kind for kind, _ in gone}:
                    keys = [key for one, key in gone if one == kind]
                    await close_entity(
                        tx, lane.shop_id, stage=Stage.PUSH, target=lane.system, kind=kind, entities=keys
                    )
        return due

    async def _stop(self, lane: Lane, shop: Shop, error: LoginRefused | Throttled | Unreachable) -> None:
        now = self.clock()
        match error:
            case LoginRefused() if lane.system == self.systems.platform.name:
                await self.logins.refused_by_platform(shop, error)
            case LoginRefused():
                await self.logins.refused_by_target(shop, lane.system, error)
            case Throttled():
                priority = await _first_left(self.engine, lane) if lane.system == self.systems.platform.name else 0
                await lanes.wait(self.engine, lane, error, now=now, priority=priority)
            case Unreachable():
                await lanes.wait(self.engine, lane, error, now=now)
        if isinstance(error, Throttled):
            log.info("lane_stopped", shop_id=str(shop.id), lane=lane.name, reason=str(error))
        else:
            log.warning("lane_stopped", shop_id=str(shop.id), lane=lane.name, reason=str(error))

    async def _settle(
        self, guard: AsyncConnection, lane: Lane, outcomes: Sequence[tuple[Document, Outcome]]
    ) -> None:
        """Write down the outcome of each document, in one transaction."""
        now, came = self.clock(), _Came.of(outcomes)
        follow = [*self.systems.after_delivery(lane.system, {document.kind for document, _ in came.delivered})]
        if came.left or came.remarks or follow:
            async with self.engine.begin() as tx:
                async with in_one_trip(tx):
                    await _note_gone(tx, lane, came, now=now)
                remarked = [_problem(lane, document, remark, Stage.REMARK) for document, remark in came.remarks]
                await raise_problems(tx, lane.shop_id, remarked, now=now)
                for follows in follow:
                    await follows(tx, lane.shop_id, came.delivered, now=now)
                for document, left in came.left:
                    await _keep(tx, lane, document, left, now=now)
        else:
            async with in_one_commit(guard):
                await _note_gone(guard, lane, came, now=now)
        for document, outcome in outcomes:
            if isinstance(outcome, Dropped):
                log.info("document_dropped", shop_id=str(lane.shop_id), kind=document.kind, reason=outcome.reason)
        _report(lane, outcomes)


@dataclass(frozen=True, slots=True)
class _Came:
    """The outcomes of documents: those that a target has now, those that leave the outbox, those that stay in it,
    and what a person should look at."""

    delivered: Sequence[tuple[Document, Delivered]]
    gone: Sequence[Document]
    left: Sequence[tuple[Document, Parked | Retry]]
    remarks: Sequence[tuple[Document, Issue]]

    @classmethod
    def of(cls, outcomes: Sequence[tuple[Document, Outcome]]) -> "_Came":
        return cls(
            [(document, outcome) for document, outcome in outcomes if isinstance(outcome, Delivered)],
            [document for document, outcome in outcomes if isinstance(outcome, Delivered | Dropped)],
            [(document, outcome) for document, outcome in outcomes if isinstance(outcome, Parked | Retry)],
            [
                (document, outcome.remark)
                for document, outcome in outcomes
                if isinstance(outcome, Delivered | Parked) and outcome.remark is not None
            ],
        )


async def _note_gone(tx: AsyncConnection, lane: Lane, came: _Came, *, now: datetime) -> None:
    """What was delivered, and all that leaves the outbox; asks nothing, so that it can be sent in one trip."""
    await record_delivered(tx, lane.shop_id, lane.system, came.delivered, now=now)
    await outbox.remove(tx, lane.shop_id, lane.system, came.gone)
    events = [
        order_events.delivered(document, lane.system, outcome.remote_id)
        for document, outcome in came.delivered
        if document.kind in order_events.KINDS
    ]
    await order_events.record_events(tx, lane.shop_id, events, now=now)
    await _close(tx, lane, came.gone)


async def _keep(
    tx: AsyncConnection, lane: Lane, document: Document, outcome: Parked | Retry, *, now: datetime
) -> None:
    """What was not delivered stays in the outbox."""
    match outcome:
        case Parked(issue, found):
            if found is not None:
                await save_links(tx, lane.shop_id, lane.system, [found], now=now)
            await _park(tx, lane, document, issue, now=now)
        case Retry(reason, until):
            moment = until or now + pause_after(document.attempts + 1)
            await _later(tx, lane, document, reason=reason, until=moment, now=now)


def _goes_on(sent: Sequence[Document]) -> bool:
    """Whether to look at once for more. What the first import brings comes page by page: until the sweep looks
    again, some pages have come together, and share a call."""
    return len(sent) == BATCH or any(document.since is not None for document in sent)


class _LaneLinks(StoredLinks):
    """What a target asks while its documents are on their way, through the session that holds the lane."""

    async def is_wanted(self, document: Document) -> bool:
        """Whether *document* is still what is to be sent now (`base.Links`)."""
        return await document_queries.is_wanted(
            self._guard, self._shop_id, self._target, document, now=self._clock()
        )


async def _first_left(engine: AsyncEngine, lane: Lane) -> int:
    """The purpose for which the budget was spent: that of the first document which was not settled."""
    async with engine.connect() as tx:
        return await document_queries.most_urgent_claimed(tx, lane.shop_id, lane.system) or 0


def _report(lane: Lane, outcomes: Sequence[tuple[Document, Outcome]]) -> None:
    """One line for what was settled together, which is what one call has brought; a warning where some of it has
    to be sent again."""
    shop_id, kinds = str(lane.shop_id), sorted({document.kind for document, _ in outcomes})
    came = dict(Counter(type(outcome).__name__.lower() for _, outcome in outcomes))
    again = sorted({outcome.reason for _, outcome in outcomes if isinstance(outcome, Retry)})[:_REASONS]
    if again:
        log.warning(
            "documents_sent", shop_id=shop_id, target=lane.system, kinds=kinds, outcomes=came, again_because=again
        )
    else:
        log.info("documents_sent", shop_id=shop_id, target=lane.system, kinds=kinds, outcomes=came)


async def _later(
    tx: AsyncConnection, lane: Lane, document: Document, *, reason: str, until: datetime, now: datetime
) -> None:
    if document.attempts + 1 >= MAX_ATTEMPTS:
        await _park(tx, lane, document, Issue("push.gave_up", {"said": reason}), now=now)
    else:
        await outbox.retry_later(tx, lane.shop_id, lane.system, document, reason=reason, until=until)


async def _park(tx: AsyncConnection, lane: Lane, document: Document, issue: Issue, *, now: datetime) -> None:
    lasting = await close_entity(
        tx,
        lane.shop_id,
        stage=Stage.PUSH,
        target=lane.system,
        kind=document.kind,
        entities=[document.key],
        but=issue.key,
    )
    if document.kind in order_events.KINDS and not lasting:
        stopped = order_events.OrderEvent(
            document.parent, order_events.OrderEventKind.PARKED, lane.system, issue.key
        )
        await order_events.record_events(tx, lane.shop_id, [stopped], now=now)
    await raise_problems(tx, lane.shop_id, [_problem(lane, document, issue, Stage.PUSH)], now=now)
    await outbox.park(tx, lane.shop_id, lane.system, document, reason=issue.key)


def _problem(lane: Lane, document: Document, issue: Issue, stage: Stage) -> NewProblem:
    return NewProblem(
        stage=stage,
        key=issue.key,
        target=lane.system,
        kind=document.kind,
        entity=document.key,
        parent=document.parent,
        params=about_nobody(issue.params, document.body),
    )


async def _close(tx: AsyncConnection, lane: Lane, documents: Sequence[Document]) -> None:
    for kind in {document.kind for document in documents}:
        await close_entity(
            tx,
            lane.shop_id,
            stage=Stage.PUSH,
            target=lane.system,
            kind=kind,
            entities=[document.key for document in documents if document.kind == kind],
        )
