"""What a guard holds, for a person to look at; and the person's answer to exactly what was shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.core.errors import NotFound
from upbridge.domain.delivery import is_guard
from upbridge.domain.history import What
from upbridge.domain.lane import Lane
from upbridge.domain.proposed import Proposed
from upbridge.domain.shop_id import ShopId
from upbridge.engine import catalogue_guard
from upbridge.engine.context import Service
from upbridge.store import document_queries, documents, guards, history
from upbridge.store.history import NewEntry
from upbridge.store.problem_queries import Problem
from upbridge.systems.decisions import ShowHeld


@dataclass(frozen=True, slots=True)
class Held:
    """What the guard of *problem* holds: so many changes. *mark* tells them from any others."""

    problem: Problem
    count: int
    mark: str


def mark_of(hashes: Mapping[tuple[str, str], bytes]) -> str:
    """What tells these documents, by kind and key, from any others."""
    lines = [[kind, key, mark.hex()] for (kind, key), mark in sorted(hashes.items())]
    return fingerprint(canonical(lines)).hex()


async def look(service: Service, shop_id: ShopId, number: int) -> Held:
    """What waits for the answer to the problem *number*. Raises `NotFound` where the shop has no such guard."""
    problem = await service.problems.get(number)
    if problem.shop_id != shop_id or not is_guard(problem.key):
        raise NotFound(f"there is no guard {number}")
    async with service.engine.connect() as tx:
        hashes = await document_queries.hashes_held(tx, shop_id, problem.target, problem.key)
    return Held(problem, len(hashes), mark_of(hashes))


async def changes(service: Service, problem: Problem, *, limit: int, after: str = "") -> list[Proposed]:
    """What the guard of *problem* holds, by key: at most *limit* changes of those that follow *after*."""
    held: dict[str, ShowHeld] = {catalogue_guard.GUARD: catalogue_guard.shown}
    for system in service.systems.all:
        held |= system.held
    async with service.engine.connect() as tx:
        bodies = await document_queries.bodies_held(
            tx, service.cipher, problem.shop_id, problem.target, problem.key, after=after, limit=limit
        )
        return await held[problem.key](tx, problem.shop_id, bodies)


async def approve(service: Service, problem: Problem, mark: str | None = None) -> int | None:
    """Send what the guard holds; returns how many documents. With *mark*, only if it is what a person has seen:
    None says that it is something else by now, and that nothing was done."""
    async with service.engine.begin() as tx:
        hashes = await documents.guarded(tx, problem.shop_id, problem.target, problem.key)
        if mark is not None and mark != mark_of(hashes):
            return None
        await guards.let_pass(
            tx,
            problem.shop_id,
            problem.target,
            problem.kind,
            problem.key,
            now=service.clock(),
            keys=[key for _, key in hashes],
        )
        await _tell(tx, service, What.APPROVED, problem, len(hashes))
    await service.wake(Lane.push(problem.shop_id, problem.target))
    return len(hashes)


async def decline(service: Service, problem: Problem) -> int:
    """Do not send what the guard holds, until it says something else; returns how many documents."""
    now = service.clock()
    async with service.engine.begin() as tx:
        held = await documents.guarded(tx, problem.shop_id, problem.target, problem.key)
        await documents.mark_handled(tx, problem.shop_id, problem.target, held, now=now)
        await guards.ask_nobody(tx, problem.shop_id, problem.target, problem.kind, problem.key)
        await _tell(tx, service, What.DECLINED, problem, len(held))
    return len(held)


async def _tell(tx: AsyncConnection, service: Service, what: What, problem: Problem, count: int) -> None:
    about = {"kind": problem.kind, "entity": problem.entity, "target": problem.target, "count": count}
    entry = NewEntry(what, problem.key, details=about)
    await history.record(tx, problem.shop_id, service.way, [entry], now=service.clock())
