"""What a system implements, and what the engine gives it to work with (the values stand in `domain/delivery.py`).

`desired_documents` and `tombstone` are pure. `push` talks to the network and is never called inside a transaction.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.i18n import add_catalogues
from upbridge.domain.delivery import Delivered, DesiredDocument, Document, Entity, Outcome, Unmappable
from upbridge.domain.eligibility import OrderPolicy
from upbridge.domain.lane import Lane
from upbridge.domain.order import Order
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.shop_settings import Declared, ShopSettings
from upbridge.domain.sku import Names, code_key
from upbridge.settings import Settings
from upbridge.store.changes import Change, Kind
from upbridge.store.connections import ConnectionRow
from upbridge.systems.accesses import NONE_DECLARED, DeclaredCalls
from upbridge.systems.connecting import Connect, Connected, Tools, Vault
from upbridge.systems.decisions import Decisions
from upbridge.systems.links import Links
from upbridge.systems.offers import Alone, CostUpload, Trial
from upbridge.systems.platform import AddressPolicy, ShopAccess, ShopApi


@dataclass(frozen=True, slots=True)
class Connection:
    """A shop's connection to a target, as a target needs it. No secrets: those come from `Vault`."""

    shop_id: ShopId
    shop_key: str
    system: str
    account: str
    prefix: str
    connected_at: datetime
    facts: Mapping[str, Any]
    title: str = ""


class UniqueName(StrEnum):
    """A name of a variant that several of them can bear."""

    CODE = "code"
    EAN = "ean"


@dataclass(frozen=True, slots=True)
class NameOwner:
    """A variant on offer that bears a name."""

    product_id: int
    key: str


@dataclass(frozen=True, slots=True)
class NameOwners:
    """The oldest variant on offer in the whole shop for each name of what is mapped, by its key (`code_key`).

    The copy of the catalogue knows no prices: a variant that cannot be sent for want of one bears its name too.
    """

    first: Mapping[str, NameOwner] = field(default_factory=dict)

    def older(self, name: str, product_id: int) -> str | None:
        """The variant of an older product that bears *name*; None if this product bears it first."""
        bearer = self.first.get(code_key(name) or "")
        return bearer.key if bearer is not None and bearer.product_id < product_id else None


@dataclass(frozen=True, slots=True)
class MappingContext:
    """What mapping may look at: the shop's rules, its facts, the connection, and who bears the same names."""

    settings: ShopSettings
    facts: ShopProfile
    connection: Connection
    now: datetime
    text_language: str | None = None
    """In which the texts and the parameters of the shop's products were read."""
    name_owners: NameOwners = field(default_factory=NameOwners)
    variant_names: Mapping[str, Names] = field(default_factory=dict)
    """The code and the EAN that the variants of the orders have by now, by key; a line has those of its day."""
    other_orders: Collection[str] = ()
    """Order numbers under which the target has another order than the one that has them now."""
    former_numbers: Mapping[str, str] = field(default_factory=dict)
    """Of orders that the target has under another number than the shop now: that number, by the number now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingBasis:
    """What of the shop's facts decides how a system's things are read and mapped."""

    facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By kind of entity the facts that decide, by name: where one of them becomes another one, all entities of
    that kind are mapped again. Of a fact that has a value for each of many ids only the ids that were known before
    count: nothing was mapped by the others."""
    language: str | None = None
    """A product without a price in this language is taken off."""
    pricelist: str | None = None
    """A product without a price in this list is taken off."""


class WriteBack(Protocol):
    """What a system does so that something flows back from it to the shop (`Flow.back`)."""

    async def note_orders(
        self, tx: AsyncConnection, orders: Sequence[Order], gone: Sequence[str], context: MappingContext
    ) -> None:
        """*orders* were read, and those numbered *gone* are not there any more: note what of it decides about
        what is written back, in the transaction that plans their documents."""

    async def written(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        delivered: Sequence[tuple[Document, Delivered]],
        *,
        now: datetime,
    ) -> None:
        """The shop has taken documents, of this system or another one: note it, in the transaction that does."""

    async def settings_changed(
        self, tx: AsyncConnection, shop_id: ShopId, before: ShopSettings, after: ShopSettings, *, now: datetime
    ) -> None:
        """Settings that affect the shop's documents have changed: have what is written back looked at again."""

    async def forget(self, tx: AsyncConnection, shop_id: ShopId) -> None:
        """The shop is disconnected: what waits to be written back, and the problems with it, are void."""


class AfterDelivery(Protocol):
    """What follows from documents that a system has taken, in the transaction that notes it."""

    async def __call__(
        self,
        tx: AsyncConnection,
        shop_id: ShopId,
        delivered: Sequence[tuple[Document, Delivered]],
        *,
        now: datetime,
    ) -> None: ...


class Sender(Protocol):
    """Sends for one shop, during one slice of its lane. What it has learnt from a call holds for those after it:
    no other process of ours sends meanwhile, and the connection stays as it is."""

    def push(
        self, documents: Sequence[Document], context: MappingContext
    ) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        """Send; yields outcomes as soon as they are known, so that each is settled before the next call.

        Raises `LoginRefused` (stop the connection), `Throttled` (later) or `Unreachable`.
        """


class Target(Protocol):
    """A system that receives. Copy the folder of one to add another."""

    system: str

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:
        """The name by which this target tells the shop's variants apart, ignoring case; None: by their ids alone.

        Of variants with the same name `desired_documents` then learns the oldest
        (`MappingContext.name_owners`), and is asked again when that may have changed.
        """

    def order_policy(self, context: MappingContext) -> OrderPolicy | None:
        """Which orders of the shop this target is sent; None: it is sent none."""

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        """All that this target should hold for *entity* now."""

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """The body that takes back what was *sent* (the thing was deleted), or None if nothing can be said."""

    def sender(self, connection: Connection, vault: Vault, links: Links) -> Sender:
        """Who sends for a shop's *connection* while one slice of its lane is worked."""


# --- reading from a system --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderContext:
    """What a reader works with. *connected* is None where the shop is not connected to the system (any more)."""

    tools: Tools
    shop: Shop
    connected: Connected | None
    wake: Callable[[Lane], Awaitable[None]]
    """Say that a lane has work."""


@dataclass(frozen=True, slots=True)
class SystemReader:
    """How a kind of change is read, and how many of it one call can ask for.

    *read* takes the changes off the list, or has them wait, in the transaction that notes what was read. Raises
    `LoginRefused`, `Throttled`, `Unreachable`, or `Rejected` for one of them.
    """

    read: Callable[[ReaderContext, list[Change]], Awaitable[None]]
    batch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A change that the clock asks for. Its reader notes in `connections.polled_at` when it was read."""

    kind: Kind
    key: str
    every: Callable[[Settings], timedelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is read from a system: each kind of change by its reader; polled by the clock, and when a shop is
    connected."""

    readers: Mapping[Kind, SystemReader]
    polls: Sequence[Poll] = ()
    webhook: Callable[[Mapping[str, Any]], Mapping[Kind, list[str]]] | None = None
    """The keys to read again that a webhook's JSON names; all its webhooks come to one address. Raises
    `BadRequest`."""


# --- the descriptor of a system -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Things of one kind that go from the shop to a system or, with *back*, from the system to the shop;
    *repeatable*: they keep what came last, so that the same thing can be sent again at any time."""

    kind: str
    setting: str
    """The setting that switches it."""
    back: bool = False
    shown: bool = True
    """Whether the overview has a light for it."""
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """How far a shop is: what the steps of its way to a working add-on are judged by."""

    shop: Shop
    connection: ConnectionRow | None
    """The connection to the system whose step it is."""
    works: bool
    """Whether that connection works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """A step of that way which a system adds after its connection; `ui.step.<name>` is its text."""

    name: str
    page: str
    """The page and the place on it where it is taken: `rules#stock.write`."""
    done: Callable[[Setup], bool]
    missing: Callable[[Setup], Sequence[str]] = lambda _: ()
    """What it still lacks, by name, for `ui.step.<name>_missing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """What a system has to know of the people who order, and what its links remember of them."""

    links: Callable[[str, str | None, int | None], Sequence[tuple[str, str]]]
    """Kind and key of the links to a person's own records there, by the shop's key, the e-mail address and the
    shop's number of its customer."""
    forget: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """What stays of what a link keeps of an order that was sent, when who ordered is erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A system as the rest of the house sees it: what engine, pages and commands take from its folder."""

    name: str
    """In the database, in commands and in addresses."""
    title: str
    """As its maker spells it, for people."""
    url: Callable[[Settings], str] | None = None
    """Where it is reached; None where each shop has its own address."""
    settings: Declared = field(default_factory=dict)
    """The settings of a shop that it declares."""
    flows: Sequence[Flow] = ()
    target: Callable[[Tools], Target] | None = None
    open_shop: Callable[[ShopAccess], tuple[ShopApi, Target]] | None = None
    """A shop's API, to read it and as a target; None but for the platform."""
    declared_calls: DeclaredCalls = NONE_DECLARED
    """The calls that may be made to it, where its operator wants each one declared."""
    address_policy: Callable[[Settings], AddressPolicy] | None = None
    """Which addresses a shop's API may have; None where all shops have one address."""
    source: Source | None = None
    write_back: WriteBack | None = None
    connect: Connect | None = None
    after_delivery: Mapping[str, AfterDelivery] = field(default_factory=dict)
    """What follows when it has taken a document, by the document's kind."""
    trial: Callable[[Connected, Alone], Trial] | None = None
    """What can be tried with a connection, to see what its maker leaves open."""
    costs: CostUpload | None = None
    """How it takes the cost per acquisition."""
    account_name: Callable[[ConnectionRow], str] | None = None
    """How people call the account of a connection, where its id says nothing to them."""
    steps: Sequence[SetupStep] = ()
    mapping_basis: Callable[[MappingContext], MappingBasis] = lambda _: MappingBasis()
    """Which facts of the shop decide how its things are mapped."""
    new_names: Callable[[ShopProfile | None, MappingContext], Iterable[Unmappable]] = lambda *_: ()
    """What a person has to decide about names that the shop's lists have now and had not in the former facts; with
    None, about all that they have."""
    parameters_setting: str | None = None
    """The setting with which its documents show the parameters of variants, which are read by a call of their
    own."""
    language_setting: str | None = None
    """The setting that chooses the language of its texts."""
    guard_setting: str | None = None
    """The setting that says which percentage of its products a change of the mapping may take off sale unasked."""
    has_skus: bool = False
    """Whether its SKUs are copied, and matched with the variants of the shop."""
    texts: Path | None = None
    """The folder with its own catalogues, `<language>.po`; None where they stand in `locales/`."""
    resolutions: Mapping[str, str] = field(default_factory=dict)
    """Where a person resolves a cause of problems: its key, and the page with the place on it; a question mark
    leads to the page that explains it. One that is missing here is resolved in the shop or the system."""
    persons: Persons | None = None
    """None where its documents say nothing of who ordered."""
    admin_url: Callable[[str], str | None] = lambda _: None
    """Where a shop's staff find its pages, by the address of the shop's API; None where that does not tell."""
    order_url: Callable[[Settings], str] | None = None
    """Where people open an order in its own pages (`{id}`: its id there), or look for it. None: it has none."""
    product_url: Callable[[str, int], str | None] = lambda *_: None
    """Where the staff find a product in that admin, by the address of the shop's API and the product's id."""
    agreed_once: Collection[str] = ()
    """Causes that wait for a person's yes: to try again is that, and it holds until the shop is disconnected."""
    not_retried: Collection[str] = ()
    """Causes for which nothing can be sent or read again: only their cure helps."""
    decisions: Decisions = field(default_factory=Decisions)
    """What a person looks at before it happens."""

    @property
    def calls_back(self) -> bool:
        """Whether it sends webhooks."""
        return self.source is not None and self.source.webhook is not None


class Systems:
    """The systems of one service (`systems/registry.py`).

    *platform*: where the shops live: the add-on is installed there, and its orders and products are the truth.
    *connected*: what a shop can be connected to, in the order in which people see them.
    """

    def __init__(self, *, platform: System, connected: Sequence[System]) -> None:
        self.platform = platform
        self.connected = tuple(connected)
        self.all = (*connected, platform)
        self.settings: Declared = {key: one for system in self.all for key, one in system.settings.items()}
        """Every setting of a shop."""
        self.flows = tuple((system, flow) for system in connected for flow in system.flows)
        """Every flow, with the system at its other end."""
        self.titles = {system.name: system.title for system in connected}
        """What a shop can be connected to, as people call it."""
        self._named = {system.name: system for system in self.all}
        for system in self.all:
            if system.texts is not None:
                add_catalogues(system.texts)
        self._owners = {key: system for system in self.all for key in system.settings}

    def get(self, name: str) -> System | None:
        """The system of that name."""
        return self._named.get(name)

    def named(self, name: str) -> System:
        """The system of that name; raises `KeyError` for another."""
        return self._named[name]

    def title(self, name: str) -> str:
        """How people call a system; its name where it is not (any more) known."""
        return self._named[name].title if name in self._named else name

    def declaring(self, key: str) -> System:
        """The system that declares the setting *key*."""
        return self._owners[key]

    def taking(self, kind: str) -> tuple[str, ...]:
        """The systems to which things of *kind* go."""
        return tuple(system.name for system, flow in self.flows if flow.kind == kind and not flow.back)

    def target_of(self, system: System, flow: Flow) -> str:
        """Where a flow ends."""
        return self.platform.name if flow.back else system.name

    def after_delivery(self, name: str, kinds: Collection[str]) -> Iterator[AfterDelivery]:
        """What follows from documents of *kinds* that the system *name* has taken."""
        system = self._named[name]
        yield from (follows for kind, follows in system.after_delivery.items() if kind in kinds)
        if kinds and system is self.platform:
            yield from (write_back.written for write_back in self.write_backs.values())

    def agreed_once(self, key: str) -> bool:
        """Whether to try the problem *key* again is to agree to it once and for all."""
        return any(key in system.agreed_once for system in self.all)

    @property
    def write_backs(self) -> Mapping[str, WriteBack]:
        """What flows back to the shop, by the system that it comes from."""
        return {one.name: one.write_back for one in self.connected if one.write_back is not None}

    @property
    def sku_system(self) -> System | None:
        """The system whose SKUs the variants of the shop are matched with."""
        return next((system for system in self.connected if system.has_skus), None)
