"""What is asked about the problems of many shops at once: beside `store/problems.py`, which alone writes them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Uuid, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store.schema import problems as table


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
