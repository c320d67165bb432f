"""What a person does about a problem: try again, or say that it was handled by hand."""

from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from sqlalchemy import text

from tests.support.engine import Engine
from tests.support.simulated import Said, accept
from tests.support.upp import make_product, make_variant
from upbridge.core.deadline import with_deadline
from upbridge.core.errors import NotFound
from upbridge.domain.delivery import Document, Issue, Parked
from upbridge.domain.lane import Lane
from upbridge.store.problems import NewProblem, Stage, describe, raise_problems

Problem = Callable[..., NewProblem]


async def parked(machine: Engine) -> int:
    """A product that Upp refused; returns the number of its problem."""

    async def refuse(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(one, Parked(Issue("upp.rejected", {"said": "no"}))) for one in documents]

    machine.target.script = refuse
    await machine.settle(make_product(make_variant(1)))
    await machine.push()
    machine.target.script = accept
    [problem] = await machine.problems()
    return problem.id


async def test_what_was_parked_is_sent_again(machine: Engine) -> None:
    number = await parked(machine)

    said = await machine.service.problem_actions.retry(number)

    assert "v-1 will be sent to upp again" in said
    assert machine.woken.lanes[-1] == Lane.push(machine.shop_id, "upp")
    machine.watch.move(seconds=5)
    await machine.push()
    assert await machine.problems() == []


async def test_what_could_not_be_mapped_is_read_again(machine: Engine, problem: Problem) -> None:
    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [problem(parent="12")], now=machine.watch())
    [found] = await machine.problems()

    assert "12 will be read again" in await machine.service.problem_actions.retry(found.id)

    assert await machine.change_keys() == [("product", "12")]


async def test_what_no_table_takes_stops_no_problem(machine: Engine, problem: Problem) -> None:
    odd = problem(entity="X\0\ud800", parent="X\0\ud800", params={"said": ["a\0b", {"\0": "\udfff"}]})

    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [odd, problem(entity="12", parent="12")], now=machine.watch())

    assert sorted((one.entity, one.parent) for one in await machine.problems()) == [("12", "12"), ("X?", "X?")]


async def test_what_cannot_be_tried_again_says_so(machine: Engine, problem: Problem) -> None:
    new = problem(stage=Stage.PUSH, kind="connection", key="connection.refused", entity="upp", parent="upp")
    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [new], now=machine.watch())
    [found] = await machine.problems()

    assert "cure the cause" in await machine.service.problem_actions.retry(found.id)
    assert len(await machine.problems()) == 1


async def test_what_was_handled_by_hand_is_not_sent_until_it_changes(machine: Engine) -> None:
    number = await parked(machine)
    machine.target.received.clear()

    await machine.service.problem_actions.dismiss(number)

    assert (await machine.problems(), await machine.documents()) == ([], {})
    assert await machine.settle(make_product(make_variant(1))) == set()
    await machine.push()
    assert machine.target.received == []
    assert await machine.settle(make_product(make_variant(1, code="new"))) == {"12"}
    await machine.push()
    assert machine.target.times() == {"v-1": 1}


async def test_who_dismisses_a_product_that_was_delivered_before_keeps_its_name_at_the_target(
    machine: Engine,
) -> None:
    await machine.settle(make_product(make_variant(1, code="old")))
    await machine.push()
    number = await parked(machine)

    await machine.service.problem_actions.dismiss(number)

    [link] = (await machine.links()).values()
    assert (link["remote_id"], link["state"]) == ("v-1", "delivered")


async def test_a_problem_is_not_closed_without_what_it_parked(machine: Engine) -> None:
    number = await parked(machine)
    async with machine.db.begin() as other:
        await other.execute(text("SELECT FROM problems FOR UPDATE"))
        with pytest.raises(TimeoutError):
            await with_deadline(0.2, machine.service.problem_actions.dismiss(number))

    assert [one.id for one in await machine.problems()] == [number]
    assert {one["state"] for one in (await machine.documents()).values()} == {"parked"}


async def test_a_remark_is_closed_by_hand_and_by_nothing_else(machine: Engine, problem: Problem) -> None:
    await machine.settle(make_product(make_variant(1)))
    await machine.push()
    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [problem(stage=Stage.REMARK)], now=machine.watch())
    [found] = await machine.problems()

    assert "nothing can be tried again" in await machine.service.problem_actions.retry(found.id)
    assert (await machine.change_keys(), await machine.documents()) == ([], {})
    assert len(await machine.problems()) == 1
    await machine.service.problem_actions.dismiss(found.id)

    assert await machine.problems() == []
    assert [link["state"] for link in (await machine.links()).values()] == ["delivered"]


async def test_a_problem_that_is_not_there_cannot_be_resolved(machine: Engine) -> None:
    number = await parked(machine)
    await machine.service.problem_actions.dismiss(number)

    for action in (machine.service.problem_actions.retry, machine.service.problem_actions.dismiss):
        with pytest.raises(NotFound):
            await action(number)


def test_a_problem_in_words_is_short_and_plain() -> None:
    assert describe("uphance.sku_unknown", {"sku": "X-1", "lines": [1, 2]}) == (
        "uphance: sku unknown (sku X-1, lines [1, 2])"
    )
    assert describe("product.no_price", {}) == "product: no price"
    assert len(describe("upp.rejected", {"said": "x" * 5000})) < 400
