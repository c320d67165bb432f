"""What no table takes is reported and holds up no neighbour, by key and in a list."""

import random
import string
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.upgates import raw_line
from upbridge.domain.sku import code_key
from upbridge.engine.runs import start_run
from upbridge.store.changes import Kind
from upbridge.store.runs import RunPurpose

#: Longer than a row of an index may be, however it is compressed.
LONG = "".join(random.Random(7).choices(string.ascii_letters, k=9_000))


def spoil(machine: Engine, what: dict[str, Any]) -> None:
    """Products 1 to 5 and orders A to C, of which product 3 and order B have a value that cannot be stored."""
    machine.upgates.sell(1, 2, 3, 4, 5)
    machine.upgates.order("A", "B", "C")
    machine.upgates.products[3] |= what
    machine.upgates.orders["B"] |= {"products": [raw_line(**{name: what[name] for name in what})]}


@pytest.mark.situation("field.unstorable")
async def test_by_key_its_neighbours_go_on_and_it_is_reported(machine: Engine) -> None:
    spoil(machine, {"code": LONG})
    await machine.mark(Kind.PRODUCT, "1", "2", "3", "4", "5")
    await machine.mark(Kind.ORDER, "A", "B", "C")

    await machine.drain()

    assert {one.key for one in machine.target.received} >= {"p-1", "p-2", "p-4", "p-5", "A", "C"}
    assert [(one.key, one.entity) for one in await machine.problems()] == [("product.unreadable", "3")]
    assert await machine.changes() == []
    machine.upgates.sell(3)
    await machine.mark(Kind.PRODUCT, "3")
    await machine.drain()
    assert "p-3" in machine.target.times()
    assert await machine.problems() == []


@pytest.mark.situation("field.unstorable")
async def test_in_a_list_the_run_ends_without_it(machine: Engine) -> None:
    spoil(machine, {"code": LONG})
    async with machine.db.begin() as tx:
        await start_run(tx, machine.shop_id, "product", RunPurpose.IMPORT, since=None, now=machine.watch())

    await machine.drain()

    assert sorted(machine.target.times()) == ["p-1", "p-2", "p-4", "p-5"]
    assert [(one.key, one.entity) for one in await machine.problems()] == [("product.unreadable", "3")]
    assert await machine.value("SELECT state FROM runs WHERE shop_id = :shop_id") == "done"


def test_what_is_longer_than_any_code_names_nothing() -> None:
    assert code_key(LONG) is None


async def test_a_failure_of_the_database_itself_is_raised(machine: Engine) -> None:
    machine.upgates.sell(1)
    await machine.mark(Kind.PRODUCT, "1")
    await machine.run("ALTER TABLE variants RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="variants"):
            await machine.drain()
    finally:
        await machine.run("ALTER TABLE elsewhere RENAME TO variants")

    assert await machine.change_keys() == [("product", "1")]
