"""What a person does about several problems at once, and takes back."""

from collections.abc import AsyncIterator, Sequence

from tests.support.engine import Engine
from tests.support.simulated import Said, accept
from tests.support.upp import make_product, make_variant
from upbridge.domain.delivery import Document, Issue, Parked
from upbridge.operations.many_problems import ManyProblems
from upbridge.store.problem_queries import of_numbers


async def refuse(documents: Sequence[Document]) -> AsyncIterator[Said]:
    yield [(one, Parked(Issue("upp.rejected", {"said": "no"}))) for one in documents]


async def parked(machine: Engine) -> int:
    """A product that Upp refused; returns the number of its problem."""
    machine.target.script = refuse
    await machine.settle(make_product(make_variant(1)))
    await machine.push()
    machine.target.script = accept
    [problem] = await machine.problems()
    return problem.id


async def test_what_was_handled_and_taken_back_is_sent_after_all(machine: Engine) -> None:
    number, many = await parked(machine), ManyProblems(machine.service.problem_actions)
    machine.target.received.clear()
    [before] = await machine.problems()

    assert await many.handle(machine.shop_id, [number, number + 1]) == 1
    assert (await machine.problems(), await machine.documents()) == ([], {})
    assert await many.take_back(machine.shop_id, [number]) == 1

    [after] = await machine.problems()
    assert (after.id, after.since) == (number, before.since)
    assert await machine.change_keys() == [("product", "12")]
    await machine.settle(make_product(make_variant(1)))
    await machine.push()
    assert machine.target.times() == {"v-1": 1}
    assert await machine.problems() == []
    assert await many.take_back(machine.shop_id, [number]) == 0


async def test_a_retry_that_is_refused_again_leaves_since_when_it_lasts_and_says_when_it_was(
    machine: Engine,
) -> None:
    number, many = await parked(machine), ManyProblems(machine.service.problem_actions)
    [before] = await machine.problems()
    machine.target.script = refuse
    machine.watch.move(minutes=9)

    assert await many.retry(machine.shop_id, [number]) == 1
    await machine.push()

    async with machine.db.connect() as tx:
        [after] = await of_numbers(tx, machine.shop_id, [number])
    assert (after.problem.since, after.found_at) == (before.since, machine.watch())
