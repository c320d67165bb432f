"""What an HTTP answer means: one table from status to what to do next. Nothing else knows status codes.

The statuses are those that Upgates publishes (API v2, "Stavové kódy"); Upp.ai and Uphance publish fewer and
are read by the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Action(StrEnum):
    """What the caller does next."""

    ACCEPT = "accept"
    """It worked, as far as the status says; per-item refusals may still stand in the body."""
    MOVED = "moved"
    """The shop lives elsewhere: the body has the new address (R55)."""
    LOGIN = "login"
    """The credentials or the rights do not do: pause, do not hammer (R56)."""
    SPLIT = "split"
    """Too much at once: send it in halves."""
    WAIT = "wait"
    """Not now; nothing was done."""
    RETRY = "retry"
    """Their trouble; whether something was done is not known."""
    REFUSE = "refuse"
    """Our request is wrong: repeating it is useless."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one answer, with the reason for the log and, for `WAIT`, until when if they said so."""

    action: Action
    reason: str
    until: datetime | None = None


_TABLE: Mapping[int, tuple[Action, str]] = {
    301: (Action.MOVED, "moved"),
    400: (Action.REFUSE, "bad request"),
    401: (Action.LOGIN, "credentials refused"),
    403: (Action.LOGIN, "no right, inactive or locked"),
    404: (Action.REFUSE, "not found"),
    405: (Action.REFUSE, "method not allowed"),
    408: (Action.RETRY, "request timed out over there"),
    413: (Action.SPLIT, "too many items"),
    425: (Action.WAIT, "too early"),
    429: (Action.WAIT, "too many requests"),
    501: (Action.REFUSE, "not implemented"),
}


def judge(status: int, headers: Mapping[str, str], *, now: datetime) -> Verdict:
    """The verdict on an answer with this *status* and these *headers* (any case)."""
    if 200 <= status < 300:
        return Verdict(Action.ACCEPT, "ok")
    action, reason = _TABLE.get(
        status, (Action.RETRY, "server error") if status >= 500 else (Action.REFUSE, f"unexpected status {status}")
    )
    until = (
        retry_after(_header(headers, "retry-after"), now=now) if action in (Action.WAIT, Action.RETRY) else None
    )
    return Verdict(action, reason, until)


def retry_after(value: str | None, *, now: datetime) -> datetime | None:
    """The moment that a `Retry-After` names: a number of seconds, or an HTTP date. None if it names none."""
    if value is None or not value.strip():
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=min(int(text), 86_400))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
