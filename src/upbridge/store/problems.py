"""What a person has to cure: raised once per cause and thing, closed by itself when the cause is gone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.errors import NotFound
from upbridge.core.parsing import storable
from upbridge.domain.shop_id import ShopId


class Stage(StrEnum):
    """Where it went wrong; a stage that goes well closes its own problems only."""

    READ = "read"
    MAP = "map"
    PUSH = "push"
    REMARK = "remark"
    """It went well, but a person should look at what came of it: nothing closes this by itself."""


@dataclass(frozen=True, slots=True)
class NewProblem:
    """A problem to be raised. *entity* is the thing, *parent* the product or order that it belongs to."""

    stage: Stage
    key: str
    target: str
    kind: str
    entity: str
    parent: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of `problems`."""

    id: int
    shop_id: ShopId
    shop_key: str
    stage: Stage
    key: str
    target: str
    kind: str
    entity: str
    parent: str
    params: Mapping[str, Any]
    message: str
    since: datetime


def describe(key: str, params: Mapping[str, Any]) -> str:
    """The problem in one English line, for operators and logs; the merchant's text is in the catalogues."""
    details = ", ".join(f"{name} {_short(value)}" for name, value in params.items())
    return f"{key.replace('.', ': ').replace('_', ' ')}" + (f" ({details})" if details else "")


def _short(value: Any, limit: int = 300) -> str:
    rendered = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return rendered if len(rendered) <= limit else rendered[: limit - 1] + "…"


def _storable(value: Any) -> Any:
    """*value*, as JSON will have it, with text that a table takes."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): _storable(one) for name, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list | tuple) else value


async def raise_problems(
    tx: AsyncConnection, shop_id: ShopId, problems: Sequence[NewProblem], *, now: datetime
) -> None:
    """Raise *problems*; one that is open already keeps its `since` and gets the newest details.

    Names and details are what other systems wrote: what no table takes is left out of them, so that one problem
    never stops the batch that it came from.
    """
    if not problems:
        return
    await tx.execute(
        text(
            """
            INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, params, message, since)
            VALUES (:shop_id, :stage, :key, :target, :kind, :entity, :parent, CAST(:params AS jsonb), :message,
                    :now)
            ON CONFLICT (shop_id, target, kind, entity, key) DO UPDATE SET
              stage = excluded.stage, params = excluded.params, message = excluded.message
            """
        ),
        [
            {
                "shop_id": shop_id,
                "stage": problem.stage,
                "key": problem.key,
                "target": problem.target,
                "kind": problem.kind,
                "entity": storable(problem.entity),
                "parent": storable(problem.parent),
                "params": json.dumps(_storable(dict(problem.params)), default=str),
                "message": storable(describe(problem.key, problem.params)),
                "now": now,
            }
            for problem in sorted(problems, key=lambda one: (one.target, one.kind, one.entity, one.key))
        ],
    )


async def close_cured(
    tx: AsyncConnection,
    shop_id: ShopId,
    *,
    stages: Sequence[Stage],
    target: str,
    parents: Sequence[str],
    still: Sequence[NewProblem] = (),
) -> None:
    """Close the problems of *parents* at *target* that arose at *stages* and are not among *still*."""
    await tx.execute(
        text(
            """
            DELETE FROM problems p
            WHERE p.shop_id = :shop_id AND p.target = :target AND p.stage = ANY(:stages)
              AND p.parent = ANY(:parents)
              AND NOT EXISTS (
                SELECT 1 FROM unnest(CAST(:kinds AS text[]), CAST(:entities AS text[]), CAST(:keys AS text[]))
                  AS still (kind, entity, key)
                WHERE still.kind = p.kind AND still.entity = p.entity AND still.key = p.key)
            """
        ),
        {
            "shop_id": shop_id,
            "target": target,
            "stages": [str(stage) for stage in stages],
            "parents": list(parents),
            "kinds": [one.kind for one in still],
            "entities": [one.entity for one in still],
            "keys": [one.key for one in still],
        },
    )


async def close_entity(
    tx: AsyncConnection,
    shop_id: ShopId,
    *,
    stage: Stage,
    target: str,
    kind: str,
    entities: Sequence[str],
) -> None:
    """Close the problems of single things at one stage (they were delivered, or will be tried again)."""
    await tx.execute(
        text(
            "DELETE FROM problems WHERE shop_id = :shop_id AND stage = :stage AND target = :target"
            " AND kind = :kind AND entity = ANY(:entities)"
        ),
        {"shop_id": shop_id, "stage": stage, "target": target, "kind": kind, "entities": list(entities)},
    )


async def forget_problems(tx: AsyncConnection, shop_id: ShopId, *, kinds: Sequence[str]) -> None:
    """Delete every problem of these kinds, dismissed ones too."""
    await tx.execute(
        text("DELETE FROM problems WHERE shop_id = :shop_id AND kind = ANY(:kinds)"),
        {"shop_id": shop_id, "kinds": list(kinds)},
    )


async def dismissed(tx: AsyncConnection, number: int, *, now: datetime) -> None:
    """A person handled the problem by hand: it does not come back for the same cause. Raises `NotFound`."""
    result = await tx.execute(
        text("UPDATE problems SET dismissed_at = :now WHERE id = :id AND dismissed_at IS NULL"),
        {"id": number, "now": now},
    )
    if not result.rowcount:
        raise NotFound(f"there is no open problem {number}")


class Problems:
    """The open problems, for people."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open(self, shop_id: ShopId | None = None, *, limit: int = 10_000) -> list[Problem]:
        """Open problems of a shop, or of all, oldest first."""
        where = "CAST(:id AS uuid) IS NULL OR p.shop_id = :id"
        return await self._select(where, {"id": shop_id, "limit": limit})

    async def get(self, number: int) -> Problem:
        """One open problem; raises `NotFound`."""
        found = await self._select("p.id = :id", {"id": number, "limit": 1})
        if not found:
            raise NotFound(f"there is no open problem {number}")
        return found[0]

    async def _select(self, where: str, values: Mapping[str, Any]) -> list[Problem]:
        async with self._engine.connect() as tx:
            rows = await tx.execute(
                text(
                    f"""
                    SELECT p.id, p.shop_id, s.key AS shop_key, p.stage, p.key, p.target, p.kind, p.entity,
                      p.parent, p.params, p.message, p.since
                    FROM problems p JOIN shops s ON s.id = p.shop_id
                    WHERE p.dismissed_at IS NULL AND ({where}) ORDER BY p.id LIMIT :limit
                    """  # noqa: S608
                ),
                values,
            )
            return [Problem(**{**row, "stage": Stage(row["stage"])}) for row in rows.mappings()]
