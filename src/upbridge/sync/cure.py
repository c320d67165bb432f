"""What a person can do about a problem: try again, or say that it was handled by hand."""

from sqlalchemy import text

from upbridge.shops.problems import Problem, Stage
from upbridge.sync import outbox
from upbridge.sync.changes import Kind, Origin, hint
from upbridge.sync.service import Service

_READ_AGAIN = {"product": Kind.PRODUCT, "order": Kind.ORDER}


async def retry(service: Service, number: int) -> str:
    """Send again what was parked, or read the thing again; returns what was done. Raises `NotFound`."""
    problem = await service.problems.get(number)
    if problem.stage is Stage.PUSH:
        async with service.engine.begin() as connection:
            released = await outbox.release(
                connection, problem.shop_id, problem.target, keys=[(problem.kind, problem.entity)]
            )
        if released:
            await service.wake(problem.shop_id, f"push:{problem.target}")
            return f"{problem.kind} {problem.entity} will be sent to {problem.target} again"
    return await _read_again(service, problem)


async def _read_again(service: Service, problem: Problem) -> str:
    kind = _READ_AGAIN.get(problem.kind)
    if kind is None:
        return f"nothing can be tried again for a {problem.kind}: cure the cause ({problem.message})"
    async with service.engine.begin() as connection:
        await hint(
            connection,
            problem.shop_id,
            "upgates",
            kind,
            [problem.parent],
            origin=Origin.SETTINGS,
            due_at=service.clock(),
        )
    return f"{problem.kind} {problem.parent} will be read again"


async def dismiss(service: Service, number: int) -> str:
    """Close the problem for good; what was parked counts as delivered by hand until it changes again.

    Raises `NotFound`.
    """
    problem = await service.problems.get(number)
    await service.problems.dismiss(number)
    if problem.stage is Stage.PUSH:
        async with service.engine.begin() as connection:
            await connection.execute(
                text(
                    """
                    WITH gone AS (
                      DELETE FROM documents WHERE shop_id = :shop_id AND target = :target AND kind = :kind
                        AND key = :key AND state = 'parked' RETURNING *
                    )
                    INSERT INTO links (shop_id, target, kind, key, parent, hash, state)
                    SELECT shop_id, target, kind, key, parent, hash, 'by_hand' FROM gone
                    ON CONFLICT (shop_id, target, kind, key) DO UPDATE SET hash = excluded.hash, updated_at = now()
                    """
                ),
                {
                    "shop_id": problem.shop_id,
                    "target": problem.target,
                    "kind": problem.kind,
                    "key": problem.entity,
                },
            )
    return f"problem {number} is closed"
