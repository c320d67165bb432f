"""Why the database cannot be used: the driver's reason in one line, what to do, and whether it passes by itself.

While it connects, the driver has no code of the failure: only the server's words tell one from another.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree

_URL = "UPBRIDGE_DATABASE_URL"
_LASTS = (
    "nothing at first: all of it waits and goes on by itself. If this lasts, see that Postgres runs and that"
    f" {_URL} leads to it: upbridge doctor"
)
_POOLER = (
    "a pooler between here and Postgres pools by transaction, or takes no options: have it pool by session,"
    " then start again"
)
_FULL = (
    "end what else is connected, or raise max_connections: as soon as a connection is free, all of it goes on by"
    " itself"
)
_HBA = f"let pg_hba.conf of the server take this machine and user, or set sslmode in {_URL}"
#: What the driver calls a statement that it has prepared.
_PREPARED = r'prepared statement "_pg3_'


@dataclass(frozen=True, slots=True)
class DatabaseFailure:
    """Why no statement can be run."""

    reason: str
    """In the words of the driver or the server, one line. Those words name the user, never the password."""
    what_to_do: str
    passes: bool
    """Whether it can end without a person."""


class _Known(NamedTuple):
    words: re.Pattern[str]
    what_to_do: str
    passes: bool = False


def _known(words: str, what_to_do: str, *, passes: bool = False) -> _Known:
    return _Known(re.compile(words, re.IGNORECASE), what_to_do, passes)


#: Failures to connect, and of every statement. The first that fits.
_CONNECTING = (
    _known(r"password authentication failed|no password supplied|SCRAM", f"correct the password in {_URL}"),
    _known(r"role .* does not exist", f"create the user, or correct the user in {_URL}"),
    _known(r"database .* does not exist|no such database", f"create it, or correct its name in {_URL}"),
    _known(r"pg_hba\.conf", _HBA),
    _known(r"certificate|SSL was required|does not support SSL", f"set sslmode and sslrootcert in {_URL}"),
    _known(r"resolve host|translate host name", f"correct the host in {_URL}"),
    _known(rf"unsupported startup parameter|{_PREPARED}", _POOLER),
    _known(
        r"too many (clients|connections)|connection slots|no more connections allowed|max_client_conn",
        _FULL,
        passes=True,
    ),
    _known(r"database system is|not accepting connections|recovery", _LASTS, passes=True),
)

#: Failures of a statement that hold no person's data, with what to add to the server's words.
_STATEMENTS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (psycopg.errors.DiskFull, "free space on the disk of Postgres: then all goes on by itself"),
    (psycopg.errors.UndefinedTable, "run `upbridge migrate`"),
    (psycopg.errors.ReadOnlySqlTransaction, "UPBRIDGE_DATABASE_URL must lead to the primary, not to a replica"),
    (psycopg.errors.InsufficientPrivilege, "let the user in UPBRIDGE_DATABASE_URL own the database"),
)

_NO_CONNECTION = "no connection was free in time"

#: Sessions are mixed: what one has prepared another one runs, or misses.
_MIXED = re.compile(_PREPARED)

#: SQLSTATEs with which Postgres says that it shuts down or does not accept connections yet; class 08 is a broken
#: connection.
_ENDING = frozenset({"57P01", "57P02", "57P03"})
_BROKEN = "08"


def database_failure(error: BaseException | None) -> DatabaseFailure | None:
    """Why the database cannot be used at all, if that is what *error* or its cause says; None if it answered."""
    for one in _causes(error):
        if isinstance(one, psycopg.Error) and _MIXED.search(str(one)):
            return _failure(_first_line(one))
        if isinstance(one, psycopg.OperationalError) and not isinstance(one, psycopg.errors.PipelineAborted):
            state = one.sqlstate
            if state is None or state in _ENDING or state.startswith(_BROKEN):
                return _failure(_first_line(one))
    return None


def concerns_database(error: BaseException) -> bool:
    """Whether *error* comes from the database or its driver, whichever library passes it on."""
    return any(isinstance(one, psycopg.Error | SQLAlchemyError | PoolTimeout) for one in _causes(error))


def reason_of(error: BaseException) -> str:
    """What *error* of the database says, in one line with what to do; its name alone where its words may
    hold a person's data."""
    failure = database_failure(error)
    if failure is not None:
        return f"{failure.reason} ({failure.what_to_do})"
    causes = list(_causes(error))
    for one in causes:
        for kind, what_to_do in _STATEMENTS:
            if isinstance(one, kind):
                return f"{_first_line(one)} ({what_to_do})"
    driver = next((one for one in causes if isinstance(one, psycopg.Error)), error)
    if type(driver) is TimeoutError:
        return "no answer in time"
    return _NO_CONNECTION if isinstance(driver, NoneFree | PoolTimeout) else type(driver).__name__


def _failure(said: str) -> DatabaseFailure:
    for known in _CONNECTING:
        if known.words.search(said):
            return DatabaseFailure(said, known.what_to_do, known.passes)
    return DatabaseFailure(said, _LASTS, passes=True)


def _first_line(error: BaseException) -> str:
    first = str(error).partition("\n")[0].strip()
    return " ".join(first.removeprefix("connection failed: ").split()) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # The job library names the cause; SQLAlchemy keeps the driver's error as an attribute, too.
        error = error.__cause__ or getattr(error, "orig", None)
