"""Statements that are composed once and go straight to the driver."""

from decimal import DivisionByZero

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.support.shops import MakeShop
from upbridge.store import cursors
from upbridge.store.session import reading
from upbridge.store.sql import Composed, in_one_commit, in_one_trip

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


async def test_what_is_committed_in_one_trip_is_there_for_others(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()

    async with reading(engine) as session:
        async with in_one_commit(session):
            await cursors.put(session, shop_id, "upp", "name", "value")
            await cursors.put(session, shop_id, "upp", "other", "value")

        async with reading(engine) as another:
            found = await cursors.named(another, [shop_id], "upp", ["name", "other"])
    assert found == {(shop_id, "name"): "value", (shop_id, "other"): "value"}


@pytest.mark.parametrize("dies", ["in Postgres", "on its way"])
async def test_nothing_of_a_commit_in_one_trip_stays_if_the_block_fails(
    engine: AsyncEngine, make_shop: MakeShop, dies: str
) -> None:
    shop_id = await make_shop()

    async def fail(session: AsyncConnection) -> None:
        async with in_one_commit(session):
            await cursors.put(session, shop_id, "upp", "name", "value")
            await _DIVIDE.run(session, number=0 if dies == "in Postgres" else 4)
            if dies == "on its way":
                raise DivisionByZero
            await cursors.put(session, shop_id, "upp", "other", "value")

    async with reading(engine) as session:
        with pytest.raises(DataError if dies == "in Postgres" else DivisionByZero):
            await fail(session)
        assert await cursors.named(session, [shop_id], "upp", ["name", "other"]) == {}
        async with in_one_commit(session):
            await cursors.put(session, shop_id, "upp", "name", "again")

    async with reading(engine) as another:
        assert await cursors.get(another, shop_id, "upp", "name") == "again"


async def test_a_session_that_ends_in_a_commit_is_not_used_again(engine: AsyncEngine) -> None:
    async with engine.connect() as session:
        with pytest.raises(OperationalError):
            async with in_one_commit(session):
                await Composed(text("SELECT pg_terminate_backend(pg_backend_pid())")).run(session)
        assert session.invalidated


async def test_a_session_that_has_ended_is_not_used_again(engine: AsyncEngine) -> None:
    async with engine.connect() as tx:
        with pytest.raises(OperationalError):
            await Composed(text("SELECT pg_terminate_backend(pg_backend_pid())")).run(tx)
        assert tx.invalidated


async def test_no_other_session_takes_the_place_of_one_that_has_ended(engine: AsyncEngine) -> None:
    """It would not hold what that one held: a lane, for instance."""
    async with reading(engine) as tx:
        with pytest.raises(OperationalError):
            await Composed(text("SELECT pg_terminate_backend(pg_backend_pid())")).run(tx)

        with pytest.raises(OperationalError, match="has ended"):
            await _DIVIDE.all(tx, number=4)
        for together in (in_one_trip, in_one_commit):
            with pytest.raises(OperationalError, match="has ended"):
                async with together(tx):
                    await _DIVIDE.run(tx, number=4)
        assert tx.invalidated
