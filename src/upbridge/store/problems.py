"""What a person has to cure: raised once per cause and thing, closed by itself when the cause is gone."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Text,
    any_,
    bindparam,
    delete,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import NotFound
from upbridge.core.parsing import storable
from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import problems as table
from upbridge.store.sql import Composed, among, arrays, one_of


class Stage(StrEnum):
    """Where it went wrong; a stage that goes well closes its own problems only."""

    READ = "read"
    MAP = "map"
    PUSH = "push"
    REMARK = "remark"
    """It went well, but a person should look at the result: nothing closes this by itself."""


#: Kinds of problems that tell why flows stand still: what they are about can be neither sent again nor handled,
#: only put right, and that closes them.
ALARMS = ("connection", "right", "webhooks")


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


def _as_json(params: Mapping[str, Any]) -> Any:
    """*params* as a table takes them: what JSON does not know, by its text."""
    return json.loads(json.dumps(_storable(dict(params)), default=str))


async def raise_problems(
    tx: AsyncConnection, shop_id: ShopId, problems: Sequence[NewProblem], *, now: datetime
) -> None:
    """Raise *problems*; one that is open already keeps its `since` and gets the newest details and `found_at`.

    Names and details are what other systems wrote: what no table takes is left out of them, so that one problem
    never stops the batch that it came from.
    """
    if not problems:
        return
    raised = insert(table)
    await tx.execute(
        raised.on_conflict_do_update(
            index_elements=[table.c.shop_id, table.c.target, table.c.kind, table.c.entity, table.c.key],
            set_={name: raised.excluded[name] for name in ("stage", "params", "message", "found_at")},
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
                "params": _as_json(problem.params),
                "message": storable(describe(problem.key, problem.params)),
                "since": now,
                "found_at": now,
            }
            for problem in sorted(problems, key=lambda one: (one.target, one.kind, one.entity, one.key))
        ],
    )


async def close_resolved(
    tx: AsyncConnection,
    shop_id: ShopId,
    *,
    stages: Sequence[Stage],
    target: str,
    parents: Sequence[str],
    still: Sequence[NewProblem] = (),
) -> None:
    """Close the problems of *parents* at *target* that arose at *stages* and are not among *still*."""
    await _RESOLVE.run(
        tx,
        shop=shop_id,
        to=target,
        which=[str(stage) for stage in stages],
        names=list(parents),
        kinds=[one.kind for one in still],
        entities=[storable(one.entity) for one in still],
        keys=[one.key for one in still],
    )


_KEPT = arrays("kept", kind=("kinds", Text()), entity=("entities", Text()), key=("keys", Text()))
_RESOLVE = Composed(
    delete(table).where(
        table.c.shop_id == bindparam("shop"),
        table.c.target == bindparam("to"),
        among(table.c.stage, "which"),
        among(table.c.parent, "names"),
        ~exists().where(*(_KEPT.c[name] == table.c[name] for name in ("kind", "entity", "key"))),
    )
)


async def close_entity(
    tx: AsyncConnection,
    shop_id: ShopId,
    *,
    stage: Stage,
    target: str,
    kind: str,
    entities: Sequence[str],
    but: str | None = None,
) -> set[str]:
    """Close the problems of single things at one stage (they were delivered, or are in trouble for another cause).

    *but*: an open one with this key stays, with the moment from which on it lasts. Returns the things that have
    one."""
    if not entities:
        return set()
    theirs = {"shop": shop_id, "at": stage, "to": target, "sort": kind, "names": list(entities)}
    await _CLOSE.run(tx, **theirs, but=but)
    return set(await tx.scalars(_OPEN, theirs)) if but is not None else set()


_THEIRS = (
    table.c.shop_id == bindparam("shop"),
    table.c.stage == bindparam("at"),
    table.c.target == bindparam("to"),
    table.c.kind == bindparam("sort"),
    table.c.entity == any_(bindparam("names", type_=ARRAY(Text))),
)
_CLOSE = Composed(
    delete(table).where(
        *_THEIRS,
        or_(table.c.key.is_distinct_from(bindparam("but", type_=Text)), table.c.dismissed_at.is_not(None)),
    )
)
_OPEN = select(table.c.entity).where(*_THEIRS)


async def forget_target(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """Delete every problem about *target*, dismissed ones too."""
    await tx.execute(delete(table).where(table.c.shop_id == shop_id, table.c.target == target))


async def forget_problems(tx: AsyncConnection, shop_id: ShopId, *, kinds: Sequence[str]) -> None:
    """Delete every problem of these kinds, dismissed ones too."""
    await tx.execute(delete(table).where(table.c.shop_id == shop_id, table.c.kind.in_(kinds)))


async def erase(tx: AsyncConnection, shop_id: ShopId, target: str, kind: str, parents: Collection[str]) -> int:
    """Delete every problem of *kind* about *parents* at *target*, dismissed ones too; returns how many."""
    here = (table.c.shop_id == shop_id, table.c.target == target, table.c.kind == kind)
    return (await tx.execute(delete(table).where(*here, one_of(table.c.parent, parents)))).rowcount


async def dismissed(tx: AsyncConnection, number: int, *, now: datetime) -> None:
    """A person handled the problem by hand: it does not come back for the same cause. Raises `NotFound`."""
    result = await tx.execute(
        update(table).where(table.c.id == number, table.c.dismissed_at.is_(None)).values(dismissed_at=now)
    )
    if not result.rowcount:
        raise NotFound(f"there is no open problem {number}")


async def handled(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[int], *, now: datetime) -> set[int]:
    """A person handled these problems by hand, as `dismissed`; returns those that were open."""
    here = (table.c.shop_id == shop_id, one_of(table.c.id, numbers), table.c.dismissed_at.is_(None))
    gone = await tx.scalars(update(table).where(*here).values(dismissed_at=now).returning(table.c.id))
    return set(gone)


async def taken_back(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[int]) -> set[int]:
    """What was handled by hand is open again, with the `since` that it had; returns what had been handled."""
    here = (table.c.shop_id == shop_id, one_of(table.c.id, numbers), table.c.dismissed_at.is_not(None))
    again = await tx.scalars(update(table).where(*here).values(dismissed_at=None).returning(table.c.id))
    return set(again)


async def reopen(tx: AsyncConnection, shop_id: ShopId, *, target: str, kind: str, entity: str) -> None:
    """What was handled by hand has happened again: it is open again."""
    await tx.execute(
        update(table)
        .where(
            table.c.shop_id == shop_id, table.c.target == target, table.c.kind == kind, table.c.entity == entity
        )
        .values(dismissed_at=None)
    )
