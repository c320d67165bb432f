"""A shop in the database, and what its secrets are encrypted with."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.store import schema

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

MakeShop = Callable[..., Awaitable[ShopId]]


@pytest.fixture
def cipher() -> Cipher:
    """Seals with a key that only tests use."""
    return Cipher([KEY])


@pytest.fixture
def make_shop(engine: AsyncEngine, cipher: Cipher) -> MakeShop:
    """Insert a shop with sane defaults; keyword arguments override columns."""

    async def make(**overrides: Any) -> ShopId:
        number = uuid4()
        values = {
            "id": number,
            "key": f"shop-{number.hex[:8]}",
            "token": f"token-{number.hex}",
            "state": "active",
            "api_url": "https://shop.admin.s1.upgates.com/api/v2",
            "api_user": "12345678",
            "api_key": cipher.encrypt("api-key"),
            "installed_at": NOON,
            **overrides,
        }
        async with engine.begin() as tx:
            await tx.execute(insert(schema.shops).values(values))
        return ShopId(values["id"])

    return make
