"""How a shop is connected to a system: what a person types, what a login brings, and the connection at hand."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import BadRequest, Conflict
from upbridge.domain.delivery import Link
from upbridge.domain.shop import Shop
from upbridge.settings import Settings
from upbridge.store.connections import ConnectionRow

#: The field in which a login comes back that a choice was missing for (`ChoiceNeeded.login`).
HELD = "held_login"
#: (shop, source, event) to the address that the event is to be sent to.
WebhookUrl = Callable[[Shop, str, str], str]


class Vault(Protocol):
    """A connection's secrets, sealed at rest."""

    async def secret(self) -> Mapping[str, str]:
        """What was stored when the connection was made (a client id and its secret); {} if nothing."""

    async def tokens(self) -> Mapping[str, Any] | None:
        """The tokens last saved, or None."""

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a system is given to work with."""

    http: httpx.AsyncClient
    settings: Settings
    engine: AsyncEngine
    cipher: Cipher
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A shop's connection to a system, at hand."""

    tools: Tools
    shop: Shop
    row: ConnectionRow
    vault: Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something that a person types to connect: `ui.connections.<name>` is its label, `--<name>` its option."""

    name: str
    help: str
    """What it is, for operators."""
    secret: bool = False
    """Never shown again; the command reads it from standard input."""
    verbatim: bool = False
    """Whether blanks around it belong to it."""
    kind: str = "text"
    """The input's type on the page."""
    longest: int = 200
    is_account: bool = False
    """Whether it is what the account is called: it stands in the form already where there is a connection."""
    needed: bool = True
    """Whether it has to be typed at once; else it is asked for only where there is a choice (`ChoiceNeeded`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What the page says about a connection, beside the label `ui.connections.<name>`."""

    name: str
    value: str = ""
    code: str = ""
    """An id, which is set as such."""
    said: str | None = None
    """A text, `ui.connections.<said>`; *since* goes into it."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConnection:
    """A login that works, to be stored."""

    account: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    secret: Mapping[str, str] | None = None
    tokens: Mapping[str, Any] | None = None
    renew_at: datetime | None = None
    known: Sequence[Link] = ()
    """What the system has of the shop already: it is not sent again."""


@dataclass(frozen=True, slots=True)
class LoginOption:
    """One of several things to choose from. *about*: what tells it apart, by the last part of its text's key
    (`ui.connections.about.<name>`): numbers and days. What could not be read is missing."""

    id: str
    name: str
    about: Mapping[str, int | date | None] = field(default_factory=dict)


class ChoiceNeeded(BadRequest):
    """The login works, and one of several things has to be chosen with it.

    *field* is what has to be chosen. *login* stands for what was typed, sealed
    and for a few minutes: typed as `HELD` it is taken in its stead, so that no person types a password twice.
    """

    def __init__(self, chosen: str, options: Sequence[LoginOption], login: str = "") -> None:
        offered = ", ".join(_offered(one) for one in options) or "none"
        super().__init__(f"choose an {chosen} of this login: {offered}")
        self.field = chosen
        self.options = tuple(options)
        self.login = login


def _offered(option: LoginOption) -> str:
    """For operators: "501 (Hemline; products 12; last order 2026-11-28)"."""
    known = ((name, "none" if value is None else value) for name, value in option.about.items())
    about = [f"{name.replace('_', ' ')} {value}" for name, value in known]
    return f"{option.id} ({'; '.join((option.name, *about))})"


class LoginEnded(Conflict):
    """A login that was to be completed by a choice has waited for too long: it has to be typed again."""

    code = "login_ended"
    merchant = "error.login_ended"


class Connect(Protocol):
    """How a shop is connected to a system."""

    fields: Sequence[Field]
    credentials: str
    """What the fields are together, for operators: "client id and secret"."""
    prefixes_names: bool
    """Whether the second shop that connects the same account gets a prefix before all its names there."""
    in_turn: bool
    """Whether a login may be used by one process at a time only."""
    revokes: bool
    """Whether a login is a person's, so that it is given up when the shop has left."""

    def shown(self, row: ConnectionRow) -> Sequence[Fact]:
        """What the page says about the connection; no secret."""

    async def log_in(
        self, tools: Tools, shop: Shop, typed: Mapping[str, str], *, others: Collection[str]
    ) -> NewConnection:
        """Try what was *typed*; nothing is stored. *others*: the keys of all shops.

        Raises `LoginRefused`, `Throttled`, `Unreachable`, `ChoiceNeeded`, or `LoginEnded`.
        """

    async def test(self, connected: Connected) -> None:
        """Try the stored login. Raises `RemoteError` if it does not work."""

    async def revoke(self, connected: Connected) -> None:
        """Have the system forget the login. Raises `RemoteError` if it cannot be asked now."""
