"""The light of one flow, and its reason: one pure decision, for the pages, the commands and the metrics.

The reading side comes first: what was not read from its source cannot be known to be delivered. So a light is `OK`
only where the source answers, may be read, announces its changes, is imported, and everything was found and sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: A source that has not answered for as long stops its flows; before that it only needs attention.
SILENCE = timedelta(minutes=15)

#: What waits for as long, though nothing that is known keeps it, is not on its way any more.
LATE = timedelta(hours=1)


class Light(StrEnum):
    """How a flow is."""

    OK = "ok"
    BUSY = "busy"
    ATTENTION = "attention"
    STOPPED = "stopped"
    OFF = "off"


#: The worst first. `OFF` is no grade: it is decided before any other.
GRAVITY = (Light.STOPPED, Light.ATTENTION, Light.BUSY, Light.OK)


class Importing(StrEnum):
    """How far the first import of a kind is."""

    DONE = "done"
    RUNNING = "running"
    PAUSED = "paused"


class Login(StrEnum):
    """How the connection to the other system is."""

    NONE = "none"
    WORKS = "works"
    REFUSED = "refused"
    ELSEWHERE = "elsewhere"
    """It works, and leads to another account than the one that was connected."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A source or a target that is not called now: since when, until when; *budget*: because no calls are left;
    *logins*: and that is because too many logins failed."""

    since: datetime
    until: datetime
    budget: bool = False
    logins: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All that decides about the light of one flow, at *now*."""

    now: datetime
    active: bool = True
    """Whether the shop's add-on works: not suspended, not deactivated."""
    unattended_since: datetime | None = None
    """Since when no worker is there; None where one is."""
    login: Login = Login.WORKS
    switched_on: bool = True
    permitted: bool = True
    """Whether the shop lets us do what the flow needs."""
    from_shop: bool = True
    """Whether it begins in the shop; else it begins in the other system."""
    announced: bool = True
    """Whether the webhooks of its kind are active, as far as the shop told."""
    importing: Importing = Importing.DONE
    unread: int = 0
    """Changes of its kind that wait to be read at its source."""
    unread_since: datetime | None = None
    source: Rest | None = None
    proven: bool = True
    """Whether the last reading of the whole list, or of all its changes, is sure to have left nothing out."""
    astray: int = 0
    """By how many the source's own count differs from what is known."""
    uncounted_since: datetime | None = None
    """Since when the source has not answered how many it has."""
    waiting: int = 0
    """Documents that wait to be sent."""
    waiting_since: datetime | None = None
    parked: int = 0
    problems: int = 0
    target: Rest | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A light and why: *reason* is the last part of the sentence's key, *count* and *at* belong into it."""

    light: Light
    reason: str
    count: int = 0
    at: datetime | None = None


def judge(sight: Sight) -> Judgement:
    """The light of a flow: the gravest of what holds; of two that are as grave, what stands nearer the source."""
    if sight.active and sight.login is Login.NONE:
        return Judgement(Light.OFF, "not_connected")
    if sight.active and sight.login is Login.WORKS and not sight.switched_on:
        return Judgement(Light.OFF, "switched_off")
    found = [*_stops(sight), *_reading(sight), *_sending(sight)]
    return min(found, key=lambda one: GRAVITY.index(one.light), default=None) or _quiet(sight)


def in_doubt(sight: Sight) -> bool:
    """Whether what is known of its source may be old or not all there is, beyond what is just being read."""
    cut_off = not sight.active or sight.unattended_since is not None or not sight.permitted
    return cut_off or any(one.light is not Light.BUSY for one in _reading(sight))


def _stops(sight: Sight) -> Iterator[Judgement]:
    """What lets nothing pass."""
    if not sight.active:
        yield Judgement(Light.STOPPED, "stopped")
    if sight.unattended_since is not None:
        yield Judgement(Light.STOPPED, "no_worker", at=sight.unattended_since)
    if sight.login is Login.REFUSED:
        yield Judgement(Light.STOPPED, "broken")
    if sight.login is Login.ELSEWHERE:
        yield Judgement(Light.STOPPED, "elsewhere")
    if not sight.permitted:
        yield Judgement(Light.STOPPED, "no_right")


def _reading(sight: Sight) -> Iterator[Judgement]:
    """What keeps the source's changes from being known."""
    rest = sight.source
    if rest is not None and rest.budget:
        yield Judgement(Light.BUSY, "logins" if rest.logins else "budget", sight.unread, rest.until)
    elif rest is not None:
        grave = sight.now - rest.since >= SILENCE
        reason = "shop_silent" if sight.from_shop else "source_silent"
        yield Judgement(Light.STOPPED if grave else Light.ATTENTION, reason, sight.unread, rest.since)
    if sight.importing is Importing.PAUSED:
        yield Judgement(Light.ATTENTION, "import_paused")
    if not sight.announced:
        yield Judgement(Light.ATTENTION, "unannounced")
    yield from _doubts(sight)
    if rest is None and sight.importing is not Importing.RUNNING and _late(sight.unread_since, sight):
        yield Judgement(Light.ATTENTION, "late", sight.unread, sight.unread_since)
    if sight.importing is Importing.RUNNING:
        yield Judgement(Light.BUSY, "importing")
    if sight.unread:
        yield Judgement(Light.BUSY, "reading", sight.unread, sight.unread_since)


def _doubts(sight: Sight) -> Iterator[Judgement]:
    """What keeps it from being certain that nothing is missing."""
    if sight.astray:
        yield Judgement(Light.ATTENTION, "incomplete", sight.astray)
    if sight.uncounted_since is not None:
        yield Judgement(Light.ATTENTION, "uncounted", at=sight.uncounted_since)
    if not sight.proven:
        yield Judgement(Light.ATTENTION, "unproven")


def _sending(sight: Sight) -> Iterator[Judgement]:
    """What keeps the target from having what is known."""
    if sight.target is not None and sight.waiting:
        yield Judgement(Light.ATTENTION, "blocked", sight.waiting, sight.target.until)
    if open_problems := sight.problems or sight.parked:  # one guard may keep many documents
        yield Judgement(Light.ATTENTION, "problems", open_problems)
    if sight.target is None and sight.importing is not Importing.RUNNING and _late(sight.waiting_since, sight):
        yield Judgement(Light.ATTENTION, "late", sight.waiting, sight.waiting_since)
    if sight.waiting:
        yield Judgement(Light.BUSY, "sending", sight.waiting, sight.waiting_since)


def _late(since: datetime | None, sight: Sight) -> bool:
    return since is not None and sight.now - since >= LATE


def _quiet(sight: Sight) -> Judgement:
    """Nothing moves and nothing hinders."""
    if sight.last_at is None:
        return Judgement(Light.OK, "nothing_yet")
    return Judgement(Light.OK, "delivered", 0, sight.last_at)
