"""What a person can do about a problem: try again, or say that it was handled by hand."""

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import is_guard
from upbridge.domain.history import What
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.engine.context import Service
from upbridge.operations import held_changes
from upbridge.store import cursors, documents, history
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.history import NewEntry
from upbridge.store.problem_queries import Problem
from upbridge.store.problems import Stage, close_entity, dismissed

_READ_AGAIN = {"product": Kind.PRODUCT, "order": Kind.ORDER}


async def retry(service: Service, number: int) -> str:
    """Send again what was parked, or read the thing again; returns what was done. Raises `NotFound`."""
    problem = await service.problems.get(number)
    if is_guard(problem.key):
        passed = await held_changes.approve(service, problem)
        return f"{passed} documents of kind {problem.kind} will be sent to {problem.target}"
    if service.systems.agreed_once(problem.key):
        return await _agree(service, problem)
    if problem.stage is Stage.PUSH:
        async with service.engine.begin() as tx:
            released = await documents.release(
                tx,
                problem.shop_id,
                problem.target,
                now=service.clock(),
                keys=[(problem.kind, problem.entity)],
            )
            if released:
                await _tell(tx, service, What.RELEASED, problem)
        if released:
            await service.wake(Lane.push(problem.shop_id, problem.target))
            return f"{problem.kind} {problem.entity} will be sent to {problem.target} again"
    if problem.stage is Stage.REMARK:
        return f"nothing can be tried again, it was delivered: look at it over there ({problem.message})"
    return await _read_again(service, problem)


async def _agree(service: Service, problem: Problem) -> str:
    shop, now = await service.shops.get(problem.shop_id), service.clock()
    async with service.engine.begin() as tx:
        await cursors.put(tx, shop.id, problem.target, problem.key, now.isoformat())
        await close_entity(
            tx, shop.id, stage=Stage.PUSH, target=problem.target, kind=problem.kind, entities=[problem.entity]
        )
        await _tell(tx, service, What.APPROVED, problem)
        for write_back in service.systems.write_backs.values():
            await write_back.settings_changed(tx, shop.id, shop.settings, shop.settings, now=now)
    return f"agreed: {problem.kind} goes to {problem.target} from now on"


async def _read_again(service: Service, problem: Problem) -> str:
    kind = _READ_AGAIN.get(problem.kind)
    if kind is None:
        return f"nothing can be tried again for a {problem.kind}: cure the cause ({problem.message})"
    async with service.engine.begin() as tx:
        await mark_changed(
            tx,
            problem.shop_id,
            PLATFORM,
            kind,
            [problem.parent],
            origin=Origin.SETTINGS,
            now=service.clock(),
        )
        await _tell(tx, service, What.RELEASED, problem)
    return f"{problem.kind} {problem.parent} will be read again"


async def _tell(tx: AsyncConnection, service: Service, what: What, problem: Problem) -> None:
    """Write into the shop's history what was decided, in the caller's transaction."""
    about = {"kind": problem.kind, "entity": problem.entity, "target": problem.target}
    entry = NewEntry(what, problem.key, details=about)
    await history.record(tx, problem.shop_id, service.way, [entry], now=service.clock())


async def dismiss(service: Service, number: int) -> str:
    """Close the problem for good; what was parked counts as delivered by hand until it changes again.

    Raises `NotFound`.
    """
    problem, now = await service.problems.get(number), service.clock()
    if is_guard(problem.key):
        held = await held_changes.decline(service, problem)
        return f"problem {number} is closed; {held} documents are not sent until they change again"
    async with service.engine.begin() as tx:
        # One transaction: a document that stays parked without its problem would be on no page. Rows are locked in
        # the order of the workers that deliver, so that neither waits for the other.
        if problem.stage is Stage.PUSH:
            await documents.mark_handled(
                tx, problem.shop_id, problem.target, [(problem.kind, problem.entity)], now=now
            )
        await dismissed(tx, number, now=now)
        await _tell(tx, service, What.HANDLED, problem)
    return f"problem {number} is closed"
