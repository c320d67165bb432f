"""A stage per test; the tests of this package share one database."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conformance.stage import Stage, staged
from upbridge.core.encryption import Cipher


@pytest.fixture
async def stage(engine: AsyncEngine, cipher: Cipher) -> AsyncIterator[Stage]:
    """An activated shop that is connected to nothing yet."""
    async with staged(engine, cipher) as made:
        yield made
