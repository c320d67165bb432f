"""From what an answer means to the error that says so; the tree itself is drawn in `errors.py`."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from upbridge.core.errors import (
    Closed,
    CredentialsRefused,
    Failed,
    LoginRefused,
    Missing,
    Rejected,
    RemoteError,
    RightRefused,
    Throttled,
    TooMany,
    Unreachable,
)
from upbridge.systems.http.classify import Action, HttpOutcome
from upbridge.systems.http.transport import HttpAnswer

_WITH_STATUS: Mapping[Action, type[Rejected] | type[Failed]] = {
    Action.REFUSE: Rejected,
    Action.SPLIT: TooMany,
    Action.MISSING: Missing,
    Action.FAILED: Failed,
}
_LOGIN_REFUSALS: Mapping[Action, type[LoginRefused]] = {
    Action.CREDENTIALS: CredentialsRefused,
    Action.RIGHT: RightRefused,
}


def error_of(answer: HttpAnswer, *, now: datetime, pause: timedelta, words: str = "") -> RemoteError:
    """The error that *answer* is, unless the system took the request (`HttpAnswer.accepted`).

    *pause* is how long to wait where "later" comes without a moment. *words* are the system's own, for the log and
    for staff: nothing that holds a secret.
    """
    outcome = answer.outcome
    text = f"{answer.operation}: {outcome.status} {outcome.reason} {words}".strip()
    if outcome.action is Action.WAIT:
        return Throttled(text, until=_until(outcome, now, pause))
    if outcome.until is not None and outcome.until > now:
        return Closed(text, until=outcome.until)
    if outcome.action in _WITH_STATUS:
        return _WITH_STATUS[outcome.action](text, status=outcome.status)
    return _LOGIN_REFUSALS.get(outcome.action, Unreachable)(text)


def _until(outcome: HttpOutcome, now: datetime, pause: timedelta) -> datetime | None:
    """Until when to wait; None for longer each time, where the moment that was named has passed."""
    if outcome.until is None:
        return now + pause
    return outcome.until if outcome.until > now else None
