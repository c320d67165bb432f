"""Stock that is written back, as a person looks at it before it is."""

import json
from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.proposed import Proposed
from upbridge.domain.shop_id import ShopId
from upbridge.store.variant_queries import shown_by_key


async def shown_changes(tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, bytes]) -> list[Proposed]:
    """The numbers of these documents, each beside the one that the shop shows now."""
    known = await shown_by_key(tx, shop_id, bodies)
    found = []
    for key, body in bodies.items():
        said, there = json.loads(body), known.get(key)
        title, old = (None, None) if there is None else (there.title, there.stock)
        found.append(Proposed(key, said["code"], title, old, Decimal(said["written"])))
    return found
