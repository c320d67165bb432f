"""How the use of the declared accesses looks on a terminal and as JSON."""

from typing import Any

from rich.text import Text

from upbridge.rate_limits.usage import Alarm, Usage, Used
from upbridge.rate_limits.windows import CAP_PER_DAY
from upbridge.systems.registry import SYSTEMS

_DECLARED = SYSTEMS.platform.declared_calls

CALL = "call, and when it is declared"
#: Numbers first, they are short; so call and words have room for a line each on a terminal of 80 columns.
USAGE_COLUMNS = ("calls", "shops", "per shop and day", CALL)

#: What the Marketplace form has before every answer of one's own.
_FORM = "Custom -> "
_NONE = Used(calls=0, shops=0)
_WORDS = {
    Alarm.HALF: "WARNING: half of it or more; see which call grows",
    Alarm.MOST: "ALARM: 80 % or more; Upgates will ask",
    None: "far enough away",
}


def usage_rows(usage: Usage) -> list[dict[str, Any]]:
    """A row per declared access, and one for each call that no access declares (there should be none)."""
    declared = {access.label: access.repetitions.removeprefix(_FORM) for access in _DECLARED.accesses}
    unknown = [label for label in usage.by_access if label not in declared]
    return [
        {
            "calls": used.calls,
            "shops": used.shops,
            "per shop and day": _rate(used, usage.days),
            CALL: Text.assemble(
                f"{label.replace(' ', f' {_DECLARED.prefix}', 1)}\n", (declared.get(label, "NOT DECLARED"), "dim")
            ),
        }
        for label in [*declared, *unknown]
        for used in [usage.by_access.get(label, _NONE)]
    ]


def usage_json(usage: Usage) -> dict[str, Any]:
    """What `accesses --used --json` prints."""
    busiest = usage.busiest
    return {
        "days": usage.days,
        "limit": CAP_PER_DAY,
        "busiest": None if busiest is None else {"day": busiest[0].isoformat(), "calls": busiest[1]},
        "alarm": usage.alarm,
        "accesses": [
            {
                "method": label.partition(" ")[0],
                "path": _DECLARED.prefix + label.partition(" ")[2],
                "calls": used.calls,
                "shops": used.shops,
                "per_shop_and_day": _rate(used, usage.days),
                "declared": any(access.label == label for access in _DECLARED.accesses),
            }
            for label in dict.fromkeys([*(access.label for access in _DECLARED.accesses), *usage.by_access])
            for used in [usage.by_access.get(label, _NONE)]
        ],
    }


def usage_line(usage: Usage) -> str:
    """What matters: the busiest day against the limit; an alarm has a line of its own."""
    if usage.busiest is None:
        return f"No calls in {usage.days} days."
    day, calls = usage.busiest
    fact = f"busiest day {day}: {calls:,} of {CAP_PER_DAY:,} calls, {calls / CAP_PER_DAY:.1%}"
    return (": " if usage.alarm is None else "\n").join((fact, _WORDS[usage.alarm]))


def _rate(used: Used, days: int) -> float:
    return round(used.calls / max(used.shops, 1) / days, 1)
