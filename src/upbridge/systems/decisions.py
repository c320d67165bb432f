"""What a system declares so that a person can look at a change before it happens."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.proposed import Proposed
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.systems.connecting import Tools


class ShowHeld(Protocol):
    """What documents that a guard holds would change."""

    async def __call__(self, tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, bytes]) -> list[Proposed]:
        """A change for each of *bodies*, which are by key and stay in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What would happen at once if settings were others: computed, and not done.

    *name*: `ui.dry_run.<name>` is its text, of *counts*; *mark* tells its changes from any others.
    """

    name: str
    counts: Mapping[str, int]
    changes: Sequence[Proposed] = ()
    """The first of them by key, so many as were asked for."""
    number: int = 0
    """How many changes there are."""
    mark: str = ""
    system: str = ""
    """The system that it is about, where the text names it."""
    early: bool = False
    """What they follow from is being read: they may be others in a moment."""


class Rehearsal(Protocol):
    """Settings whose change does much at once."""

    @property
    def settings(self) -> Collection[str]: ...

    async def look(
        self, tx: AsyncConnection, before: Shop, after: Shop, *, limit: int | None, now: datetime
    ) -> DryRun | None:
        """What would happen if the shop were *after*, with at most *limit* changes; None where a person need not
        be asked."""

    async def carry_out(
        self, tx: AsyncConnection, tools: Tools, after: Shop, shown: DryRun, *, now: datetime
    ) -> None:
        """A person has agreed to what was *shown*: queue exactly that, in the transaction that changes the
        settings."""


class Undo(Protocol):
    """Takes back what a run has written into the shop, where it has not changed since."""

    async def look(self, tx: AsyncConnection, shop_id: ShopId, run: datetime, *, limit: int | None) -> DryRun:
        """What would be written to take back the run that was planned at *run*, with at most *limit* changes."""

    async def carry_out(
        self, tx: AsyncConnection, tools: Tools, shop_id: ShopId, run: datetime, *, now: datetime
    ) -> None:
        """Queue that."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a person is asked about, of one system."""

    held: Mapping[str, ShowHeld] = field(default_factory=dict)
    """What its guards hold, by the guard's name."""
    asked: Mapping[str, Rehearsal] = field(default_factory=dict)
    """What would happen after the consent to a question that is asked once, by its problem's key."""
    rehearsals: Sequence[Rehearsal] = ()
    undo: Undo | None = None
    """None where it writes nothing into the shop that could be taken back."""
