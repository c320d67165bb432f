"""Every order that was read, also one that no system wants: the whole to which the boxes of a page add up."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    DateTime,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    delete,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.order_outline import OrderOutline
from upbridge.domain.shop_id import ShopId
from upbridge.store.link_queries import erased
from upbridge.store.schema import orders as table
from upbridge.store.sql import Composed, as_rows, beginning, one_of, rows_of


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """An order as it was read: *outline* is what a page shows of it, *kept_back* the verdict of the shop's
    rules by the name of each system that is not sent it."""

    number: str
    ordered_at: datetime
    outline: OrderOutline
    kept_back: Mapping[str, str]


async def upsert_orders(
    tx: AsyncConnection, shop_id: ShopId, read: Iterable[ReadOrder], gone: Collection[str], *, now: datetime
) -> None:
    """These orders exist; *gone* do not (any more). Of one that was erased, no more is kept."""
    if gone:
        await tx.execute(
            delete(table).where(
                table.c.shop_id == shop_id, table.c.number == any_(literal(sorted(gone), ARRAY(Text)))
            )
        )
    rows = {one.number: one for one in read}  # of two with one number, the last
    if not rows:
        return
    written = [
        _Row(
            number,
            rows[number].ordered_at,
            rows[number].outline.model_dump(mode="json", exclude_none=True),
            rows[number].kept_back,
        )
        for number in sorted(rows)
    ]
    await _REPLACE.run(tx, shop_id=shop_id, now=now, rows=as_rows(written))


class _Row(msgspec.Struct, gc=False):
    number: str
    ordered_at: datetime
    outline: Mapping[str, Any]
    kept_back: Mapping[str, str]


def _replacing() -> Insert:
    moment = DateTime(timezone=True)
    c = rows_of("one", "rows", number=Text(), ordered_at=moment, outline=JSONB(), kept_back=JSONB()).c
    shop_id = bindparam("shop_id", type_=Uuid)
    outline = case((erased(shop_id, "order", c.number), null()), else_=c.outline)
    rows = select(shop_id, bindparam("now", type_=moment), c.number, c.ordered_at, outline, c.kept_back)
    fresh = insert(table).from_select(["shop_id", "read_at", "number", "ordered_at", "outline", "kept_back"], rows)
    said = {name: fresh.excluded[name] for name in ("ordered_at", "read_at", "outline", "kept_back")}
    return fresh.on_conflict_do_update(index_elements=[table.c.shop_id, table.c.number], set_=said)


_REPLACE = Composed(_replacing())


async def erase_outlines(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]) -> int:
    """Keep of these orders only that they exist, and when they were made; of how many there was more."""
    chosen = table.c.shop_id == shop_id, one_of(table.c.number, numbers), table.c.outline.is_not(None)
    erased = await tx.execute(update(table).where(*chosen).values(outline=None).returning(table.c.number))
    return len(erased.all())


async def ordered_at(tx: AsyncConnection, shop_id: ShopId, number: str) -> datetime | None:
    """When the order was made; None if it was never read."""
    moment: datetime | None = await tx.scalar(
        select(table.c.ordered_at).where(table.c.shop_id == shop_id, table.c.number == number)
    )
    return moment


async def known(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]) -> set[str]:
    """Those of *numbers* that were read in the last 90 days and are not known to be gone."""
    if not numbers:
        return set()
    query = select(table.c.number).where(table.c.shop_id == shop_id, one_of(table.c.number, numbers))
    return set(await tx.scalars(query))


async def count_orders(
    tx: AsyncConnection, shop_id: ShopId, *, since: datetime, until: datetime | None = None
) -> int:
    """How many orders that were made from *since* on, up to *until* if that is given, are known."""
    query = select(func.count()).where(table.c.shop_id == shop_id, table.c.ordered_at >= since)
    if until is not None:
        query = query.where(table.c.ordered_at <= until)
    return int(await tx.scalar(query) or 0)


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order and when it was made."""

    number: str
    ordered_at: datetime


async def newest_before(
    tx: AsyncConnection, shop_id: ShopId, before: KnownOrder | None, *, since: datetime | None, most: int
) -> list[KnownOrder]:
    """The *most* newest orders that are older than *before*, made from *since* on; newest first."""
    query = select(table.c.number, table.c.ordered_at).where(table.c.shop_id == shop_id)
    if since is not None:
        query = query.where(table.c.ordered_at >= since)
    if before is not None:
        place = tuple_(literal(before.ordered_at), literal(before.number))
        query = query.where(tuple_(table.c.ordered_at, table.c.number) < place)
    query = query.order_by(table.c.ordered_at.desc(), table.c.number.desc()).limit(most)
    return [KnownOrder(row.number, row.ordered_at) for row in await tx.execute(query)]


async def unseen_orders(
    tx: AsyncConnection, shop_id: ShopId, *, made_since: datetime, read_before: datetime
) -> list[str]:
    """Orders that were made from *made_since* on and were last read before *read_before*."""
    query = select(table.c.number).where(
        table.c.shop_id == shop_id, table.c.ordered_at >= made_since, table.c.read_at < read_before
    )
    return list(await tx.scalars(query))


async def read_from(tx: AsyncConnection, shop_id: ShopId, since: datetime) -> set[str]:
    """The known orders that were last read from *since* on."""
    query = select(table.c.number).where(table.c.shop_id == shop_id, table.c.read_at >= since)
    return set(await tx.scalars(query))


async def numbers_between(tx: AsyncConnection, shop_id: ShopId, since: datetime, until: datetime) -> list[str]:
    """The known orders that were made from *since* on and before *until*."""
    query = select(table.c.number).where(
        table.c.shop_id == shop_id, table.c.ordered_at >= since, table.c.ordered_at < until
    )
    return list(await tx.scalars(query.order_by(table.c.number)))


def made_after(shop_id: ShopId, since: datetime) -> Select[str]:
    """The numbers of the orders that were made after *since*."""
    return select(table.c.number).where(table.c.shop_id == shop_id, table.c.ordered_at > since)


def made_at(shop_id: ShopId, number: ColumnElement[str]) -> ScalarSelect[datetime]:
    """When the order with *number* of another query was made; null if it is not known."""
    query = select(table.c.ordered_at).where(table.c.shop_id == shop_id, table.c.number == number)
    return query.correlate_except(table).scalar_subquery()


def known_of(shop_id: ShopId, *, since: datetime | None, until: datetime | None) -> Subquery:
    """The known orders that were made from *since* on and before *until*: number, ordered_at, kept_back."""
    query = select(table.c.number, table.c.ordered_at, table.c.kept_back).where(table.c.shop_id == shop_id)
    if since is not None:
        query = query.where(table.c.ordered_at >= since)
    if until is not None:
        query = query.where(table.c.ordered_at < until)
    return query.subquery("known")


@dataclass(frozen=True, slots=True)
class RuledOrder:
    """What the rules look at of an order that was read, as it was then."""

    number: str
    created_at: datetime
    origin: str
    status_id: int | None
    kept_back: Mapping[str, str]
    in_statistics: bool = True


async def ruled_since(tx: AsyncConnection, shop_id: ShopId, since: datetime) -> list[RuledOrder]:
    """The known orders that were made from *since* on, the newest first. Whether one counts in the statistics is
    not kept."""
    status = table.c.outline["status_id"].as_integer().label("status_id")
    origin = table.c.outline["origin"].astext.label("origin")
    query = (
        select(table.c.number, table.c.ordered_at, origin, status, table.c.kept_back)
        .where(table.c.shop_id == shop_id, table.c.ordered_at >= since, table.c.outline.is_not(None))
        .order_by(table.c.ordered_at.desc(), table.c.number)
    )
    return [RuledOrder(*row) for row in await tx.execute(query)]


async def kept_of(
    tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]
) -> dict[str, tuple[OrderOutline | None, Mapping[str, str]]]:
    """What is kept of these orders: the outline, and the verdict of the rules for each system."""
    query = select(table.c.number, table.c.outline, table.c.kept_back).where(
        table.c.shop_id == shop_id, one_of(table.c.number, numbers)
    )
    return {
        row.number: (None if row.outline is None else OrderOutline.model_validate(row.outline), row.kept_back)
        for row in await tx.execute(query)
    }


def numbers_beginning(shop_id: ShopId, words: str, *, most: int) -> Select[str]:
    """Known orders whose number begins with *words*."""
    return beginning(table.c.number, words, table.c.shop_id == shop_id, most=most, indexed=True)
