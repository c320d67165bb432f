"""What a guard holds, for a person to look at; and the person's answer to exactly what was shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotFound
from upbridge.domain.delivery import is_guard
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane, Wake
from upbridge.domain.proposed import Proposed
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.engine import catalogue_guard
from upbridge.store import document_queries, documents, guards, history
from upbridge.store.history import NewEntry
from upbridge.store.problem_queries import Problem, Problems
from upbridge.systems.base import Systems
from upbridge.systems.decisions import DryRun, ShowHeld


@dataclass(frozen=True, slots=True)
class GuardedChanges:
    """The changes that the guard of *problem* holds: their number, and a digest of them (*mark*)."""

    problem: Problem
    count: int
    mark: str


def mark_of(hashes: Mapping[tuple[str, str], bytes]) -> str:
    """A digest of a set of documents; *hashes* are by kind and key."""
    lines = [[kind, key, mark.hex()] for (kind, key), mark in sorted(hashes.items())]
    return fingerprint(canonical(lines)).hex()


@dataclass(frozen=True, slots=True)
class HeldChanges:
    """Shows what a guard holds, and carries out the answer of a person."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    cipher: Cipher
    problems: Problems
    systems: Systems
    wake: Wake

    async def look(self, shop_id: ShopId, number: int) -> GuardedChanges:
        """What waits for the answer to the problem *number*. Raises `NotFound` where the shop has no such
        guard."""
        problem = await self.problems.get(number)
        if problem.shop_id != shop_id or not is_guard(problem.key):
            raise NotFound(f"there is no guard {number}")
        async with self.engine.connect() as tx:
            hashes = await document_queries.hashes_held(tx, shop_id, problem.target, problem.key)
        return GuardedChanges(problem, len(hashes), mark_of(hashes))

    async def changes(self, problem: Problem, *, limit: int, after: str = "") -> list[Proposed]:
        """What the guard of *problem* holds, by key: at most *limit* changes of those that follow *after*. One
        that no key opens is `sealed`."""
        held: dict[str, ShowHeld] = {catalogue_guard.GUARD: catalogue_guard.shown}
        for system in self.systems.all:
            held |= system.decisions.held
        async with self.engine.connect() as tx:
            bodies = await document_queries.bodies_held(
                tx, self.cipher, problem.shop_id, problem.target, problem.key, after=after, limit=limit
            )
            opened = {key: body for key, body in bodies.items() if body is not None}
            shown = {one.key: one for one in await held[problem.key](tx, problem.shop_id, opened)}
        return [shown.get(key, Proposed(key, None, None, None, None, sealed=True)) for key in bodies]

    async def foresee(self, shop: Shop, number: int, *, limit: int | None) -> tuple[Problem, DryRun]:
        """The question *number*, and what the consent to it would do now, with at most *limit* changes; nothing is
        done. Raises `NotFound` where the shop has no such question, or where it would do nothing any more."""
        problem = await self.problems.get(number)
        asked = {key: one for system in self.systems.all for key, one in system.decisions.asked.items()}
        if problem.shop_id != shop.id or problem.key not in asked:
            raise NotFound(f"there is no question {number}")
        async with self.engine.connect() as tx:
            found = await asked[problem.key].look(tx, shop, shop, limit=limit, now=self.clock())
        if found is None:
            raise NotFound(f"the question {number} is not asked any more")
        return problem, found

    async def approve(self, problem: Problem, mark: str | None = None) -> int | None:
        """Send what the guard holds; returns how many documents. With *mark*, only if it is what a person has
        seen: None says that it is something else by now, and that nothing was done."""
        async with self.engine.begin() as tx:
            hashes = await document_queries.guarded(tx, problem.shop_id, problem.target, problem.key)
            if mark is not None and mark != mark_of(hashes):
                return None
            await guards.let_pass(
                tx,
                problem.shop_id,
                problem.target,
                problem.kind,
                problem.key,
                now=self.clock(),
                keys=[key for _, key in hashes],
            )
            await self._tell(tx, What.APPROVED, problem, len(hashes))
        await self.wake(Lane.push(problem.shop_id, problem.target))
        return len(hashes)

    async def decline(self, problem: Problem) -> int:
        """Do not send what the guard holds, until it says something else; returns how many documents."""
        now = self.clock()
        async with self.engine.begin() as tx:
            held = await document_queries.guarded(tx, problem.shop_id, problem.target, problem.key)
            await documents.mark_handled(tx, problem.shop_id, problem.target, held, now=now)
            await guards.ask_nobody(tx, problem.shop_id, problem.target, problem.kind, problem.key)
            await self._tell(tx, What.DECLINED, problem, len(held))
        return len(held)

    async def _tell(self, tx: AsyncConnection, what: What, problem: Problem, count: int) -> None:
        about = {"kind": problem.kind, "entity": problem.entity, "target": problem.target, "count": count}
        entry = NewEntry(what, problem.key, details=about)
        await history.record(tx, problem.shop_id, self.way, [entry], now=self.clock())
