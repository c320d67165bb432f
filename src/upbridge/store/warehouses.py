"""The warehouses in which a shop keeps its goods, as far as its products have named them.

Remembered by name among the cursors. One that the shop gives up stays: that errs on the side of asking.
"""

import json
from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors

_NAME = "warehouses"


async def known(tx: AsyncConnection, shop_id: ShopId, source: str) -> list[str]:
    """Their names, in order."""
    value = await cursors.get(tx, shop_id, source, _NAME)
    names: list[str] = json.loads(value) if value else []
    return names


async def remember(tx: AsyncConnection, shop_id: ShopId, source: str, names: Collection[str]) -> None:
    """Add *names* to them."""
    if not names:
        return
    before = await known(tx, shop_id, source)
    if fresh := set(names) - set(before):
        await cursors.put(tx, shop_id, source, _NAME, json.dumps(sorted({*before, *fresh})))
