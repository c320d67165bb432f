"""Settle a call: what the server's answer, or its silence, changes in the budget.

Everything here happens with the shop's row locked, and gives the slot back in the same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits import repository as rows
from upbridge.rate_limits.headers import closed_until, learn, read
from upbridge.rate_limits.windows import hour_start
from upbridge.store import rate_limits as store

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Response:
    """The part of Upgates' answer to a call that the budget needs."""

    headers: Mapping[str, str]
    accepted: bool = False
    """The login works."""
    login_refused: bool = False
    throttled: bool = False
    """Too many calls: the budget is closed."""
    retry_at: datetime | None = None
    """When Upgates wants to be called again, if it says so."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is remembered of a call while it is under way."""

    shop_id: ShopId
    holder: UUID
    number: int
    """The sequence number of this call within the shop."""
    lost: int
    """How many calls of the shop had ended uncounted when it began."""
    hour_at: datetime
    spent_at: datetime


async def answered(
    connection: psycopg.AsyncConnection[Any], ticket: Ticket, response: Response, now: datetime
) -> None:
    """Take over what an answer says: count, limits, closing, login."""
    row, beside = await store.hold_budget(
        connection, ticket.shop_id, ticket.holder, since=ticket.spent_at, now=now
    )
    if row is None:  # erased while the call was under way
        return
    reading = read(response.headers, now=now)
    before = rows.state_of(row).at(now)
    learned = learn(
        before,
        reading,
        same_hour=ticket.hour_at == before.hour_at,
        overlapped=ticket.number <= row.calls_made_at_header,
        in_flight=beside.in_flight,
        lost=row.calls_lost - ticket.lost,
        now=now,
    )
    changes = rows.columns(learned.state)
    if learned.newest:
        changes["calls_made_at_header"] = row.calls_made
    if not learned.counted:
        changes["calls_lost"] = row.calls_lost + 1
    if reading.hour is not None and reading.day is not None:
        changes["learned_at"] = now
    if response.throttled:
        fresh = row.learned_at is not None and hour_start(row.learned_at) == before.hour_at
        until = closed_until(learned.state, reading, retry_at=response.retry_at, learned=fresh, now=now)
        changes["closed_until"] = max(until, row.closed_until or until)
        log.warning("budget_closed", shop_id=str(ticket.shop_id), until=until.isoformat())
    if response.login_refused:
        changes["succeeded_at"] = None
        await store.record_failed_login(connection, ticket.shop_id, begun_at=ticket.spent_at, now=now)
        log.warning("login_refused", shop_id=str(ticket.shop_id))
    elif response.accepted and not beside.refused:
        changes["succeeded_at"] = now
    await store.record_answer(connection, replace(row, **changes), ticket.holder)


async def unanswered(tx: AsyncConnection, shop_id: ShopId, holder: UUID) -> None:
    """Count a call that ended without an answer, until a later answer says what the server counted."""
    await store.record_no_answer(tx, shop_id, holder)
