"""How a budget and a plan look on a terminal and as JSON."""

from typing import Any

from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.forecast import DayForecast, ForecastDelay
from upbridge.rate_limits.snapshot import BudgetSnapshot
from upbridge.rate_limits.windows import CAP_PER_DAY


def snapshot_json(snapshot: BudgetSnapshot) -> dict[str, Any]:
    """A budget as `shops budget --json` prints it."""
    return {
        "limits": None if snapshot.limits is None else {"hour": snapshot.limits.hour, "day": snapshot.limits.day},
        "cap": None if snapshot.limits is not None else CAP_PER_DAY,
        "learned_at": snapshot.learned_at,
        "hour_remaining": snapshot.hour_remaining,
        "day_remaining": snapshot.day_remaining,
        "calls_today": snapshot.calls_today,
        "closed_until": snapshot.closed_until,
        "next_24_hours": snapshot.next_24_hours,
        "hours": [{"at": hour.at, "calls": hour.calls, "pool": hour.pool} for hour in snapshot.hours],
        "calls_by_purpose": _by_purpose(snapshot.calls_by_purpose),
    }


def snapshot_lines(snapshot: BudgetSnapshot) -> list[str]:
    """A budget for people."""
    if snapshot.limits is None:
        lines = [f"limits          none known; our own cap is {CAP_PER_DAY:,} calls a day"]
    else:
        source = "from the server's headers" if snapshot.learned_at else "from the chosen tariff"
        lines = [f"limits          {snapshot.limits.hour} an hour, then {snapshot.limits.day} a day ({source})"]
    lines += [
        f"left            {snapshot.hour_remaining} this hour, {snapshot.day_remaining} in the day's pool",
        f"made today      {snapshot.calls_today}",
        f"next 24 hours   {snapshot.next_24_hours}",
    ]
    if snapshot.closed_until is not None:
        lines.append(f"closed until    {snapshot.closed_until.astimezone():%Y-%m-%d %H:%M:%S}")
    used = ", ".join(f"{name} {count}" for name, count in _by_purpose(snapshot.calls_by_purpose).items() if count)
    lines.append(f"last 24 hours   {used or 'no calls'}")
    return lines


def plan_json(plan: DayForecast) -> dict[str, Any]:
    """A simulated day as `plan --json` prints it; delays in seconds."""
    return {
        "limits": None if plan.limits is None else {"hour": plan.limits.hour, "day": plan.limits.day},
        "calls": _by_purpose(plan.calls),
        "calls_total": plan.calls_total,
        "order_delay": _delay(plan.orders),
        "product_delay": _delay(plan.products),
        "packages_to_buy": plan.packages_to_buy,
        "import_calls": plan.import_calls,
        "import_seconds": plan.import_time.total_seconds(),
    }


def plan_lines(plan: DayForecast) -> list[str]:
    """A simulated day for people."""
    limits = "no tariff" if plan.limits is None else f"{plan.limits.hour} an hour, {plan.limits.day} a day"
    match plan.packages_to_buy:
        case None:
            advice = "no number of packages brings 95 % of the orders below five minutes"
        case 0:
            advice = "none needed"
        case number:
            advice = f"buy {number} more, then 95 % of the orders take less than five minutes"
    calls = ", ".join(f"{name} {count}" for name, count in _by_purpose(plan.calls).items() if count)
    return [
        f"limits          {limits}",
        f"calls a day     {plan.calls_total} ({calls})",
        f"orders wait     {_words(plan.orders)}",
        f"products wait   {_words(plan.products)}",
        f"first import    {plan.import_calls} calls, {plan.import_time}",
        f"packages        {advice}",
    ]


def _by_purpose(calls: Any) -> dict[str, int]:
    return {purpose.name.lower(): calls.get(purpose, 0) for purpose in Purpose}


def _delay(delay: ForecastDelay) -> dict[str, float]:
    return {
        "median": delay.median.total_seconds(),
        "p95": delay.p95.total_seconds(),
        "max": delay.longest.total_seconds(),
    }


def _words(delay: ForecastDelay) -> str:
    return f"median {delay.median}, p95 {delay.p95}, max {delay.longest}"
