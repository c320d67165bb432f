"""Guards: what they hold is sent when a person lets it pass, and one problem says so."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import documents
from upbridge.store.problems import NewProblem, Stage, close_entity, raise_problems


async def ask_a_person(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    *,
    key: str,
    params: Mapping[str, Any],
    now: datetime,
) -> None:
    """Raise the problem *key*, which is the guard's name: who retries it lets pass what the guard holds."""
    problem = NewProblem(
        stage=Stage.PUSH, key=key, target=target, kind=kind, entity=key, parent=key, params=params
    )
    await raise_problems(tx, shop_id, [problem], now=now)


async def let_pass(
    tx: AsyncConnection,
    shop_id: ShopId,
    target: str,
    kind: str,
    guard: str,
    *,
    now: datetime,
    keys: Sequence[str] | None = None,
) -> None:
    """Send what *guard* holds, all of it or what has one of *keys*; no person is asked any more."""
    await documents.release_guarded(tx, shop_id, target, guard, now=now, keys=keys)
    await ask_nobody(tx, shop_id, target, kind, guard)


async def ask_nobody(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, guard: str) -> None:
    """Close the problem of *guard*."""
    await close_entity(tx, shop_id, stage=Stage.PUSH, target=target, kind=kind, entities=[guard])
