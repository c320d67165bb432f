"""SKUs and connections of Uphance with sane defaults; keyword arguments override."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shop_settings import make_settings
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.sku import Sku
from upbridge.store.skus import replace_skus
from upbridge.systems.base import Connection, MappingContext
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.sku_copy import read_skus

FACTS: Mapping[str, Any] = {
    "organisation": {"id": 5, "name": "Hemline Ltd"},
    "channels": [{"id": 3, "name": "Web CZ", "currency": "CZK"}, {"id": 4, "name": "Web EU", "currency": "EUR"}],
    "seasons": [{"id": 9, "name": "AW26"}],
}
SHOP_FACTS = ShopProfile(
    status_types={1: "Received", 2: "PaymentSuccessful", 3: "Canceled", 4: "Sent", 5: "Unresolved"},
)


def sku(number: int, code: str | None = None, **overrides: Any) -> Sku:
    values: dict[str, Any] = {
        "sku_id": number,
        "product_id": 100,
        "variation_id": 200,
        "season_id": 9,
        "sku_number": code,
        "ean": None,
        **overrides,
    }
    return Sku(**values)


async def refresh_skus(engine: AsyncEngine, shop_id: ShopId, client: UphanceClient) -> bool:
    """Read all products and let their SKUs be the shop's."""
    found = await read_skus(client)
    async with engine.begin() as tx:
        return await replace_skus(tx, shop_id, found)


BOOK = SkuBook([sku(number, f"A{number}") for number in range(1, 10)])


def uphance_connection(**overrides: Any) -> Connection:
    values: dict[str, Any] = {
        "shop_id": ShopId(UUID(int=1)),
        "shop_key": "shop",
        "system": "uphance",
        "account": "5",
        "prefix": "",
        "connected_at": datetime(2026, 11, 1, tzinfo=UTC),
        "facts": FACTS,
        **overrides,
    }
    return Connection(**values)


def mapping_context(shop_settings: Mapping[str, Any] | None = None, **overrides: Any) -> MappingContext:
    return MappingContext(
        settings=make_settings(shop_settings or {}),
        facts=SHOP_FACTS,
        connection=uphance_connection(**overrides),
        now=NOON,
    )
