"""What variants were called that the shop does not have any more."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Names
from upbridge.store import variants
from upbridge.store.schema import former_variants as table
from upbridge.store.sql import Composed, among


async def remember(tx: AsyncConnection, shop_id: ShopId, gone: dict[str, Names], *, now: datetime) -> None:
    """These variants, by key with their own code and EAN, have left the shop."""
    if not gone:
        return
    fresh = insert(table)
    await tx.execute(
        fresh.on_conflict_do_update(
            constraint=table.primary_key,
            set_={name: fresh.excluded[name] for name in ("code", "ean", "gone_at")},
        ),
        [
            {"shop_id": shop_id, "key": key, "code": code, "ean": ean, "gone_at": now}
            for key, (code, ean) in sorted(gone.items())
        ],
    )


async def names_of(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str]) -> dict[str, Names]:
    """The own code and EAN of these variants, by key: of those that left the shop in the last 90 days, what they
    were called then. Those that are not known are left out."""
    here = await variants.names_of(tx, shop_id, keys)
    missing = sorted(set(keys).difference(here))
    if not missing:
        return here
    rows = await _NAMES.all(tx, shop=shop_id, keys=missing)
    return {**here, **{row.key: (row.code, row.ean) for row in rows}}


_NAMES = Composed(
    select(table.c.key, table.c.code, table.c.ean).where(
        table.c.shop_id == bindparam("shop"), among(table.c.key, "keys")
    )
)
