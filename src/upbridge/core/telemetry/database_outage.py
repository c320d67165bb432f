"""Log a database outage once, not once per caller.

Our loops, the pools and the job library wait for the database and go on by themselves when it is back. Each of
them would log each attempt, the libraries with a stack. The operator needs one line: the database is away, for how
long, and what to do. An error that the database itself answered is no outage; it is logged where it happens.
"""

import logging
import sys
import time
from collections.abc import Callable

import psycopg
import structlog
from structlog.types import EventDict

from upbridge.core.database_failure import DatabaseFailure, database_failure

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 60.0
"""How often the outage is logged while it lasts. A second short outage within this time is not logged."""

_DRIVER = "psycopg"


class Outage:
    """The current outage, as this process sees it."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._said: float | None = None
        self._told = False

    def explains(self, error: BaseException | None) -> bool:
        """Whether *error* is an outage. If so, it is logged here, and the caller logs nothing."""
        failure = database_failure(error)
        if failure is not None:
            self._notice(failure)
        return failure is not None

    def over(self) -> None:
        """The database has answered."""
        since, self._since = self._since, None
        if since is not None and self._told:
            log.info("database_back", seconds=round(self._seconds() - since))

    def _notice(self, failure: DatabaseFailure) -> None:
        now = self._seconds()
        if self._since is None:
            self._since, self._told = now, False
        if self._said is None or now - self._said >= AGAIN_SECONDS:
            self._said, self._told = now, True
            log.warning(
                "database_away",
                seconds=round(now - self._since),
                reason=failure.reason,
                what_to_do=failure.what_to_do,
            )


#: One per process, shared by its loops and libraries.
DATABASE = Outage()


class Quiet(logging.Filter):
    """Drops records of libraries that only report the outage; all others pass."""

    def __init__(self, outage: Outage = DATABASE) -> None:
        super().__init__()
        self._outage = outage

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is to be written."""
        return not self._outage.explains(_failure(record))


def without_outages(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop events of ours that only report the outage, as `Quiet` drops records of libraries."""
    reported = event.get("exc_info")
    if reported:
        error = reported if isinstance(reported, BaseException) else sys.exc_info()[1]
        if DATABASE.explains(error):
            raise structlog.DropEvent
    return event


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
