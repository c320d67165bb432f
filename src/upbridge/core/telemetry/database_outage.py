"""The database's absences, told once instead of by everybody who notices.

Whatever needs it waits and goes on by itself when it is back: our loops, the pools, the job library. Each of them
reports each attempt, the libraries with a stack; what an operator has to know is that it is away, for how long,
and what to do. A failure that the database answered with is none of this and is logged where it happens.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import structlog

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
"""How often it is said while it lasts. A moment that comes and goes within this time is not said a second time."""

#: It says itself that it ends, or that it does not take anybody yet; class 08 is a connection that broke.
_ENDING = frozenset({"57P01", "57P02", "57P03"})
_BROKEN = "08"

_DRIVER = "psycopg"

_WHAT_TO_DO = (
    "nothing at first: all of it waits and goes on by itself. If this lasts, see that Postgres runs and that"
    " UPBRIDGE_DATABASE_URL leads to it: upbridge doctor"
)


def lost(error: BaseException | None) -> str | None:
    """Why, in a line, if *error* or what caused it says that the database could not be reached, or went away;
    None if it answered, whatever it was."""
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
    """One absence at a time, as this process sees it."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._said: float | None = None
        self._told = False

    def explains(self, error: BaseException | None) -> bool:
        """Whether *error* is nothing but the database being away: then that is said, and nothing else need be."""
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


#: As every loop of this process sees it, and every library in it.
DATABASE = Absence()


class Quiet(logging.Filter):
    """Lets no record of a library pass that the database's absence explains; all else passes as it is."""

    def __init__(self, absence: Absence = DATABASE) -> None:
        super().__init__()
        self._absence = absence

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is to be written."""
        return not self._absence.explains(_failure(record))


def _failure(record: logging.LogRecord) -> BaseException | None:
    """What *record* reports. Those of the driver have no stack: they name the error of an attempt, or only the
    connection that broke while a pool had lent it, or are made while the error is caught. Whoever was using the
    connection is told in any case."""
    if record.exc_info:
        return record.exc_info[1]
    for one in record.args if isinstance(record.args, tuple) else ():
        if isinstance(one, psycopg.Error):
            return one
        if isinstance(one, psycopg.AsyncConnection) and one.broken:
            return psycopg.OperationalError("a connection to the database broke")
    return sys.exc_info()[1] if record.name.startswith(_DRIVER) else None
