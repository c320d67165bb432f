"""What an HTTP answer means: one table from the status to what the caller does next.

No other module knows status codes. These are the ones that Upgates publishes (API v2, "Stavové kódy"); the
systems that shops are connected to publish fewer, and are read by the same table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from upbridge.core.parsing import http_date

#: No `Retry-After` is believed beyond this: nothing published closes an API for longer than an hour.
LONGEST_WAIT = timedelta(days=1)
#: No pause that a `Retry-After` asks for is shorter, so that no moment makes us hammer.
SHORTEST_WAIT = timedelta(seconds=1)


class Action(StrEnum):
    """The outcome of one call: what the caller does next. Metric and log have its words as `outcome`."""

    ACCEPT = "accept"
    """The system took the request (2xx). Its body may still refuse single items."""
    MOVED = "moved"
    """The shop has another address: the body names it (301)."""
    CREDENTIALS = "credentials"
    """The credentials or the token do not work (401): renew the token, or pause. Do not hammer."""
    RIGHT = "right"
    """The login is inactive, locked or lacks the right (403): pause. Do not hammer."""
    MISSING = "missing"
    """There is no such thing (404)."""
    SPLIT = "split"
    """Too much at once (413): send it in halves."""
    WAIT = "wait"
    """Not now (425, 429). Nothing was done."""
    FAILED = "failed"
    """The application itself failed and has ended with the request (500). What it did is not known."""
    RETRY = "retry"
    """The system is in trouble (408, other 5xx): call again later. Whether it did something is not known."""
    REFUSE = "refuse"
    """The request is wrong: repeating it is useless."""
    NOT_SENT = "not_sent"
    """No connection could be made. Nothing was done."""
    NO_ANSWER = "no_answer"
    """The connection failed before the answer began. Whether the system did something is not known."""
    TIMEOUT = "timeout"
    """The answer did not come in time. Whether the system did something is not known."""
    CUT = "cut"
    """The system took the request, but its answer did not come whole or was too large."""
    ABANDONED = "abandoned"
    """The worker was stopped while the call was under way."""


@dataclass(frozen=True, slots=True)
class HttpOutcome:
    """What one answer means: the action, and the reason for the log."""

    status: int
    action: Action
    reason: str
    until: datetime | None = None
    """When the system wants to be called again (`Retry-After`), see `retry_after`; None: it does not say."""

    @property
    def system_failing(self) -> bool:
        """Whether the system itself fails, and not this request."""
        return self.action in (Action.RETRY, Action.FAILED)

    @property
    def refuses_grant(self) -> bool:
        """Whether a token endpoint that answers so refuses the grant (RFC 6749, section 5.2)."""
        return self.status in _GRANT_REFUSED


_TABLE: Mapping[int, tuple[Action, str]] = {
    301: (Action.MOVED, "moved"),
    400: (Action.REFUSE, "bad request"),
    401: (Action.CREDENTIALS, "credentials refused"),
    403: (Action.RIGHT, "no right, inactive or locked"),
    404: (Action.MISSING, "not found"),
    405: (Action.REFUSE, "method not allowed"),
    408: (Action.RETRY, "request timed out at the server"),
    409: (Action.REFUSE, "conflict"),
    413: (Action.SPLIT, "too many items"),
    422: (Action.REFUSE, "not acceptable"),
    425: (Action.WAIT, "too early"),
    429: (Action.WAIT, "too many requests"),
    500: (Action.FAILED, "server error"),
    501: (Action.REFUSE, "not implemented"),
}
#: Seconds as programs write them, and not as Python reads them: no `1_000`, no digits of other scripts.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?(\s*,\s*[0-9]+(\.[0-9]+)?)*")
_ABOUT_ITEMS = frozenset({400, 409, 413, 422})
_GRANT_REFUSED = frozenset({400, 401})
_SAY_WHEN = frozenset({Action.WAIT, Action.RETRY, Action.FAILED})


def classify(status: int, headers: Mapping[str, str], *, now: datetime) -> HttpOutcome:
    """What an answer with this *status* and these *headers* (in any case) means."""
    if 200 <= status < 300:
        return HttpOutcome(status, Action.ACCEPT, "ok")
    action, reason = _TABLE.get(
        status, (Action.RETRY, "server error") if status >= 500 else (Action.REFUSE, f"unexpected status {status}")
    )
    until = retry_after(_header(headers, "retry-after"), now=now) if action in _SAY_WHEN else None
    return HttpOutcome(status, action, reason, until)


def about_items(status: int) -> bool:
    """Whether a refusal with this *status* can be about one of the things that were sent.

    Any other (404, 415, …) is about the call: the system is not what it should be, and would refuse each thing.
    """
    return status in _ABOUT_ITEMS


def retry_after(value: str | None, *, now: datetime) -> datetime | None:
    """The moment that a `Retry-After` names: a number of seconds, or an HTTP date.

    None if it names none. *now* if the moment has passed: the system said "later" and did not say when, so the
    caller pauses for longer each time. Any other moment is `SHORTEST_WAIT` to `LONGEST_WAIT` from *now*.
    """
    moment = _moment(value.strip(), now) if value is not None else None
    if moment is None or moment <= now:
        return None if moment is None else now
    return min(max(moment, now + SHORTEST_WAIT), now + LONGEST_WAIT)


def _moment(text: str, now: datetime) -> datetime | None:
    if _SECONDS.fullmatch(text):  # said twice, it is one line with a comma
        seconds = max(map(float, text.split(",")))
        return now + timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
    return http_date(text)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
