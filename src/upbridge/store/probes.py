"""Whether the database does what all else stands on: it has room, takes a write, and a session is a session."""

from uuid import uuid4

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.database_failure import reason_of
from upbridge.core.deadline import with_deadline
from upbridge.core.errors import NotReady
from upbridge.store.session import CONNECT_SECONDS, STATEMENT_SECONDS

#: A row of more than half a page makes its file longer: the disk is asked, not a page with free space. Each name
#: takes 64 bytes in the row itself; a long text would be compressed, or stored elsewhere.
_NAMES = ", ".join(f"filler_{number} name NOT NULL DEFAULT ''" for number in range(80))
_TABLE = text(f"CREATE TEMPORARY TABLE IF NOT EXISTS upbridge_probe ({_NAMES}) ON COMMIT DELETE ROWS")
_WRITE = text("INSERT INTO upbridge_probe DEFAULT VALUES")
_READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")

_HAS_LIMIT = text("SELECT CAST(current_setting('statement_timeout') AS interval) = make_interval(secs => :asked)")
_ASKED = 4
ANSWER_SECONDS = 9.0
"""A database that takes connections and is silent counts as away after these seconds."""


async def not_writable(engine: AsyncEngine) -> str | None:
    """Why nothing can be stored, by a real write of one row that is gone at once; None if it can.

    A temporary table costs neither the write-ahead log nor a vacuum, and its file begins anew each time. Raises
    `DBAPIError` or `OSError` where the database cannot be reached.
    """
    async with engine.begin() as tx:
        if await tx.scalar(_READ_ONLY):
            return "the database is read-only: UPBRIDGE_DATABASE_URL must lead to the primary, not to a replica"
    try:
        async with engine.begin() as tx:
            await tx.execute(_TABLE)
            await tx.execute(_WRITE)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return reason_of(error)
    return None


async def mixed_sessions(conninfo: str) -> str | None:
    """Why the locks of a session cannot be trusted: a pooler lends each transaction another session. None if they
    can.

    One client marks its session and lets go of it; another one looks for that mark within a transaction, which
    keeps the session that it was lent. Where either is right, sessions are shared. Raises `psycopg.Error` or
    `OSError` where the database cannot be reached.
    """
    async with (
        await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as one,
        await psycopg.AsyncConnection.connect(
            conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS, prepare_threshold=None
        ) as other,
    ):
        for _ in range(_ASKED):
            mark = uuid4().hex
            await one.execute("SELECT set_config('upbridge.session', %s, false)", [mark])
            async with other.transaction():
                mixed = await _mark(other) == mark or await _mark(one) != mark
            if mixed:
                return (
                    "a pooler between here and Postgres pools by transaction: locks of a session do not hold, and"
                    " one shop would be worked on twice; have it pool by session"
                )
    return None


class UnfitDatabase(NotReady):
    """No waiting makes this database one that we can work with."""


class MixedSessions(UnfitDatabase):
    """A pooler lends each transaction another session."""


async def require_unicode(conninfo: str) -> None:
    """Return if the database stores text as UTF-8; one that was made in a shell without a language does not.

    Raises `UnfitDatabase`, and `psycopg.Error` or `OSError` where the database cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(conninfo, connect_timeout=CONNECT_SECONDS) as tx:
        found = tx.info.parameter_status("server_encoding")
    if found not in (None, "UTF8"):
        raise UnfitDatabase(
            f"the database stores text as {found}, not as UTF8: make it anew with"
            " `createdb --template=template0 --encoding=UTF8 --owner=upbridge upbridge`, see UPBRIDGE_DATABASE_URL"
        )


async def require_sessions(conninfo: str) -> None:
    """Return if a session of this database is one, and text is UTF-8. Every process asks before it locks anything.

    Raises `UnfitDatabase`, and `psycopg.Error` or `OSError` where the database cannot be reached in time.
    """
    await with_deadline(ANSWER_SECONDS, require_unicode(conninfo))
    wrong = await with_deadline(ANSWER_SECONDS, mixed_sessions(conninfo))
    if wrong is not None:
        raise MixedSessions(f"{wrong}: see UPBRIDGE_DATABASE_URL")


async def _mark(connection: psycopg.AsyncConnection) -> str | None:
    found = await connection.execute("SELECT current_setting('upbridge.session', true)")
    row = await found.fetchone()
    return None if row is None else row[0]


async def lost_limit(engine: AsyncEngine) -> str | None:
    """What is wrong where statements run without the limit that each session sets; None if they have it."""
    async with engine.connect() as tx:
        same = text(
            "SELECT CAST(current_setting('statement_timeout') AS interval) = make_interval(secs => :asked)"
        )
        if await tx.scalar(same, {"asked": STATEMENT_SECONDS}):
            return None
        limit = await tx.scalar(text("SHOW statement_timeout"))
    return (
        f"statements may take {limit}, not {STATEMENT_SECONDS:g} s: a pooler between here and Postgres forgets it"
    )
