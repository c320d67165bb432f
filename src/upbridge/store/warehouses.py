"""The warehouses in which a shop keeps its goods, as far as its products have named them.

Their names are kept among the cursors. The name of one that the shop has given up stays: then a person is asked
once too often, never too seldom.
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
