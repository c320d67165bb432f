"""What was called, by declared access and by day over all shops, against Upgates' alarm of 60,000 (R47, R50)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import PRAGUE
from upbridge.rate_limits.windows import CAP_PER_DAY, day_start
from upbridge.store import rate_limits as store

#: Calls are kept for as long (`maintenance/retention.py`).
LONGEST_DAYS = 35


class Alarm(StrEnum):
    """How near a day came to the limit."""

    HALF = "half"
    """Half of it or more: time to ask why."""
    MOST = "most"
    """80 % or more: Upgates will ask soon."""


@dataclass(frozen=True, slots=True)
class Used:
    """How often one access was called, and by how many shops."""

    calls: int
    shops: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The calls of some days, today included; days are those of Prague."""

    days: int
    by_access: Mapping[str, Used] = field(default_factory=dict)
    """By the access's label (`GET /orders`)."""
    by_day: Mapping[date, int] = field(default_factory=dict)
    """Days without a call are not there."""

    @property
    def busiest(self) -> tuple[date, int] | None:
        """The day with most calls over all shops."""
        return max(self.by_day.items(), key=lambda item: (item[1], item[0]), default=None)

    @property
    def alarm(self) -> Alarm | None:
        """What the busiest day means; None: all is well."""
        return alarm(self.busiest[1] if self.busiest else 0)


def alarm(calls: int) -> Alarm | None:
    """What a number of calls in a day means."""
    if calls >= CAP_PER_DAY * 0.8:
        return Alarm.MOST
    return Alarm.HALF if calls >= CAP_PER_DAY * 0.5 else None


async def usage(engine: AsyncEngine, *, now: datetime, days: int) -> Usage:
    """Calls of all shops in the last *days* Prague days, at most `LONGEST_DAYS`."""
    days = min(days, LONGEST_DAYS)
    since = day_start(now - timedelta(days=days - 1))
    async with engine.connect() as tx:
        by_access = {
            access: Used(calls, shops) for access, calls, shops in await store.calls_by_access(tx, since=since)
        }
        return Usage(days, by_access, await store.calls_by_day(tx, since=since, zone=str(PRAGUE)))
