"""The ledger's tables: what a shop's API still allows, calls under way, calls made, failed logins.

They stand together because one statement needs several of them: a call is spent, leased and counted in one
transaction, and the login breaker looks at failures and calls under way in one snapshot. The arithmetic is
`rate_limits`'; what it asks for is a parameter here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import DateTime, Uuid, any_, bindparam, delete, exists, func, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import NotFound
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import api_calls, budgets, call_leases, failed_logins
from upbridge.store.sql import SHOPS, Composed, for_driver

# --- budgets ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of `budgets`; what its numbers count stands in the schema."""

    shop_id: ShopId
    hour_limit: int | None
    day_limit: int | None
    hour_at: datetime
    hour_used: int
    day_at: datetime
    day_used: int
    calls_unconfirmed: int
    calls_today: int
    calls_made: int
    calls_made_at_header: int
    calls_lost: int
    closed_until: datetime | None
    learned_at: datetime | None
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spent:
    """A call that was spent: its number within the shop, and the shop's lost calls before it."""

    calls_made: int
    calls_lost: int
    hour_at: datetime


#: The shops whose tariff limits their calls.
METERED = select(budgets.c.shop_id).where(budgets.c.shop_id == any_(SHOPS), budgets.c.hour_limit.is_not(None))


async def find_budget(tx: AsyncConnection, shop_id: ShopId) -> Budget | None:
    """The shop's budget; None if no call was ever made."""
    row = await _BUDGET.first(tx, shop=shop_id)
    return None if row is None else Budget(*row)


_BUDGET = Composed(
    select(*(budgets.c[field.name] for field in fields(Budget))).where(budgets.c.shop_id == bindparam("shop"))
)


async def ensure_budget(tx: AsyncConnection, shop_id: ShopId, values: Mapping[str, Any]) -> None:
    """Make the shop's budget if there is none. Raises `NotFound` if there is no such shop."""
    fresh = postgresql.insert(budgets).values(shop_id=shop_id, **values)
    try:
        await tx.execute(fresh.on_conflict_do_nothing())
    except IntegrityError:
        raise NotFound("there is no such shop") from None


async def set_published_limits(
    tx: AsyncConnection, shop_id: ShopId, *, hour_limit: int | None, day_limit: int | None
) -> None:
    """Take limits that no answer has taught; limits from headers win."""
    untaught = (budgets.c.shop_id == shop_id) & budgets.c.learned_at.is_(None)
    await tx.execute(update(budgets).where(untaught).values(hour_limit=hour_limit, day_limit=day_limit))


async def forget_login(tx: AsyncConnection, shop_id: ShopId) -> None:
    """The shop's login is not known to work any more."""
    await tx.execute(update(budgets).where(budgets.c.shop_id == shop_id).values(succeeded_at=None))


async def enter(connection: psycopg.AsyncConnection[Any], values: Mapping[str, Any]) -> Spent | None:
    """Spend a call, take a slot and count it, in one statement that commits by itself; None where that cannot be:
    the login is not known to work or others failed within the hour, nothing is left, or no slot is free.

    The statement locks the shop's row (its callers queue here), rolls the windows that have ended, computes what
    is left for the purpose (`rate_limits/windows.py` in SQL) and takes a slot, an urgent call its own first. Of
    two that begin at once the later one sees the slots as they were before the earlier one: it may find the one
    that it chose taken, and then nothing of it happened. *values*: those of `rate_limits/spend.py` and
    `rate_limits/lease.py`, and `since`, from when on logins count.
    """
    row = await (await connection.execute(_ENTER.encode(), {**values, "proved": False}, prepare=True)).fetchone()
    return None if row is None else Spent(*row)


async def enter_admitted(tx: AsyncConnection, values: Mapping[str, Any]) -> Spent | None:
    """The same in the caller's transaction, for a call that the login breaker lets pass."""
    row = (await tx.exec_driver_sql(_ENTER, {**values, "proved": True})).first()
    return None if row is None else Spent(row.calls_made, row.calls_lost, row.hour_at)


@dataclass(frozen=True, slots=True)
class Beside:
    """What went on beside a call: others of the shop under way, and whether one of them was refused."""

    in_flight: int
    refused: bool


async def hold_budget(
    connection: psycopg.AsyncConnection[Any], shop_id: ShopId, holder: UUID, *, since: datetime, now: datetime
) -> tuple[Budget | None, Beside]:
    """The shop's budget, locked until the transaction ends, and what went on beside the call of *holder* since it
    was spent. One round trip, and two statements: the second sees what the first waited for."""
    values = {"shop_id": shop_id, "holder": holder, "since": since, "now": now}
    async with connection.pipeline():
        held = await connection.execute(_HOLD, values, prepare=True)
        looked = await connection.execute(_BESIDE, values, prepare=True)
    row, (in_flight, refused) = await held.fetchone(), (await looked.fetchall())[0]
    return None if row is None else Budget(*row), Beside(in_flight, refused)


async def record_answer(connection: psycopg.AsyncConnection[Any], budget: Budget, holder: UUID) -> None:
    """Write *budget*, which is held, give back the slot of *holder* and commit, in one round trip."""
    values = {field.name: getattr(budget, field.name) for field in fields(Budget)}
    async with connection.pipeline():
        await connection.execute(_RECORD, {**values, "holder": holder}, prepare=True)
        await connection.commit()


async def record_no_answer(tx: AsyncConnection, shop_id: ShopId, holder: UUID) -> None:
    """Count a call without an answer and give back the slot of *holder*."""
    lost = update(budgets).where(budgets.c.shop_id == shop_id).values(calls_lost=budgets.c.calls_lost + 1)
    await tx.execute(lost)  # first, as taking a slot does: locks are taken in one order
    await tx.execute(_SLOT_BACK, {"shop_id": shop_id, "holder": holder})


_COLUMNS = [budgets.c[field.name] for field in fields(Budget)]
_SHOP, _HOLDER = bindparam("shop_id", type_=Uuid), bindparam("holder", type_=Uuid)
_OTHERS = select(func.count()).where(
    call_leases.c.shop_id == _SHOP,
    call_leases.c.holder != _HOLDER,
    call_leases.c.expires_at > bindparam("now", type_=DateTime(timezone=True)),
)
_REFUSED = exists().where(
    failed_logins.c.shop_id == _SHOP, failed_logins.c.at > bindparam("since", type_=DateTime(timezone=True))
)
_SLOT_BACK = delete(call_leases).where(call_leases.c.shop_id == _SHOP, call_leases.c.holder == _HOLDER)

_HOLD = for_driver(select(*_COLUMNS).where(budgets.c.shop_id == _SHOP).with_for_update())
_BESIDE = for_driver(select(_OTHERS.scalar_subquery(), _REFUSED))
_RECORD = for_driver(
    update(budgets)
    .where(budgets.c.shop_id == _SHOP)
    .values({column: bindparam(column.name, type_=column.type) for column in _COLUMNS[1:]})
    .add_cte(_SLOT_BACK.cte("slot_back"))
)

_ENTER = """
    WITH entry AS (
        SELECT *, greatest(hour_at, %(hour)s) AS hour, greatest(day_at, %(day)s) AS day
        FROM budgets WHERE shop_id = %(shop)s FOR UPDATE
    ), rolled AS (
        SELECT shop_id, succeeded_at, hour, day, hour_limit, day_limit, closed_until,
               CASE WHEN hour = hour_at THEN hour_used ELSE 0 END AS hour_used,
               CASE WHEN hour = hour_at THEN calls_unconfirmed ELSE 0 END AS calls_unconfirmed,
               CASE WHEN day = day_at THEN calls_today ELSE 0 END AS calls_today,
               CASE WHEN hour = hour_at THEN day_used
                    WHEN day > day_at OR hour_limit IS NULL THEN CASE WHEN day = day_at THEN day_used ELSE 0 END
                    ELSE day_used + greatest(calls_unconfirmed - greatest(hour_limit - hour_used, 0), 0)
               END AS day_used
        FROM entry
    ), reckoned AS (
        SELECT *,
               CASE WHEN hour_limit IS NULL THEN %(cap)s - calls_today
                    ELSE greatest(hour_limit - hour_used, 0) + greatest(day_limit - day_used, 0)
                         - calls_unconfirmed
               END AS total,
               CASE WHEN hour_limit IS NULL THEN 0
                    ELSE greatest(greatest(hour_limit - hour_used, 0) - calls_unconfirmed, 0)
               END AS hour_left,
               coalesce(hour_limit, %(cap)s / 24) AS per_hour
        FROM rolled
    ), judged AS (
        SELECT *,
               CASE WHEN %(share)s = 0 THEN 0
                    ELSE least(greatest((per_hour::bigint * %(share)s + 99) / 100, 1), greatest(per_hour - 1, 0))
               END AS kept,
               CASE WHEN %(now)s < hour + %(kept_for)s THEN 0
                    WHEN hour + %(one_hour)s >= %(day_end)s THEN total
                    ELSE hour_left
               END AS vanishing
        FROM reckoned
    ), allowed AS (
        SELECT * FROM judged j
        WHERE (j.closed_until IS NULL OR j.closed_until <= %(now)s)
          AND (j.total > j.kept OR (j.vanishing > 0 AND j.total > least(j.kept, 1)))
    ), taken AS (
        INSERT INTO call_leases (shop_id, slot, holder, first, expires_at)
        SELECT %(shop)s, free.slot, %(holder)s, %(first)s, %(until)s
        FROM generate_series(%(slots)s, 1, -1) AS free (slot) CROSS JOIN (
            SELECT FROM allowed WHERE %(proved)s
                OR (succeeded_at > %(since)s AND NOT EXISTS (SELECT FROM failed_logins WHERE at > %(since)s))
        ) AS works
        WHERE NOT EXISTS (
            SELECT FROM call_leases l WHERE l.shop_id = %(shop)s AND l.slot = free.slot AND l.expires_at > %(now)s
        )
        LIMIT 1
        ON CONFLICT (shop_id, slot)
        DO UPDATE SET holder = excluded.holder, first = excluded.first, expires_at = excluded.expires_at
        WHERE call_leases.expires_at <= %(now)s
        RETURNING slot
    ), counted AS (
        INSERT INTO api_calls (shop_id, hour, access, purpose, count)
        SELECT %(shop)s, (SELECT hour FROM allowed), %(access)s, %(purpose)s, 1 FROM taken
        ON CONFLICT (shop_id, hour, access, purpose) DO UPDATE SET count = api_calls.count + 1
    )
    UPDATE budgets b
    SET hour_at = j.hour, day_at = j.day, hour_used = j.hour_used, day_used = j.day_used,
        calls_unconfirmed = j.calls_unconfirmed + 1, calls_today = j.calls_today + 1, calls_made = b.calls_made + 1
    FROM allowed j, taken
    WHERE b.shop_id = j.shop_id
    RETURNING b.calls_made, b.calls_lost, b.hour_at
"""

# --- calls under way and calls made -------------------------------------------------------------------------


async def calls_by_purpose(tx: AsyncConnection, shop_id: ShopId, *, after: datetime) -> dict[str, int]:
    """Calls of the shop's hours after *after*, by purpose."""
    query = (
        select(api_calls.c.purpose, func.sum(api_calls.c.count))
        .where(api_calls.c.shop_id == shop_id, api_calls.c.hour > after)
        .group_by(api_calls.c.purpose)
    )
    return {purpose: int(count) for purpose, count in await tx.execute(query)}


async def calls_by_hour(
    tx: AsyncConnection, shop_id: ShopId, *, since: datetime
) -> list[tuple[datetime, str, int]]:
    """Calls of the shop from the hour *since* on: hour, purpose, number."""
    query = (
        select(api_calls.c.hour, api_calls.c.purpose, func.sum(api_calls.c.count))
        .where(api_calls.c.shop_id == shop_id, api_calls.c.hour >= since)
        .group_by(api_calls.c.hour, api_calls.c.purpose)
    )
    return [(hour, purpose, int(count)) for hour, purpose, count in await tx.execute(query)]


async def calls_by_access(tx: AsyncConnection, *, since: datetime) -> list[tuple[str, int, int]]:
    """Calls of all shops since *since*: access, number of calls, number of shops."""
    query = (
        select(api_calls.c.access, func.sum(api_calls.c.count), func.count(api_calls.c.shop_id.distinct()))
        .where(api_calls.c.hour >= since)
        .group_by(api_calls.c.access)
    )
    return [(access, int(calls), int(shops)) for access, calls, shops in await tx.execute(query)]


async def calls_by_day(tx: AsyncConnection, *, since: datetime, zone: str) -> dict[date, int]:
    """Calls of all shops since *since*, by day of the time zone *zone*; days without a call are not there."""
    rows = await tx.execute(_CALLS_BY_DAY, {"since": since, "zone": zone})
    return {row.day: int(row.calls) for row in rows}


_CALLS_BY_DAY = text(
    "SELECT CAST(hour AT TIME ZONE :zone AS date) AS day, sum(count) AS calls FROM api_calls"
    " WHERE hour >= :since GROUP BY 1 ORDER BY 1"
)

# --- failed logins ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """The newest failed logins over all shops, and when this shop's login last succeeded."""

    failures: Sequence[datetime]
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoginSnapshot(LoginRecord):
    """The same with the calls under way. *shops*: when each shop that failed did so last; *own_failures*: those
    of this shop, and *own_begun* when each of those calls began; *first*: a first call is under way; *own*:
    calls of this shop, the first one aside; *busiest*: the same of the shop that has most; *in_flight*:
    calls of all shops."""

    shops: Sequence[datetime]
    own_failures: Sequence[datetime]
    own_begun: Sequence[datetime]
    first: bool
    own: int
    busiest: int
    in_flight: int


async def record_failed_login(
    connection: psycopg.AsyncConnection[Any], shop_id: ShopId, *, begun_at: datetime, now: datetime
) -> None:
    """A login of the shop failed at *now*, with a call that was spent at *begun_at*."""
    await connection.execute(_FAILED, {"shop": shop_id, "begun": begun_at, "now": now})


_FAILED = b"INSERT INTO failed_logins (shop_id, begun_at, at) VALUES (%(shop)s, %(begun)s, %(now)s)"


async def login_record(tx: AsyncConnection, shop_id: ShopId, *, since: datetime, most: int) -> LoginRecord:
    """At most *most* failures after *since*, newest first. Takes no lock."""
    values = {"shop": shop_id, "since": since, "most": most}
    return LoginRecord(*(await tx.execute(_LOGIN_RECORD, values)).one())


async def login_snapshot(
    tx: AsyncConnection, shop_id: ShopId, *, since: datetime, most: int, now: datetime
) -> LoginSnapshot:
    """The same with the calls under way at *now*, in one snapshot: a call that fails between two statements would
    be seen neither in flight nor failed. Callers take turns until their transactions end. A first call whose
    process died stops being one when its lease has expired."""
    await tx.execute(_TAKE_TURN, {"turn": _TURN})
    values = {"shop": shop_id, "now": now, "since": since, "most": most}
    return LoginSnapshot(*(await tx.execute(_LOGIN_SNAPSHOT, values)).one())


#: The key of the advisory lock under which calls with an unproved login are let through, one after the other.
_TURN = 0x75706662

_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:turn)")

_MOMENTS = tuple(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "since"))

_LOGIN_RECORD = text("""
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at
""").bindparams(_MOMENTS[1])

_LOGIN_SNAPSHOT = text("""
    WITH busy AS (
        SELECT shop_id, count(*) AS calls, count(*) FILTER (WHERE first) AS first
        FROM call_leases WHERE expires_at > :now GROUP BY shop_id
    )
    SELECT ARRAY(SELECT at FROM failed_logins WHERE at > :since ORDER BY at DESC LIMIT :most) AS failures,
           (SELECT succeeded_at FROM budgets WHERE shop_id = :shop) AS succeeded_at,
           ARRAY(
             SELECT max(at) FROM failed_logins WHERE at > :since
             GROUP BY coalesce(shop_id::text, id::text) ORDER BY 1 DESC LIMIT :most
           ) AS shops,
           ARRAY(
             SELECT at FROM failed_logins WHERE at > :since AND shop_id = :shop ORDER BY at DESC, id LIMIT :most
           ) AS own_failures,
           ARRAY(
             SELECT coalesce(begun_at, at) FROM failed_logins WHERE at > :since AND shop_id = :shop
             ORDER BY at DESC, id LIMIT :most
           ) AS own_begun,
           coalesce(sum(first), 0)::int > 0 AS first,
           coalesce(sum(calls - first) FILTER (WHERE shop_id = :shop), 0)::int AS own,
           coalesce(max(calls - first), 0)::int AS busiest,
           coalesce(sum(calls), 0)::int AS in_flight
    FROM busy
""").bindparams(*_MOMENTS)
