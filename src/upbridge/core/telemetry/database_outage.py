"""Log a database outage once, not once per caller.

Our loops, the pools and the job library wait for the database and go on by themselves when it is back. Each of
them would log each attempt, the libraries with a stack. The operator needs one line: the database is away, for how
long, and what to do. An error that the database itself answered is no outage; it is logged where it happens.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import structlog

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
"""How often the outage is logged while it lasts. A second short outage within this time is not logged."""

#: SQLSTATEs with which Postgres says that it shuts down or does not accept connections yet; class 08 is a broken
#: connection.
_ENDING = frozenset({"57P01", "57P02", "57P03"})
_BROKEN = "08"

_DRIVER = "psycopg"

_WHAT_TO_DO = (
    "nothing at first: all of it waits and goes on by itself. If this lasts, see that Postgres runs and that"
    " UPBRIDGE_DATABASE_URL leads to it: upbridge doctor"
)


def lost(error: BaseException | None) -> str | None:
    """The reason in one line if *error* or its cause is a database outage; None if the database answered."""
    for one in _causes(error):
        if isinstance(one, psycopg.OperationalError):
            state = one.sqlstate
            if state is None or state in _ENDING or state.startswith(_BROKEN):
                return str(one).partition("\n")[0] or type(one).__name__
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # The job library names the cause; SQLAlchemy keeps the driver's error as an attribute, too.
        error = error.__cause__ or getattr(error, "orig", None)


class Absence:
    """The current outage, as this process sees it."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._said: float | None = None
        self._told = False

    def explains(self, error: BaseException | None) -> bool:
        """Whether *error* is an outage. If so, it is logged here, and the caller logs nothing."""
        why = lost(error)
        if why is not None:
            self._notice(why)
        return why is not None

    def over(self) -> None:
        """The database has answered."""
        since, self._since = self._since, None
        if since is not None and self._told:
            log.info("database_back", seconds=round(self._seconds() - since))

    def _notice(self, why: str) -> None:
        now = self._seconds()
        if self._since is None:
            self._since, self._told = now, False
        if self._said is None or now - self._said >= AGAIN_SECONDS:
            self._said, self._told = now, True
            log.warning("database_away", seconds=round(now - self._since), reason=why, what_to_do=_WHAT_TO_DO)


#: One per process, shared by its loops and libraries.
DATABASE = Absence()


class Quiet(logging.Filter):
    """Drops records of libraries that only report the outage; all others pass."""

    def __init__(self, absence: Absence = DATABASE) -> None:
        super().__init__()
        self._absence = absence

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is to be written."""
        return not self._absence.explains(_failure(record))


def _failure(record: logging.LogRecord) -> BaseException | None:
    """The error that *record* reports. Records of the driver have no stack: they name the error of an attempt, or
    only a connection that broke while a pool had lent it, or they are written while the error is caught. The code
    that used the connection gets the error in any case."""
    if record.exc_info:
        return record.exc_info[1]
    for one in record.args if isinstance(record.args, tuple) else ():
        if isinstance(one, psycopg.Error):
            return one
        if isinstance(one, psycopg.AsyncConnection) and one.broken:
            return psycopg.OperationalError("a connection to the database broke")
    return sys.exc_info()[1] if record.name.startswith(_DRIVER) else None
