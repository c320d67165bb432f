"""What webhooks announce is not believed: it costs a shop few calls, and what is true in it is not lost."""

from datetime import timedelta

from tests.support.engine import Engine, MakeEngine
from upbridge.engine.early_net import APART
from upbridge.engine.invented import MOST
from upbridge.store.changes import Kind, Origin


async def settle(machine: Engine, *, hours: float = 0, step: timedelta = timedelta(minutes=1)) -> None:
    """Time passes and what is due is read and sent."""
    until = machine.watch() + timedelta(hours=hours)
    await machine.drain(200)
    while machine.watch() < until:
        machine.watch.move(seconds=step.total_seconds())
        await machine.drain(200)


async def waiting(machine: Engine) -> set[tuple[str, str]]:
    return set(await machine.change_keys())


# --- invented keys ------------------------------------------------------------------------------------------


async def test_invented_order_numbers_cost_the_shop_few_calls(machine: Engine) -> None:
    for part in range(4):
        await machine.mark(Kind.ORDER, *(f"X-{part}-{number}" for number in range(1_000)))
        await settle(machine)
    await settle(machine, hours=1, step=timedelta(minutes=10))

    looks = 5 * MOST / 100
    nets = 6 * timedelta(hours=1) / APART
    assert len(machine.upgates.requests) < 2 * looks + nets


async def test_a_genuine_order_among_invented_ones_arrives(machine: Engine) -> None:
    await machine.mark(Kind.ORDER, *(f"X-{number}" for number in range(1_000)))
    await settle(machine)
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1", *(f"Y-{number}" for number in range(1_000)))
    await settle(machine, hours=0.5)

    assert "A-1" in machine.target.times()


async def test_orders_that_are_known_are_read_at_once_meanwhile(machine: Engine) -> None:
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.mark(Kind.ORDER, *(f"X-{number}" for number in range(1_000)))
    await settle(machine)
    asked = len(machine.upgates.requests)

    await machine.mark(Kind.ORDER, "A-1")
    machine.watch.move(seconds=10)
    await machine.pull()

    numbers = [one.url.params.get("order_numbers", "") for one in machine.upgates.requests[asked:]]
    assert any("A-1" in part.split(";") for part in numbers)


async def test_products_that_never_were_are_looked_for_as_rarely(machine: Engine) -> None:
    for part in range(3):
        await machine.mark(Kind.PRODUCT, *(str(10_000 * (part + 1) + number) for number in range(1_000)))
        await settle(machine)

    assert len(machine.upgates.requests) < 5 * MOST / 100


async def test_a_bulk_edit_of_what_is_there_is_read_whole(machine: Engine) -> None:
    machine.upgates.sell(*range(1, 801))
    await machine.mark(Kind.PRODUCT, *map(str, range(1, 801)))
    await settle(machine)

    assert len(machine.target.times()) == 800
    assert await machine.value("SELECT count(*) FROM runs WHERE purpose = 'safety_net'") == 0


async def test_invented_deletions_of_variants_are_not_remembered(machine: Engine) -> None:
    await machine.mark(Kind.VARIANT, *map(str, range(5_000)), origin=Origin.DELETION)
    await settle(machine)

    assert await machine.value("SELECT count(*) FROM first_looks") == 0


# --- the safety net before its time -------------------------------------------------------------------------


async def test_what_is_over_the_quota_is_found_by_the_net(machine: Engine) -> None:
    machine.upgates.order("A-1")
    await machine.mark(Kind.EVERYTHING, "everything")
    await settle(machine)

    assert machine.target.times() == {"A-1": 1}
    assert await waiting(machine) == set()


async def test_nets_of_a_flooded_shop_keep_their_distance(machine: Engine) -> None:
    for _ in range(30):
        await machine.mark(Kind.EVERYTHING, "everything")
        machine.watch.move(minutes=2)
        await machine.drain(200)

    nets = await machine.value("SELECT count(*) FROM runs WHERE purpose = 'safety_net' AND kind = 'order'")
    assert 5 <= nets <= 7


async def test_a_net_that_is_under_way_is_not_taken_for_one_that_began_later(machine: Engine) -> None:
    machine.upgates.order(*(f"A-{number}" for number in range(250)))
    await machine.mark(Kind.EVERYTHING, "everything")
    await machine.pull()
    await machine.run("UPDATE runs SET state = 'running', finished_at = NULL WHERE kind = 'product'")
    machine.watch.move(minutes=30)
    await machine.mark(Kind.EVERYTHING, "everything")
    await settle(machine)

    assert ("everything", "everything") in await waiting(machine)


async def test_a_shop_without_targets_needs_no_net(make_engine: MakeEngine) -> None:
    machine = await make_engine(connected=False)
    await machine.mark(Kind.EVERYTHING, "everything")
    await machine.pull()

    assert await waiting(machine) == set()
    assert await machine.value("SELECT count(*) FROM runs") == 0
