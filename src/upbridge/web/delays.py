"""How long orders took, in words and, once there are enough days, as a chart."""

from dataclasses import dataclass
from datetime import timedelta

from upbridge.core.i18n import Texts
from upbridge.web.charts import Columns, columns
from upbridge.web.queries.overview import CHART_DAYS, OrderDelay

#: Units of time and their seconds, the smallest first.
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}
_READABLE = 120


@dataclass(frozen=True, slots=True)
class Delays:
    """The delays to one system, in the unit that suits them; the sum of both series is the 95 % mark."""

    system: str
    unit: str
    days: tuple[OrderDelay, ...]
    columns: Columns | None
    """None where there are too few days for a chart."""
    median: str
    """Of the newest day with anything on it, in words; *p95* likewise."""
    p95: str

    def amount(self, seconds: float) -> float:
        """*seconds* in this chart's unit, to a tenth."""
        return round(seconds / UNITS[self.unit], 1)

    @property
    def last(self) -> OrderDelay:
        """The newest day with anything on it."""
        return _last(self.days)


def delays_of(system: str, days: tuple[OrderDelay, ...], texts: Texts) -> Delays:
    """The delays to *system* as a page shows them."""
    longest = max(one.p95 for one in days)
    unit = next((name for name, size in UNITS.items() if longest < _READABLE * size), "hours")
    size, last = UNITS[unit], _last(days)
    shapes = [
        (texts.day(one.day), {"median": one.median / size, "p95": (one.p95 - one.median) / size}) for one in days
    ]
    enough = sum(1 for one in days if one.count) >= CHART_DAYS
    return Delays(
        system,
        unit,
        days,
        columns(shapes) if enough else None,
        median=texts.span(timedelta(seconds=max(last.median, 1))),
        p95=texts.span(timedelta(seconds=max(last.p95, 1))),
    )


def _last(days: tuple[OrderDelay, ...]) -> OrderDelay:
    return next(one for one in reversed(days) if one.count)
