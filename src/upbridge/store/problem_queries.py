"""What needs a person, for all who ask: pages, commands, metrics, the engine. Nothing here writes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Subquery,
    Text,
    Uuid,
    and_,
    any_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.core.errors import NotFound
from upbridge.domain.delivery import GUARD_SUFFIX
from upbridge.domain.shop_id import ShopId
from upbridge.store import shop_queries, variant_queries
from upbridge.store.problems import Stage
from upbridge.store.schema import problems as table
from upbridge.store.sql import SHOPS, beginning, containing, folded, one_of


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


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem as a page shows it: *key* and *params* make the sentence, *message* stands in where none is."""

    id: int
    key: str
    params: Mapping[str, Any]
    kind: str
    entity: str
    message: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RankedProblem:
    """An open problem, how many have its cause (*key*, *target*, *kind*), and since when."""

    problem: OpenProblem
    target: str
    number: int
    first: datetime


@dataclass(frozen=True, slots=True)
class KnownProblem:
    """A problem that is open, or was until *dismissed_at*."""

    problem: OpenProblem
    target: str
    dismissed_at: datetime | None
    stage: Stage


_SHOWN = tuple(table.c[field.name] for field in fields(OpenProblem))


def _not_dismissed() -> ColumnElement[bool]:
    return table.c.dismissed_at.is_(None)


def _open(shop_id: ShopId) -> ColumnElement[bool]:
    return and_(table.c.shop_id == shop_id, _not_dismissed())


def _shown(row: Sequence[Any]) -> OpenProblem:
    return OpenProblem(*row[: len(_SHOWN)])


async def largest_causes(
    tx: AsyncConnection, shop_id: ShopId, *, apart: Collection[str], most: int
) -> list[RankedProblem]:
    """The newest open problem of each cause but those of the kinds *apart*: first the guards, then what else
    concerns the shop as a whole, then the causes with most problems; at most *most*."""
    cause = (table.c.key, table.c.target, table.c.kind)
    whole, guard = func.bool_or(table.c.entity == table.c.key), table.c.key.like(f"%{GUARD_SUFFIX}")
    of = (
        select(
            func.max(table.c.id).label("id"),
            func.count().label("number"),
            func.min(table.c.since).label("first"),
            whole.label("whole"),
        )
        .where(_open(shop_id), table.c.kind.not_in(sorted(apart)))
        .group_by(*cause)
        .order_by(guard.desc(), whole.desc(), func.count().desc(), *cause)
        .limit(most)
        .subquery("causes")
    )
    query = (
        select(*_SHOWN, table.c.target, of.c.number, of.c.first)
        .join(of, of.c.id == table.c.id)
        .order_by(guard.desc(), of.c.whole.desc(), of.c.number.desc(), *cause)
    )
    return [RankedProblem(_shown(row), row.target, int(row.number), row.first) for row in await tx.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSearch:
    """Which problems are looked for: open ones, or those that a person *handled*; of one *cause* (key, target,
    kind); with *words* in what they say or in the name of what they are about, or of a cause whose key is among
    *called*: its name has the words. None after the number *newest*: who treats a whole cause saw a page, and
    newer ones were not on it."""

    words: str = ""
    called: Collection[str] = ()
    cause: tuple[str, str, str] | None = None
    handled: bool = False
    newest: int | None = None


@dataclass(frozen=True, slots=True)
class ListedCause:
    """A cause, how many problems have it and since when. *newest* is the number of the last one, *numbers* are
    those of some of the newest; *same*: all of them say the same."""

    key: str
    target: str
    kind: str
    number: int
    first: datetime
    newest: int
    same: bool
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListedProblem:
    """A problem with what a list says of it. *found_at*: when it was found last; None if not since it is kept."""

    problem: OpenProblem
    stage: Stage
    target: str
    parent: str
    found_at: datetime | None
    dismissed_at: datetime | None


_CAUSE = (table.c.key, table.c.target, table.c.kind)
_LISTED = (*_SHOWN, table.c.stage, table.c.target, table.c.parent, table.c.found_at, table.c.dismissed_at)


def _listed(row: Sequence[Any]) -> ListedProblem:
    stage, *rest = row[len(_SHOWN) :]
    return ListedProblem(_shown(row), Stage(stage), *rest)


def _wanted(shop_id: ShopId, wanted: ProblemSearch) -> list[ColumnElement[bool]]:
    here = [table.c.shop_id == shop_id, ~_not_dismissed() if wanted.handled else _not_dismissed()]
    if wanted.newest is not None:
        here.append(table.c.id <= wanted.newest)
    if wanted.cause is not None:
        here += [column == value for column, value in zip(_CAUSE, wanted.cause, strict=True)]
    if wanted.words:
        said = table.c.entity + " " + table.c.message
        here.append(
            or_(
                containing(folded(said), wanted.words),
                one_of(table.c.key, wanted.called),
                table.c.entity.in_(variant_queries.keys_titled(shop_id, wanted.words)),
            )
        )
    return here


async def causes_listed(
    tx: AsyncConnection, shop_id: ShopId, wanted: ProblemSearch, *, each: int, offset: int = 0
) -> list[ListedCause]:
    """The causes of what is *wanted*, with at most *each* numbers from the *offset*th on: first what stops a whole
    connection, then the guards, then the causes with most problems."""
    said = table.c.params.cast(Text)
    numbers = func.array_agg(aggregate_order_by(table.c.id, table.c.id.desc()), type_=ARRAY(BigInteger))
    query = (
        select(
            *_CAUSE,
            func.count().label("number"),
            func.min(table.c.since).label("first"),
            func.max(table.c.id).label("newest"),
            (func.min(said) == func.max(said)).label("same"),
            numbers[offset + 1 : offset + each].label("numbers"),
        )
        .where(*_wanted(shop_id, wanted))
        .group_by(*_CAUSE)
        .order_by(
            (table.c.kind == "connection").desc(),
            table.c.key.like(f"%{GUARD_SUFFIX}").desc(),
            func.count().desc(),
            *_CAUSE,
        )
    )
    rows = await tx.execute(query)
    return [
        ListedCause(row.key, row.target, row.kind, row.number, row.first, row.newest, row.same, tuple(row.numbers))
        for row in rows
    ]


async def problems_listed(
    tx: AsyncConnection, shop_id: ShopId, wanted: ProblemSearch, *, offset: int = 0, limit: int
) -> list[ListedProblem]:
    """What is *wanted*, the newest first, from the *offset*th on: open ones by when they came, others by when they
    were handled."""
    query = select(*_LISTED).where(*_wanted(shop_id, wanted)).offset(offset).limit(limit)
    order = (table.c.dismissed_at.desc(), table.c.id.desc()) if wanted.handled else (table.c.id.desc(),)
    return [_listed(row) for row in await tx.execute(query.order_by(*order))]


async def count_listed(tx: AsyncConnection, shop_id: ShopId, wanted: ProblemSearch) -> int:
    """How many there are of what is *wanted*."""
    return int(await tx.scalar(select(func.count()).select_from(table).where(*_wanted(shop_id, wanted))) or 0)


async def of_numbers(
    tx: AsyncConnection, shop_id: ShopId, numbers: Collection[int], *, handled: bool = False
) -> list[ListedProblem]:
    """Those of the shop's problems that have these *numbers* and are open (or *handled*), the newest first."""
    query = select(*_LISTED).where(*_wanted(shop_id, ProblemSearch(handled=handled)), one_of(table.c.id, numbers))
    return [_listed(row) for row in await tx.execute(query.order_by(table.c.id.desc()))]


async def numbers_of(tx: AsyncConnection, shop_id: ShopId, wanted: ProblemSearch, *, limit: int) -> list[int]:
    """The numbers of what is *wanted*, the oldest first."""
    query = select(table.c.id).where(*_wanted(shop_id, wanted)).order_by(table.c.id).limit(limit)
    return list(await tx.scalars(query))


async def parents_of(tx: AsyncConnection, shop_id: ShopId, key: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The orders or products that have an open problem *key*, each with its details."""
    query = select(table.c.parent, table.c.params).where(_open(shop_id), table.c.key == key)
    return [(row.parent, row.params) for row in await tx.execute(query)]


async def named_open(
    tx: AsyncConnection, shop_id: ShopId, keys: Collection[str], names: Sequence[str]
) -> set[tuple[str, tuple[str, ...]]]:
    """The different values of the parameters *names* in open problems with one of *keys*, each with its key. Rows
    without one of them are left out."""
    values = [table.c.params[name].astext for name in names]
    query = select(table.c.key, *values).where(
        _open(shop_id), one_of(table.c.key, keys), *(value.is_not(None) for value in values)
    )
    return {(row[0], tuple(row[1:])) for row in await tx.execute(query.distinct())}


async def count_open_by_key(tx: AsyncConnection, shop_id: ShopId) -> dict[str, int]:
    """How many problems of the shop are open, by key."""
    query = select(table.c.key, func.count()).where(_open(shop_id)).group_by(table.c.key)
    return {key: int(number) for key, number in await tx.execute(query)}


async def causes_of_kind(tx: AsyncConnection, shop_id: ShopId, *, kind: str) -> list[str]:
    """The causes of the open problems of *kind*, that with most problems first."""
    query = select(table.c.key).where(_open(shop_id), table.c.kind == kind).group_by(table.c.key)
    return list(await tx.scalars(query.order_by(func.count().desc(), table.c.key)))


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of an open problem of *parent* with *target*."""

    parent: str
    target: str
    key: str


async def causes_of(tx: AsyncConnection, shop_id: ShopId, kind: str, parents: Collection[str]) -> list[Cause]:
    """The causes of the open problems of *kind* that *parents* have, oldest first."""
    query = select(table.c.parent, table.c.target, table.c.key).where(
        _open(shop_id), table.c.kind == kind, table.c.parent == any_(literal(list(parents), ARRAY(Text)))
    )
    return [Cause(*row) for row in await tx.execute(query.order_by(table.c.id))]


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many problems of one shop with one kind of thing at one target, or with a whole list of them, are open.
    *reading*: they arose where it is read."""

    shop_id: ShopId
    target: str
    kind: str
    number: int
    reading: bool = False


#: The kind of a problem that is about a whole list: its entity says of what.
LIST = "list"


def _open_counts() -> Select[Any]:
    known = select(
        table.c.shop_id,
        table.c.target,
        case((table.c.kind == LIST, table.c.entity), else_=table.c.kind).label("kind"),
        (table.c.stage == Stage.READ).label("reading"),
    ).where(table.c.shop_id == any_(SHOPS), table.c.dismissed_at.is_(None))
    each = known.subquery("each")
    columns = (each.c.shop_id, each.c.target, each.c.kind, each.c.reading)
    return select(*columns, func.count().label("number")).group_by(*columns)


#: The open problems of `SHOPS`, counted by shop, target and kind of thing.
OPEN_COUNTS = _open_counts()


def open_count_of(row: Any) -> OpenCount:
    """A row of `OPEN_COUNTS`."""
    return OpenCount(ShopId(row.shop_id), row.target, row.kind, row.number, row.reading)


async def history_of(
    tx: AsyncConnection, shop_id: ShopId, kinds: Collection[str], parent: str, *, limit: int
) -> list[KnownProblem]:
    """The problems of one order or product, dismissed ones included, oldest first."""
    query = (
        select(*_SHOWN, table.c.target, table.c.dismissed_at, table.c.stage)
        .where(table.c.shop_id == shop_id, table.c.kind.in_(kinds), table.c.parent == parent)
        .order_by(table.c.id)
        .limit(limit)
    )
    return [
        KnownProblem(_shown(row), row.target, row.dismissed_at, Stage(row.stage))
        for row in await tx.execute(query)
    ]


def open_parents(shop_id: ShopId, kind: str) -> Subquery:
    """What has an open problem, of *kind*: parent, target, key; once for each problem."""
    return (
        select(table.c.parent, table.c.target, table.c.key)
        .where(_open(shop_id), table.c.kind == kind)
        .subquery("failed")
    )


def open_by_key() -> Select[tuple[str, int]]:
    """How many problems of all shops are open, by key: for the metric."""
    return select(table.c.key, func.count()).where(table.c.dismissed_at.is_(None)).group_by(table.c.key)


class Problems:
    """The open problems, for people."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open(self, shop_id: ShopId | None = None, *, limit: int = 10_000) -> list[Problem]:
        """Open problems of a shop, or of all, oldest first."""
        query = _for_people().order_by(table.c.id).limit(limit)
        return await self._select(query if shop_id is None else query.where(table.c.shop_id == shop_id))

    async def handled(self, shop_id: ShopId | None = None, *, limit: int = 10_000) -> list[Problem]:
        """Problems of a shop, or of all, that a person handled: the last one first."""
        query = _for_people(handled=True).order_by(table.c.dismissed_at.desc(), table.c.id.desc()).limit(limit)
        return await self._select(query if shop_id is None else query.where(table.c.shop_id == shop_id))

    async def get(self, number: int, *, handled: bool = False) -> Problem:
        """One open problem, or one that a person handled; raises `NotFound`."""
        found = await self._select(_for_people(handled=handled).where(table.c.id == number))
        if not found:
            raise NotFound(f"there is no {'handled' if handled else 'open'} problem {number}")
        return found[0]

    async def _select(self, query: Select[Any]) -> list[Problem]:
        async with self._engine.connect() as tx:
            rows = await tx.execute(query)
            return [Problem(**{**row, "stage": Stage(row["stage"])}) for row in rows.mappings()]


def _for_people(*, handled: bool = False) -> Select[Any]:
    """Open problems, or handled ones, with the key of their shop."""
    shop = shop_queries.keys()
    columns = [
        shop.c.key.label(field.name) if field.name == "shop_key" else table.c[field.name]
        for field in fields(Problem)
    ]
    state = ~_not_dismissed() if handled else _not_dismissed()
    return select(*columns).join(shop, shop.c.id == table.c.shop_id).where(state)


def keys_beginning(shop_id: ShopId, kind: str, words: str, *, most: int) -> Select[str]:
    """Entities whose key begins with *words* and that have a problem of *kind*, resolved or not."""
    return beginning(table.c.parent, words, table.c.shop_id == shop_id, table.c.kind == kind, most=most)


@dataclass(frozen=True, slots=True)
class OpenCause:
    """A cause of open problems of one shop, how many have it, and since when."""

    shop_id: ShopId
    key: str
    target: str
    kind: str
    number: int
    first: datetime


async def open_causes(
    tx: AsyncConnection, shop_ids: Collection[ShopId], *, apart: Collection[str]
) -> list[OpenCause]:
    """The causes of the open problems of *shop_ids* but those of the kinds *apart*, the largest first."""
    cause = (table.c.shop_id, table.c.key, table.c.target, table.c.kind)
    query = (
        select(*cause, func.count().label("number"), func.min(table.c.since).label("first"))
        .where(
            table.c.shop_id == any_(literal(list(shop_ids), ARRAY(Uuid))),
            table.c.dismissed_at.is_(None),
            table.c.kind.not_in(sorted(apart)),
        )
        .group_by(*cause)
        .order_by(func.count().desc(), *cause)
    )
    rows = await tx.execute(query)
    return [
        OpenCause(ShopId(row.shop_id), row.key, row.target, row.kind, int(row.number), row.first) for row in rows
    ]
