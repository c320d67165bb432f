"""Statements that are composed once and go straight to the driver."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.shops import MakeShop
from upbridge.store import cursors
from upbridge.store.sql import Composed, in_one_trip

_DIVIDE = Composed(text("SELECT CAST(12 / CAST(:number AS int) AS int) AS found"))


async def test_a_composed_statement_belongs_to_the_transaction_and_raises_as_all_others_do(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()

    async def fail() -> None:
        async with engine.begin() as tx:
            await cursors.put(tx, shop_id, "upp", "name", "value")
            assert [row.found for row in await _DIVIDE.all(tx, number=4)] == [3]
            await _DIVIDE.run(tx, number=0)

    with pytest.raises(DataError, match="division by zero"):
        await fail()

    async with engine.begin() as tx:
        assert await cursors.get(tx, shop_id, "upp", "name") is None


async def test_of_statements_that_are_sent_together_nothing_stays_if_one_fails(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()

    async def fail() -> None:
        async with engine.begin() as tx, in_one_trip(tx):
            await cursors.put(tx, shop_id, "upp", "name", "value")
            await _DIVIDE.run(tx, number=0)
            await cursors.put(tx, shop_id, "upp", "other", "value")

    with pytest.raises(DataError, match="division by zero"):
        await fail()

    async with engine.begin() as tx:
        async with in_one_trip(tx):
            await cursors.put(tx, shop_id, "upp", "third", "value")
        found = await cursors.named(tx, [shop_id], "upp", ["name", "other", "third"])
    assert found == {(shop_id, "third"): "value"}


async def test_a_session_that_has_ended_is_not_used_again(engine: AsyncEngine) -> None:
    async with engine.connect() as tx:
        with pytest.raises(OperationalError):
            await Composed(text("SELECT pg_terminate_backend(pg_backend_pid())")).run(tx)
        assert tx.invalidated
