"""What an attack may cost the genuine shop, and whether it did not cost more.

On a machine that others use too, milliseconds say little. The limit of the slowest hundredth is 100 ms, or 3
times what the genuine shop saw a moment before, without the attack, or 3 times what a bare receiver beside it
takes for the same webhooks meanwhile, whichever is most. No attack is made on the bare receiver, so it says how
busy the machine is and nothing else. A row that misses a goal of time is measured again, at most twice: what an
attack costs is there every time. Where programs that do not belong to the run take more than a quarter of a
processor meanwhile, a goal of time that was missed is not judged.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.attack.genuine import Taken
from tests.attack.rows import LOG_BYTES, LOG_BYTES_EACH, Row
from tests.attack.testbed import Attacked

P99_MS = 100.0
#: The share of an attack's time for which the genuine shop is alone before it.
CALM = 0.25
_TIMES = 3.0
#: Processors that programs which do not belong to the run may take while goals of time are judged.
OTHERS = 0.25
#: Milliseconds of the processor for which one callback may hold the web side's loop.
HELD_MS = 50.0
#: Seconds that a connection may stay open beyond its bound.
_SLACK = 1.0
_SERVER_ERROR = 500
_STORED = 204
#: What the genuine shop may be told: stored, or come again.
_HONEST = {_STORED, 503}
_COME_AGAIN = 503


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of the table: what was measured, and the goals that were missed: those that hold on any machine, and
    those of time."""

    name: str
    cells: dict[str, Any]
    broken: Sequence[str] = ()
    slow: Sequence[str] = ()

    @property
    def disturbed(self) -> bool:
        """Whether the machine was others' as well."""
        return float(self.cells.get("others", 0.0)) > OTHERS

    @property
    def missed(self) -> Sequence[str]:
        """The goals that were missed."""
        return [*self.broken, *(() if self.disturbed else self.slow)]

    @property
    def unjudged(self) -> Sequence[str]:
        """The goals of time of which nothing can be said: they were missed on a machine that was others' as
        well."""
        return self.slow if self.disturbed else ()


def judged(row: Row, found: Attacked, *, stored: int, calm: Taken) -> Verdict:
    """What *row* cost. *stored*: so many of the genuine shop's webhooks lie in the database; *calm*: how
    they fared a moment before, without an attack."""
    fired, taken = found.fired, found.taken
    accepted, sent = taken.statuses[_STORED], len(taken.latencies)
    missed, slow = [], too_slow(found, calm)
    if refused := {status: count for status, count in taken.statuses.items() if status not in _HONEST}:
        missed.append(f"genuine webhooks refused: {_said(refused)}")
    if stored < accepted:
        missed.append(f"genuine webhooks taken: {accepted}, stored: {stored}")
    if accepted < sent:
        slow.append(f"genuine webhooks to be repeated: {sent - accepted}")
    bad = {
        status: count
        for status, count in fired.statuses.items()
        if status >= _SERVER_ERROR and not (row.tenant and status == _COME_AGAIN)
    }
    if bad:
        missed.append(f"5xx for bad input: {_said(bad)}")
    if not row.tenant and found.log > LOG_BYTES + LOG_BYTES_EACH * fired.sent:
        missed.append(f"{found.log} bytes of log")
    if row.ends is not None and fired.seconds > row.ends + _SLACK and fired.left:
        slow.append(f"{fired.left} connections open after {row.ends:g} s")
    missed += too_long(found)
    return Verdict(
        row.name,
        {
            "rate": round(fired.sent / fired.seconds, 1) if fired.sent else None,
            "statuses": {str(status): count for status, count in sorted(fired.statuses.items())},
            "left_open": fired.left,
            **spent(found, fired.sent),
            **times(found, calm),
        },
        missed,
        slow,
    )


def again(before: Verdict, now: Verdict) -> Verdict:
    """*now*, a row that was measured again, with all that was sent and the longest that the loop was held since
    *before*: only what concerns time counts anew."""
    if "sent" not in now.cells:
        return now
    statuses = Counter(before.cells["statuses"]) + Counter(now.cells["statuses"])
    kept = {
        "sent": before.cells["sent"] + now.cells["sent"],
        "statuses": dict(sorted(statuses.items())),
        **max(
            ({name: one.cells[name] for name in ("held_ms", "held_by")} for one in (before, now)),
            key=lambda held: held["held_ms"],
        ),
        "memory_mib": [before.cells["memory_mib"][0], now.cells["memory_mib"][1]],
    }
    return replace(now, cells={**now.cells, **kept})


def too_long(found: Attacked) -> list[str]:
    """Whether anything has held the web side's loop for too long."""
    held = [f"the loop was held for {held:.0f} ms by {by[:400]}" for held, by in found.holds if held > HELD_MS]
    return held[:2]


def spent(found: Attacked, sent: int) -> dict[str, float | str | None]:
    """What each of so many requests cost, and what else the machine did."""
    share = 1 / sent if sent else None
    longest, by = next(iter(found.holds), (0.0, ""))
    return {
        "cpu_ms": None if share is None else round(found.processor * 1000 * share, 2),
        "postgres_ms": None if share is None else round(found.postgres * 1000 * share, 2),
        "log_bytes": None if share is None else round(found.log * share, 1),
        "held_ms": longest,
        "held_by": by[:300],
        "others": round(found.others, 2),
    }


def too_slow(found: Attacked, calm: Taken) -> list[str]:
    """The goals of time that were missed. *calm*: how the genuine shop fared without the attack."""
    limit, taken, missed = _limit(found, calm), found.taken, []
    if taken.quantile(0.99) > limit:
        missed.append(f"p99 above {limit:.0f} ms")
    if taken.late > max(calm.late, found.bare.late):
        missed.append(f"{taken.late} genuine webhooks took over a second")
    return missed


def times(found: Attacked, calm: Taken) -> dict[str, float]:
    """How late the genuine shop's webhooks were, and those of the bare receiver beside it."""
    return {
        "p50_ms": round(found.taken.quantile(0.5), 1),
        "p99_ms": round(found.taken.quantile(0.99), 1),
        "late": found.taken.late,
        "limit_ms": round(_limit(found, calm)),
        "bare_p99_ms": round(found.bare.quantile(0.99), 1),
    }


def _limit(found: Attacked, calm: Taken) -> float:
    return max(P99_MS, _TIMES * max(calm.quantile(0.99), found.bare.quantile(0.99)))


def _said(statuses: dict[int, int]) -> str:
    return ", ".join(f"{count} x {status or 'cut'}" for status, count in sorted(statuses.items()))


def show(console: Console, verdicts: Sequence[Verdict]) -> None:
    """The table."""
    table = Table(title="Attacks, and the genuine shop's webhooks meanwhile (10 a second)", title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("attack", "answers", "") else "right")
    for one in verdicts:
        cells = one.cells
        table.add_row(
            one.name,
            _number(cells.get("rate")),
            ", ".join(f"{count} x {status}" for status, count in cells.get("statuses", {}).items()),
            _number(cells.get("cpu_ms"), " ms"),
            _number(cells.get("postgres_ms"), " ms"),
            _number(cells.get("log_bytes"), " B"),
            _number(cells.get("held_ms"), " ms"),
            _number(cells.get("p50_ms")),
            _number(cells.get("p99_ms")),
            _number(cells.get("limit_ms")),
            _number(cells.get("bare_p99_ms")),
            _number(cells.get("late")),
            _number(cells.get("others")),
            outcome(one),
        )
    console.print(table, markup=False)


_COLUMNS = (
    *("attack", "rate/s", "answers", "cpu/req", "postgres", "log/req", "held"),
    *("p50", "p99", "limit", "bare", "> 1 s", "others", ""),
)


def outcome(one: Verdict) -> str:
    """The outcome, in words."""
    said = [*one.missed, *(f"not judged: {goal}" for goal in one.unjudged)]
    return "; ".join(said) or _seconds(one.cells) or "ok"


def _seconds(cells: dict[str, Any]) -> str:
    """How long orders took where that is what was measured."""
    if "order_seconds" not in cells:
        return ""
    taken = ", ".join(map(str, cells["order_seconds"]))
    return f"ok: orders took {taken} s (before: {cells['healthy_seconds']} s)"


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:g}{unit}"
