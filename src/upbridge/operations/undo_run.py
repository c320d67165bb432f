"""A run of stock is taken back, as it was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.errors import NotFound
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.store import history
from upbridge.store.history import NewEntry
from upbridge.systems.base import Systems
from upbridge.systems.connecting import Tools
from upbridge.systems.decisions import DryRun, Undo


@dataclass(frozen=True, slots=True)
class RunUndo:
    """Shows what would take a run back, and does it."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    systems: Systems
    tools: Tools
    wake: Wake

    async def look(self, shop_id: ShopId, number: int, *, limit: int | None) -> tuple[datetime, DryRun]:
        """The moment of the run that the line *number* of the history tells of, and what would take it back.
        Raises `NotFound`."""
        async with self.engine.connect() as tx:
            run = await self._run(tx, shop_id, number)
            found = [await undo.look(tx, shop_id, run, limit=limit) for undo in self._undos]
        return run, found[0]

    async def undo(self, shop_id: ShopId, number: int, mark: str | None = None) -> int | None:
        """Take the run back where its numbers have not changed since; returns how many. With *mark*, only if it
        is what was shown: None says that it is something else by now. Raises `NotFound`."""
        now = self.clock()
        async with self.engine.begin() as tx:
            run = await self._run(tx, shop_id, number)
            count = 0
            for undo in self._undos:
                shown = await undo.look(tx, shop_id, run, limit=0)
                if mark is not None and shown.mark != mark:
                    return None
                await undo.carry_out(tx, self.tools, shop_id, run, now=now)
                count += shown.number
            entry = NewEntry(What.UNDONE, run.isoformat(), details={"count": count, "at": run.isoformat()})
            await history.record(tx, shop_id, self.way, [entry], now=now)
        await self.wake(Lane.push(shop_id, PLATFORM))
        return count

    @property
    def _undos(self) -> Sequence[Undo]:
        return [one.decisions.undo for one in self.systems.connected if one.decisions.undo is not None]

    @staticmethod
    async def _run(tx: AsyncConnection, shop_id: ShopId, number: int) -> datetime:
        run = await history.moment_of_run(tx, shop_id, number)
        if run is None:
            raise NotFound(f"there is no stock run {number}")
        return run
