"""What one look at the shop took away, and when: kept until a later look agrees or shows it again."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Integer, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import first_looks as table
from upbridge.store.sql import Composed, among


class Taken(StrEnum):
    """What a look took away."""

    ORDER = "order"
    PRODUCT = "product"
    VARIANT = "variant"
    """It is missing from its product."""
    STOCK = "stock"
    PRICE = "price"
    LIST = "list"
    """A row is missing from a list of the shop's facts."""


class LookedAt(NamedTuple):
    """What was taken away, and from what: an order's number, a product's id, a variant's
    key or a list's name."""

    kind: Taken
    key: str


@dataclass(frozen=True, slots=True)
class FirstLook:
    """When something was first seen to be missing. *told*: the shop had announced that it deletes it."""

    at: datetime
    told: bool


async def of_keys(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[LookedAt, FirstLook]:
    """The first looks at the things with these *keys*."""
    rows = await _OF_KEYS.all(tx, shop=shop_id, keys=list(keys))
    return {LookedAt(Taken(row.kind), row.key): FirstLook(row.looked_at, row.told) for row in rows}


_OF_KEYS = Composed(
    select(table.c.kind, table.c.key, table.c.looked_at, table.c.told).where(
        table.c.shop_id == bindparam("shop"), among(table.c.key, "keys")
    )
)


async def count_missing(tx: AsyncConnection, shop_id: ShopId, *, most: int) -> int:
    """How many orders and products of the shop are looked for and not there yet; at most *most* are counted."""
    row = await _COUNT_MISSING.first(tx, shop=shop_id, kinds=[Taken.ORDER, Taken.PRODUCT], most=most)
    assert row is not None, "it counts"
    return int(row.missing)


_MISSING = (
    select(table.c.key)
    .where(table.c.shop_id == bindparam("shop"), among(table.c.kind, "kinds"), table.c.told.is_(False))
    .limit(bindparam("most", type_=Integer))
    .subquery()
)
_COUNT_MISSING = Composed(select(func.count().label("missing")).select_from(_MISSING))


async def remember(
    tx: AsyncConnection, shop_id: ShopId, places: Collection[LookedAt], *, now: datetime, told: bool = False
) -> None:
    """Note a look at *now*; an older one stays the first. *told* stays true."""
    if not places:
        return
    fresh = insert(table)
    await tx.execute(
        fresh.on_conflict_do_update(
            constraint=table.primary_key,
            set_={"told": table.c.told | fresh.excluded.told},
        ),
        [
            {"shop_id": shop_id, "key": place.key, "kind": place.kind, "looked_at": now, "told": told}
            for place in sorted(places)
        ],
    )


async def forget(tx: AsyncConnection, shop_id: ShopId, places: Collection[LookedAt]) -> None:
    """Delete the first looks at *places*."""
    if places:
        pairs = [(place.kind, place.key) for place in places]
        await tx.execute(
            delete(table).where(table.c.shop_id == shop_id, tuple_(table.c.kind, table.c.key).in_(pairs))
        )
