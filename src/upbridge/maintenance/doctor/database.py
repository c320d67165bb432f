"""The doctor's look at the database: reached, a Postgres that is new enough, with room and free connections, and
what the tables say of keys, workers and webhooks."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.database_failure import reason_of
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotReady
from upbridge.domain.shop import ShopState
from upbridge.engine import deleted_orders
from upbridge.insights.flow_lights import Light
from upbridge.insights.flow_states import of_all
from upbridge.maintenance.doctor.finding import Finding
from upbridge.maintenance.lost_keys import LOGINS, lost_values
from upbridge.settings import Settings
from upbridge.store import change_queries, document_queries, job_library, letters, secrets, shop_queries
from upbridge.store.database import Database, open_database
from upbridge.store.probes import lost_limit, mixed_sessions, not_writable, require_unicode
from upbridge.store.schema_version import schema_version
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems

Say = Callable[[Finding], None]
"""Takes each finding as soon as it is known: what hangs afterwards does not take it away."""

_OLDEST_POSTGRES = 150000
_MOST_FAILURES = 5
_NEARLY_ALL = 0.8
"""So large a part of the connections taken is worth a warning."""

#: Connections that are taken and that this user may take at most, all databases of the server together.
_CONNECTIONS = text(
    """
    SELECT
      count(*) AS taken,
      count(*) FILTER (WHERE usename = current_user) AS ours,
      current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
      (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS most_ours
    FROM pg_stat_activity WHERE backend_type = 'client backend'
    """
)


_NOT_WELL = frozenset({Light.STOPPED, Light.ATTENTION})
_LIGHTS_WITHIN = 3.0
"""Seconds for the lights of all shops."""


async def look_at_database(settings: Settings, systems: Systems, say: Say, *, clock: Clock) -> None:
    """Say of everything in the database how it is; a part that fails hides none of those before it."""
    try:
        async with open_database(settings, pool_size=2) as database:
            try:
                await _look(database, settings, systems, say, clock)
            except (DBAPIError, psycopg.Error, PoolTimeout, OSError) as error:
                say(Finding("database", "bad", reason_of(error)))
    except NotReady as error:
        say(Finding("database", "bad", str(error)))


async def _look(database: Database, settings: Settings, systems: Systems, say: Say, clock: Clock) -> None:
    engine = database.engine
    await require_unicode(database.conninfo)
    async with engine.connect() as tx:
        number = int(await tx.scalar(text("SHOW server_version_num")) or 0)
        version = await tx.scalar(text("SHOW server_version"))
    kind = "embedded" if database.embedded is not None else "given"
    old = number < _OLDEST_POSTGRES
    say(
        Finding("database", "bad" if old else "ok", f"Postgres {version}, {kind}{', 15 is needed' if old else ''}")
    )
    wrong = await mixed_sessions(database.conninfo) or await lost_limit(engine)
    say(Finding("sessions", "bad" if wrong else "ok", wrong or "locks and time limits hold"))
    say(await _connections(engine))
    full = await not_writable(engine)
    say(Finding("disk", "bad" if full else "ok", full or "a write was taken"))
    current = await schema_version(engine)
    if current.problem is not None:
        say(Finding("schema", "bad", current.problem))
        return
    newer = ", newer than this version: it runs on it" if current.newer else ""
    say(Finding("schema", "ok", f"at {current.revision}{newer}"))
    say(await _workers(engine, systems))
    say(await _keys(database, Cipher(settings.keys())))
    say(await _mails(database))
    say(await _webhooks(database))
    say(await _deletions(database))
    every = Shops(engine, Cipher(settings.keys()), systems.settings)
    say(await _flows(database, every, systems, clock()))


async def _connections(engine: AsyncEngine) -> Finding:
    """How many connections all processes hold, against what the server and the user's own limit allow."""
    async with engine.connect() as tx:
        row = (await tx.execute(_CONNECTIONS)).one()
    taken, most = int(row.taken), int(row.most)
    if row.most_ours is not None and 0 <= int(row.most_ours) < most:
        taken, most = int(row.ours), int(row.most_ours)
    told = f"{taken} of {most} are taken"
    if taken < _NEARLY_ALL * most:
        return Finding("connections", "ok", told)
    return Finding("connections", "warn", f"{told}: raise max_connections, or run fewer workers")


async def _workers(engine: AsyncEngine, systems: Systems) -> Finding:
    """Whether a worker lives, and what waits without one."""
    async with engine.connect() as tx:
        living = int(await tx.scalar(job_library.count_workers(len(systems.all))) or 0)
        changes = sum(row[-1] for row in await tx.execute(change_queries.count_by_kind()))
        documents = sum(row[-1] for row in await tx.execute(document_queries.count_by_kind(parked=False)))
        states: list[tuple[Any, ...]] = [tuple(row) for row in await tx.execute(shop_queries.count_by_state())]
    active = any(number for state, number in states if state == ShopState.ACTIVE)
    waits = f"{changes} changes and {documents} documents wait"
    if living:
        return Finding("workers", "ok", f"{living} {'lives' if living == 1 else 'live'}; {waits}")
    if active or changes or documents:
        return Finding("workers", "bad", f"none lives, and {waits} for one: start `upbridge worker`")
    return Finding("workers", "warn", "none lives: start `upbridge worker` before the first shop comes")


async def _keys(database: Database, cipher: Cipher) -> Finding:
    """Whether the keys open what is stored, apart from what waits to be sent: that may be much."""
    lost = await lost_values(database.engine, cipher, LOGINS)
    if lost:
        shops = sorted({one.shop for one in lost if one.shop is not None})
        whose = f"of {', '.join(shops[:_MOST_FAILURES])}{' and others' if len(shops) > _MOST_FAILURES else ''}"
        told = f"none opens {sum(one.values for one in lost)} stored values {whose if shops else 'of the service'}"
        return Finding("encryption key", "bad", f"{told}: see `upbridge keys check`, and UPBRIDGE_ENCRYPTION_KEYS")
    async with database.engine.connect() as tx:
        stored = await secrets.values(tx)
    return Finding("encryption key", "ok", "opens what is stored" if stored else "nothing is stored yet")


async def _mails(database: Database) -> Finding:
    """Whether mails wait for the mail server."""
    async with database.engine.connect() as tx:
        waits = await letters.waiting(tx)
    if not waits.number or waits.since is None:
        return Finding("mails", "ok", "none waits to be sent")
    told = f"{waits.number} wait to be sent, since {waits.since:%Y-%m-%d %H:%M} UTC"
    return Finding("mails", "ok" if waits.reason is None else "warn", f"{told}: {waits.reason or 'not tried yet'}")


async def _webhooks(database: Database) -> Finding:
    """Whether Upgates reached us last, as its own lists of webhooks say; each shop is asked daily (R45)."""
    async with database.engine.connect() as tx:
        rows = await shop_queries.failed_webhooks(tx)
    if not rows:
        return Finding("webhooks", "ok", "Upgates tells of no last call that failed")
    shown = [f"{row.key} {row.event} at {row.at}: {row.status or 'no answer'}" for row in rows[:_MOST_FAILURES]]
    more = [f"and {len(rows) - _MOST_FAILURES} more"] if len(rows) > _MOST_FAILURES else []
    return Finding("webhooks", "warn", "; ".join(["last calls failed: " + shown[0], *shown[1:], *more]))


async def _deletions(database: Database) -> Finding:
    """Whether a deletion whose webhook is lost is found: not every version of the API lists deleted orders."""
    async with database.engine.connect() as tx:
        number = await deleted_orders.unlisted(tx)
    told = "no shop refuses the list of them"
    if number:
        told = (
            f"{number} shops do not list them: a deletion without a webhook is seen while the order is open only"
        )
    return Finding("deleted orders", "ok", told)


async def _flows(database: Database, every: Shops, systems: Systems, now: datetime) -> Finding:
    """The lights of all shops, with names where they are not well. Of a large fleet as many as time allows."""
    amiss: list[str] = []
    judged, all_judged = Counter[Light](), False
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIGHTS_WITHIN):
            async for shop, states in of_all(database.engine, systems, every, now):
                judged.update(state.light for state in states)
                told = [f"{one.name} {one.reason}" for one in states if one.light in _NOT_WELL]
                amiss += [f"{shop.key}: {', '.join(told)}"] if told else []
            all_judged = True
    counts = ", ".join(f"{judged[light]} {light}" for light in Light if judged[light]) or "none yet"
    beginning = [] if all_judged else [f"only as far as {_LIGHTS_WITHIN:g} s allow"]
    more = [f"and {len(amiss) - _MOST_FAILURES} shops more"] if len(amiss) > _MOST_FAILURES else []
    well = all_judged and not amiss
    said = "; ".join([*beginning, counts, *amiss[:_MOST_FAILURES], *more])
    return Finding("flows", "ok" if well else "warn", said)
