"""Time is an argument: code that needs the moment takes a `Clock`."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import TypeAlias
from zoneinfo import ZoneInfo

Clock: TypeAlias = Callable[[], datetime]

#: The zone of every Upgates time that says no offset, and of Upgates' days.
PRAGUE = ZoneInfo("Europe/Prague")

#: A date in this year or later means "never" (`9999-12-31`): the last of them has no time in Prague.
FOR_EVER = 9000


def utc_now() -> datetime:
    """The moment, in UTC: the clock of the running service."""
    return datetime.now(UTC)


def begin_of_day(day: date) -> datetime:
    """The first moment of *day* in Prague."""
    return datetime.combine(day, time.min, PRAGUE)
