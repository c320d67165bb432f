"""What a system declares so that a person can look at a change before it happens."""

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.proposed import Proposed
from upbridge.domain.shop_id import ShopId


class ShowHeld(Protocol):
    """What documents that a guard holds would change."""

    async def __call__(self, tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, bytes]) -> list[Proposed]:
        """A change for each of *bodies*, which are by key and stay in their order."""
