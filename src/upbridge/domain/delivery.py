"""What is to be sent to a target, and the outcome: the words between the engine and the systems.

entity ───desired_documents()──► DesiredDocument …  what this target should hold now for this entity
Document ──push()──────────────► Outcome            whether it was sent; the engine settles it in the database

What is waiting for a target and is not desired any more is withdrawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from upbridge.core.canonical_json import fingerprint
from upbridge.domain.order import Order
from upbridge.domain.product import Product


class ProblemKey(StrEnum):
    """Names of causes of which the code chooses one at run time: a subclass lists them."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Something that a person has to cure. *key* names the cause (`problem.<key>` in the catalogues)."""

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)


#: How the key of an issue ends that holds documents until a person lets them pass: nothing else releases them.
GUARD_SUFFIX = ".guard"


def is_guard(key: str | None) -> bool:
    """Whether documents that wait for this reason wait for a person, and for nothing else."""
    return key is not None and key.endswith(GUARD_SUFFIX)


@dataclass(frozen=True, slots=True)
class DesiredDocument:
    """What a target should hold under (kind, key). *parent* groups what came from one entity."""

    kind: str
    key: str
    parent: str
    body: bytes
    only_if_known: bool = False
    """Send only if something was delivered under this key before (e.g. a deactivated product)."""
    hash: bytes = b""

    def __post_init__(self) -> None:
        if not self.hash:
            object.__setattr__(self, "hash", fingerprint(self.body))


@dataclass(frozen=True, slots=True)
class Unmappable:
    """This entity, or this part of it, cannot be mapped; the rest goes on."""

    kind: str
    key: str
    issue: Issue
    keeps: bool = False
    """Whether what the target has under this key stays as it is; else it is taken back."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request to create a thing, saved before it is sent; its outcome is not recorded yet."""

    started_at: datetime
    newer_than: int | None = None
    """An id that existed before, where ids grow: what the request created has a higher one."""
    mark: str = ""
    """What the content is, to tell a later change of it."""
    trace: Mapping[str, Any] = field(default_factory=dict)
    """What was sent, without personal data."""


class LinkState(StrEnum):
    """What a link says of the thing in the other system."""

    DELIVERED = "delivered"
    """It is there."""
    BY_HAND = "by_hand"
    """A person has dealt with it, or does not want it there."""
    SENDING = "sending"
    """A request to create it is under way, or its answer was lost (`Link.attempt`)."""
    UNSENT = "unsent"
    """An attempt certainly created nothing."""
    WATCHED = "watched"
    """It is the other system's own, and is looked at again."""


#: The hash of a link to something that was found there (`Links.adopt`): what was delivered is not known any more,
#: so the next delivery compares what is there with what should be.
ADOPTED = b""


@dataclass(frozen=True, slots=True)
class Link:
    """What we know about a thing in another system (a row of `links`)."""

    kind: str
    key: str
    parent: str | None = None
    remote_id: str | None = None
    state: LinkState = LinkState.DELIVERED
    hash: bytes | None = None
    """Of the content that was delivered last."""
    sent: bytes | None = None
    """What was delivered, as the target keeps it. No personal data."""
    created_keys: Sequence[str | int] = ()
    """The parts that were created under it: variants of a product, notes about parcels."""
    remote_status: str | None = None
    """Its status there when it was looked at last."""
    remote_updated_at: datetime | None = None
    """When it last changed there."""
    closed: bool = False
    """Nothing more is to be looked for there."""
    attempt: Attempt | None = None
    """The request to create it that is under way, or whose answer was lost."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """For people: nothing is decided by it."""
    erased: bool = False
    """What is known of the person behind it was erased: nothing about it is stored for sending any more."""


@dataclass(frozen=True, slots=True)
class Document:
    """A row of the outbox, opened for sending."""

    kind: str
    key: str
    parent: str
    seq: int
    body: bytes
    hash: bytes
    attempts: int
    link: Link | None
    since: datetime | None = None
    """When we heard of what it says; None for what the first import sends."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """They have it. *keep* is stored as the link's `sent` copy (no personal data there, please).

    *confirmed*: their answer says so. *remark* is a problem with what they have made of it. It stops nothing, and
    only a person closes it: to deliver the same again says nothing about it.
    """

    remote_id: str | None = None
    keep: bytes | None = None
    created_keys: Sequence[str | int] = ()
    remote_status: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    confirmed: bool = True
    remark: Issue | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Passing trouble: try later, counted as an attempt. *until*: when they said to come back."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """Waits, without costing a call, for a mapping or a person; released when a setting or the catalogue
    changes. The problem is shown and closes by itself when the document is delivered.

    *found* is what a former attempt turned out to have made: it is kept in the same transaction. *remark* is a
    problem with that, as `Delivered` has one.
    """

    issue: Issue
    found: Link | None = None
    remark: Issue | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing is to be sent after all; the document goes, the link stays as it is."""

    reason: str


Outcome: TypeAlias = Delivered | Retry | Parked | Dropped


Entity: TypeAlias = Product | Order
