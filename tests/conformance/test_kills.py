"""Two hundred processes that die at a random instant, each followed by others on the same database.

    checkpoint ─► a scene of the day ──kill──► next process ──perhaps another kill──► next process ─► all right?

Creating an order in Uphance is not idempotent, so this is where one could be doubled or lost. All systems are
connected, and each of them is as strict as its rules. A run without kills finds the instants of a scene; the seed
chooses scene and instant, half of the time next to a write, and how soon the next process dies. To
replay one: `pytest tests/conformance/test_kills.py -k "seed17-"`; what it was is printed with the failure.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.conformance.systems import upgates, uphance, upp
from tests.conformance.testbed import Checkpoint, Testbed, open_testbed, rng
from tests.conformance.virtual import Killed
from tests.support.postgres import emptied
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher
from upbridge.store.database import sqlalchemy_url

RUNS = 200
SIDES = (upp.SIDE, upgates.SIDE, uphance.SIDE)
Act = Callable[[Testbed], None]


def nothing(testbed: Testbed) -> None:
    """The first import: everything has been connected, nothing has been read."""


def shoppers(testbed: Testbed) -> None:
    """Orders come in; others are paid, changed, canceled."""
    for _ in range(2):
        testbed.edits.create_order(testbed.origin)
    testbed.edits.many(testbed.origin, 5, 1)


def staff(testbed: Testbed) -> None:
    """What was ordered is packed and shipped, and goods are counted."""
    upgates.SIDE.happen(testbed, 1)


@dataclass(frozen=True, slots=True)
class Scene:
    """A part of the day: where it begins, what happens, and every instant of it."""

    name: str
    begin: Checkpoint
    act: Act
    instants: Sequence[str]


async def go_on(testbed: Testbed, chance: Random | None = None) -> None:
    """Until nothing waits any more, not even for Uphance to be asked again. Raises `Killed`."""
    await testbed.settle(chance.shuffle if chance is not None else lambda _: None)
    testbed.hours.move(minutes=20)
    await testbed.settle()


@pytest.fixture(scope="module")
def scenes(shared_url: str) -> list[Scene]:
    """A day without kills."""

    async def learn() -> list[Scene]:
        engine = create_async_engine(sqlalchemy_url(emptied(shared_url)))
        learned: list[Scene] = []
        try:
            async with open_testbed(engine, Cipher([KEY]), products=5, orders=3) as testbed:
                await upp.SIDE.connect(testbed)
                await upgates.SIDE.connect(testbed)  # and Uphance with it
                for act in (nothing, shoppers, staff):
                    begin = Checkpoint.of(testbed, shared_url)
                    testbed.start()
                    act(testbed)
                    await go_on(testbed)
                    learned.append(Scene(act.__name__, begin, act, testbed.reaper.seen))
                    await right(testbed)
        finally:
            await engine.dispose()
        return learned

    return asyncio.run(learn())


@pytest.mark.filterwarnings("ignore:Exception ignored in. <function ServerCursorMixin")  # the dead close nothing
@pytest.mark.parametrize("seed", range(RUNS), ids=lambda seed: f"seed{seed}-")
async def test_whenever_it_dies_nothing_is_lost_and_nothing_doubled(
    scenes: list[Scene], engine: AsyncEngine, cipher: Cipher, database_url: str, seed: int
) -> None:
    chance = rng(seed)
    scene = scenes[seed % len(scenes)]
    place = chosen(scene.instants, chance)
    deaths = [f"scene {scene.name}"]
    async with scene.begin.again(engine, cipher, database_url) as testbed:
        testbed.reaper.kill_at(scene.instants[place], at_the_latest=place + 10)
        scene.act(testbed)
        with pytest.raises(Killed):
            await go_on(testbed)
        deaths.append(testbed.reaper.seen[-1])
        for _ in range(chance.randrange(3)):
            testbed.start()
            testbed.reaper.kill_after(chance.randrange(1, 120))
            try:
                await go_on(testbed, chance)
            except Killed:
                deaths.append(testbed.reaper.seen[-1])
        testbed.start()
        await go_on(testbed, chance)
        await right(testbed, deaths)


def chosen(instants: Sequence[str], chance: Random) -> int:
    """The place of an instant: any, or one that lies around a write to another system.

    The last fifth is left out: that is Uphance being asked once more, and finding nothing.
    """
    end = len(instants) * 4 // 5
    writes = [place for place, name in enumerate(instants[:end]) if name.startswith(("POST ", "PUT "))]
    if writes and chance.random() < 0.5:
        return min(chance.choice(writes) + chance.randrange(6), end)
    return chance.randrange(end)


async def right(testbed: Testbed, deaths: Sequence[str] = ()) -> None:
    """Every copy agrees with its origin, and no reference is there twice, after all *deaths*."""
    findings = [one for side in SIDES for verdict in await side.verdicts(testbed) for one in verdict.findings]
    assert findings == [], deaths
    orders = Counter(one["purchase_order_ref"] for one in testbed.organisation.orders.values())
    customers = Counter(one["reference"] for one in testbed.organisation.customers.values())
    assert set(orders.values()) == {1}, deaths
    assert set(customers.values()) == {1}, deaths
