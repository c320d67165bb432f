"""Which webhooks we want, which we have, and what is to be done about the difference (R35, R42, R45).

A webhook belongs to the API user that created it. Upgates removes it silently when that user's rights change, or
when no call of it succeeded for twelve hours. Only the list of webhooks shows it. So the worker compares the list
after an install, after a change of version and daily: it restores what is missing and reports what failed last.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar

from pydantic import BeforeValidator

from upbridge.domain.platform import PLATFORM
from upbridge.domain.webhooks import WATCHED, is_subscribed, section_of, shared_beginning
from upbridge.systems.platform import FailedCall
from upbridge.systems.upgates.fields import Flag, Whole, Wire, Words, moment, whole

#: How old a failed call may be to be reported; rare events may have no later one that could succeed.
RECENTLY = timedelta(hours=24)


T = TypeVar("T")


def _if_said(understand: Callable[[Any], T | None]) -> Callable[[Any], T | None]:
    """None for what makes no sense: news about calls must not keep a dead webhook from being restored."""

    def read(value: Any) -> T | None:
        try:
            return understand(value)
        except ValueError:
            return None

    return read


_Called: TypeAlias = Annotated[datetime | None, BeforeValidator(_if_said(moment))]
_Answered: TypeAlias = Annotated[int | None, BeforeValidator(_if_said(whole))]


class WebhookEvent(Wire):
    """An event of GET /webhooks/events; `allowed_yn` says whether our API user may subscribe to it."""

    name: Words = None
    allowed_yn: Flag = None


class Webhook(Wire):
    """A webhook of GET /webhooks. Its url is a secret: it is the only thing that authenticates a delivery."""

    id: Whole = None
    active_yn: Flag = None
    event: Words = None
    url: Words = None
    last_success_call: _Called = None
    last_error_call: _Called = None
    last_error_call_status: _Answered = None

    def __repr__(self) -> str:
        return f"Webhook(id={self.id}, active_yn={self.active_yn}, event={self.event!r})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """What makes the webhooks right: events to create, ids to activate, ids to delete."""

    create: tuple[str, ...] = ()
    activate: tuple[int, ...] = ()
    delete: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.create or self.activate or self.delete)


@dataclass(frozen=True, slots=True)
class WebhookComparison:
    """What a comparison did, and which of the webhooks that stay had failed last."""

    did: WebhookPlan
    failed: tuple[FailedCall, ...] = ()
    denied: tuple[str, ...] = ()
    """Events that we want and that our API user may not subscribe to: nothing announces them."""


def _may_miss(name: str) -> bool:
    return section_of(name) in WATCHED


def plan(
    events: Iterable[WebhookEvent],
    existing: Iterable[Webhook],
    *,
    ours: str,
    url_for: Callable[[str], str],
    granted: Collection[str] = (),
) -> WebhookPlan:
    """What is to be done so that each wanted and allowed event has exactly one active webhook. Pure.

    *ours* is the beginning of all our addresses; webhooks that lead elsewhere are left alone. Of ours, one is
    right if its event is wanted and its url is `url_for(event)`; the others (old token, old event, doubled)
    are deleted. An event whose `allowed_yn` is false is not created and one that exists is left as it is: it
    works again when the right comes back. An `allowed_yn` that is missing counts as allowed, but for events of
    `WATCHED`, which have to be among the *granted* too. Where *events* has none that we want, something
    is wrong with the list, and nothing is done.
    """
    named = [event for event in events if event.name and is_subscribed(event.name)]
    if not named:
        return WebhookPlan()
    allowed = {event.name: url_for(event.name) for event in named if event.name and _allowed(event, granted)}
    names = {name.lower(): name for event in named if (name := event.name)}
    served: set[str] = set()
    activate: list[int] = []
    delete: list[int] = []
    # active ones first, so that of two equal ones the inactive one goes
    for hook in sorted(existing, key=lambda hook: (hook.active_yn is False, hook.id or 0)):
        if hook.id is None or not (hook.url or "").startswith(ours):
            continue
        name = names.get((hook.event or "").lower())
        if name is None or name in served or hook.url != url_for(name):
            delete.append(hook.id)
            continue
        served.add(name)
        if hook.active_yn is False and name in allowed:
            activate.append(hook.id)
    create = tuple(name for name in allowed if name not in served)
    return WebhookPlan(create=create, activate=tuple(activate), delete=tuple(delete))


def _allowed(event: WebhookEvent, granted: Collection[str]) -> bool:
    if event.name and _may_miss(event.name):
        return event.allowed_yn is True and section_of(event.name) in granted
    return event.allowed_yn is not False


def failed_calls(existing: Iterable[Webhook], *, now: datetime) -> tuple[FailedCall, ...]:
    """Those whose last call failed within `RECENTLY` and was followed by no success; the newest first. Pure."""
    failed = [
        FailedCall(hook.event, hook.last_error_call, hook.last_error_call_status)
        for hook in existing
        if hook.event and hook.last_error_call and hook.last_error_call > now - RECENTLY
        if hook.last_success_call is None or hook.last_success_call < hook.last_error_call
    ]
    return tuple(sorted(failed, key=lambda call: call.at, reverse=True))


class _Client(Protocol):
    async def webhooks(self) -> list[Webhook]: ...

    async def webhook_events(self) -> list[WebhookEvent]: ...

    async def create_webhook(self, *, event: str, url: str, name: str) -> object: ...

    async def activate_webhook(self, webhook_id: int) -> None: ...

    async def delete_webhooks(self, ids: Iterable[int]) -> None: ...


async def reconcile_webhooks(
    client: _Client,
    url_for: Callable[[str], str],
    name: str,
    *,
    now: datetime,
    granted: Collection[str] = (),
) -> WebhookComparison:
    """List, compare and repair; returns what was done. New ones are made before old ones go: nothing is missed.

    *url_for* gives the secret address of an event, *name* is what the shop's staff read in their list, *granted*
    names those of `WATCHED` that GET /status lets us read. Raises what the client raises; called again it
    goes on where it stopped.
    """
    ours = shared_beginning(url_for("Orders.create"), PLATFORM)
    events, existing = await client.webhook_events(), await client.webhooks()
    actions = plan(events, existing, ours=ours, url_for=url_for, granted=granted)
    for event in sorted(actions.create, key=_may_miss):
        await client.create_webhook(event=event, url=url_for(event), name=name)
    for webhook_id in actions.activate:
        await client.activate_webhook(webhook_id)
    await client.delete_webhooks(actions.delete)
    kept = [hook for hook in existing if (hook.url or "").startswith(ours) and hook.id not in actions.delete]
    needed = (one for one in events if one.name and is_subscribed(one.name) and not _may_miss(one.name))
    denied = tuple(sorted(one.name for one in needed if one.name and one.allowed_yn is False))
    return WebhookComparison(actions, failed_calls(kept, now=now), denied)
