"""A testbed per test; the tests of this package share one database."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conformance.testbed import Testbed, open_testbed
from upbridge.core.encryption import Cipher


@pytest.fixture
async def testbed(engine: AsyncEngine, cipher: Cipher) -> AsyncIterator[Testbed]:
    """An activated shop that is connected to nothing yet."""
    async with open_testbed(engine, cipher) as made:
        yield made
