"""What a person can do about a problem: try again, or say that it was handled by hand."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.clock import Clock
from upbridge.domain.delivery import is_guard
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.platform import PLATFORM
from upbridge.engine.unreadable import READ_AGAIN
from upbridge.operations.held_changes import HeldChanges
from upbridge.store import cursors, documents, history
from upbridge.store.changes import Origin, mark_changed
from upbridge.store.history import NewEntry
from upbridge.store.problem_queries import Problem, Problems
from upbridge.store.problems import Stage, close_entity, dismissed
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems


@dataclass(frozen=True, slots=True)
class ProblemActions:
    """Does what people decide about problems."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    shops: Shops
    problems: Problems
    systems: Systems
    wake: Wake
    held: HeldChanges

    async def retry(self, number: int) -> str:
        """Send again what was parked, or read the thing again; returns what was done. Raises `NotFound`."""
        problem = await self.problems.get(number)
        if is_guard(problem.key):
            passed = await self.held.approve(problem)
            return f"{passed} documents of kind {problem.kind} will be sent to {problem.target}"
        if self.systems.agreed_once(problem.key):
            return await self._agree(problem)
        if problem.stage is Stage.PUSH:
            async with self.engine.begin() as tx:
                released = await documents.release_some(
                    tx, problem.shop_id, problem.target, [(problem.kind, problem.entity)], now=self.clock()
                )
                if released:
                    await self._tell(tx, What.RELEASED, problem)
            if released:
                await self.wake(Lane.push(problem.shop_id, problem.target))
                return f"{problem.kind} {problem.entity} will be sent to {problem.target} again"
        if problem.stage is Stage.REMARK:
            return f"nothing can be tried again, it was delivered: look at it over there ({problem.message})"
        return await self._read_again(problem)

    async def _agree(self, problem: Problem) -> str:
        shop, now = await self.shops.get(problem.shop_id), self.clock()
        async with self.engine.begin() as tx:
            await cursors.put(tx, shop.id, problem.target, problem.key, now.isoformat())
            await close_entity(
                tx, shop.id, stage=Stage.PUSH, target=problem.target, kind=problem.kind, entities=[problem.entity]
            )
            await self._tell(tx, What.APPROVED, problem)
            for write_back in self.systems.write_backs.values():
                await write_back.settings_changed(tx, shop.id, shop.settings, shop.settings, now=now)
        return f"agreed: {problem.kind} goes to {problem.target} from now on"

    async def _read_again(self, problem: Problem) -> str:
        kind = READ_AGAIN.get(problem.kind)
        if kind is None:
            return f"nothing can be tried again for a {problem.kind}: cure the cause ({problem.message})"
        async with self.engine.begin() as tx:
            await mark_changed(
                tx,
                problem.shop_id,
                PLATFORM,
                kind,
                [problem.parent],
                origin=Origin.SETTINGS,
                now=self.clock(),
            )
            await self._tell(tx, What.RELEASED, problem)
        return f"{problem.kind} {problem.parent} will be read again"

    async def _tell(self, tx: AsyncConnection, what: What, problem: Problem) -> None:
        """Write into the shop's history what was decided, in the caller's transaction."""
        about = {"kind": problem.kind, "entity": problem.entity, "target": problem.target}
        entry = NewEntry(what, problem.key, details=about)
        await history.record(tx, problem.shop_id, self.way, [entry], now=self.clock())

    async def dismiss(self, number: int) -> str:
        """Close the problem for good; what was parked counts as delivered by hand until it changes again.

        Raises `NotFound`.
        """
        problem, now = await self.problems.get(number), self.clock()
        if is_guard(problem.key):
            held = await self.held.decline(problem)
            return f"problem {number} is closed; {held} documents are not sent until they change again"
        async with self.engine.begin() as tx:
            # One transaction: a document that stays parked without its problem would be on no page. Rows are
            # locked in the order of the workers that deliver, so that neither waits for the other.
            if problem.stage is Stage.PUSH:
                await documents.mark_handled(
                    tx, problem.shop_id, problem.target, [(problem.kind, problem.entity)], now=now
                )
            await dismissed(tx, number, now=now)
            await self._tell(tx, What.HANDLED, problem)
        return f"problem {number} is closed"
