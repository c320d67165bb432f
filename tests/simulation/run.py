"""A plan carried out on a testbed, and what is different from its origin when everything has settled."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy.ext.asyncio import create_async_engine

from tests.conformance.snapshot import Snapshot
from tests.conformance.systems import upgates, uphance, upp
from tests.conformance.testbed import Checkpoint, Testbed, open_testbed
from tests.conformance.virtual import Killed
from tests.simulation.disturbances import DISTURBANCES, Begun, Post
from tests.simulation.lights import Unknowable, too_bright
from tests.simulation.people import ACTS
from tests.simulation.plan import Step, chance_of
from tests.support.postgres import emptied
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher
from upbridge.engine import lanes
from upbridge.store.database import sqlalchemy_url
from upbridge_sandbox.demo.compare import DOUBLED, UNWANTED, Finding, expected_problems
from upbridge_sandbox.demo.uphance_rules import Skus

SIDES = (upp.SIDE, upgates.SIDE, uphance.SIDE)
_SLICES = (0, 1, 2, 5, 40)
_ENGINE = "/upbridge/engine/"


@dataclass(slots=True)
class Days:
    """The days of one seed, under way."""

    testbed: Testbed
    seed: int
    address: str
    post: Post = field(default_factory=Post)
    backup: Snapshot | None = None
    story: list[str] = field(default_factory=list)
    begun: list[tuple[int, Begun]] = field(default_factory=list)
    bright: list[str] = field(default_factory=list)
    """Lights that said `ok` when they should not have."""
    unknowable: Unknowable = field(default_factory=Unknowable)

    async def live(self, plan: Sequence[Step]) -> None:
        """Carry out *plan*; afterwards every disturbance is over."""
        for number, step in enumerate(plan):
            chance = chance_of(self.seed, step)
            for last, disturbance in list(self.begun):
                if last < number:
                    self._end(last, disturbance)
            await self._step(step, number, chance)
            await self._survive(chance)
            await self._look_at_lights()
        for last, disturbance in list(self.begun):
            self._end(last, disturbance)
        self.testbed.start()

    def back_up(self) -> None:
        """Keep the database as it is now."""
        self.backup = Snapshot.of(self.address)

    def restore(self) -> None:
        """What has been written since the backup is lost, and the worker with it."""
        assert self.backup is not None
        self.backup.restore(self.address)
        self.testbed.start()
        self.testbed.put_back = True
        self.unknowable.everything = self.testbed.hours()
        self._tell("the database is restored")

    async def _step(self, step: Step, number: int, chance: Random) -> None:
        if step.name in ACTS:
            self._tell(ACTS[step.name](self.testbed, chance))
        else:
            disturbance = DISTURBANCES[step.name](self, chance)
            self.begun.append((number + disturbance.steps, disturbance))
            self._tell(disturbance.says)

    async def _look_at_lights(self) -> None:
        with self.testbed.reaper.looking_away():
            testbed, looked_at = self.testbed, (await self.testbed.shop()).reconciled_at
            hidden = [one for one in await findings(testbed) if not self.unknowable.hides(one, testbed, looked_at)]
            bright = await too_bright(testbed, hidden)
        self.bright += [one for one in bright if one not in self.bright]
        for one in bright:
            self._tell(f"  {one}")

    def _end(self, last: int, disturbance: Begun) -> None:
        self.begun.remove((last, disturbance))
        disturbance.end()

    async def _survive(self, chance: Random) -> None:
        """A while of work; if the worker dies in it, the next one starts a little later."""
        try:
            await self._work(chance)
        except Killed:
            self._tell(f"  the worker dies at: {self.testbed.reaper.seen[-1]}")
            self.testbed.start()
            self.testbed.hours.move(minutes=2)

    async def _work(self, chance: Random) -> None:
        testbed, post = self.testbed, self.post
        if post.lost:
            self.unknowable.lose(testbed.letters.waiting, testbed.hours())
            testbed.letters.waiting.clear()
        if not post.late:
            doubled, mixed = post.doubled, post.mixed

            def arriving(letters: list[tuple[str, str]]) -> list[tuple[str, str]]:
                come = letters * 2 if doubled else letters
                return chance.sample(come, len(come)) if mixed else come

            await testbed.deliver(arriving)
        await testbed.service.scheduler.run_once()
        for _ in range(chance.choice(_SLICES)):
            due = sorted(
                await lanes.due(
                    testbed.engine, testbed.service.systems, now=testbed.hours(), only=testbed.shop_id
                ),
                key=lambda lane: lane.name,
            )
            if not due:
                break
            await testbed.service.lane_worker.work_on(chance.choice(due))
        await testbed.nothing_unforeseen()
        testbed.hours.move(minutes=chance.choice((0, 0, 1, 5, 20, 90)))

    def _tell(self, line: str) -> None:
        self.story.append(f"{self.testbed.hours():%d. %H:%M:%S} {line}")


async def settled(testbed: Testbed) -> None:
    """A calm day, in which the safety nets run; and a second one for what takes two looks."""
    await testbed.settle()
    for _ in range(2):
        testbed.hours.move(hours=25)
        await testbed.settle()
        if not await findings(testbed):
            return


async def findings(testbed: Testbed) -> list[Finding]:
    """What is lost, doubled, different, unwanted or kept silent about, but what nothing tells after a restore."""
    found = [one for side in SIDES for verdict in await side.verdicts(testbed) for one in verdict.findings]
    if not testbed.put_back:
        return found
    linked = {row.key for row in await testbed.rows("SELECT key FROM links WHERE target = 'upp'")}
    return [one for one in found if not _untold(one, linked)]


def _untold(one: Finding, linked: set[str]) -> bool:
    """Whether *one* is at Upp.ai since before a restore, and nothing is left that says so: an order under its
    former number, too, or a product that was deleted before the restored database had read it."""
    if one.flow == "orders → Upp.ai":
        return one.kind == DOUBLED
    return one.flow == "products → Upp.ai" and one.kind == UNWANTED and one.entity not in linked


async def kept_silent(testbed: Testbed) -> list[str]:
    """What is not as it should be, while no problem on the merchant's list names it."""
    told = await testbed.told()
    return [
        f"silent: {line_of(one)}"
        for one in await findings(testbed)
        if one.kind != UNWANTED and not told.about({one.entity, f"UPG-demo-{one.entity}"})
    ]


async def differences(testbed: Testbed) -> list[str]:
    """What is different when a person has retried everything; problems that nothing explains; broken rules."""
    company, told = testbed.organisation, await testbed.told()
    skus = Skus(list(company.products.values()), company.channels)
    strange = told.others(expected_problems(testbed.goods(), skus, "demo") | {"stock.no_code"})
    return [
        *map(line_of, await findings(testbed)),
        *(f"a problem for no reason: {one['entity']} {one['message']}" for one in strange),
        *(f"rule broken: {one.rule} {one.request} {one.detail}" for one in testbed.world.call_log.violations),
    ]


def line_of(finding: Finding) -> str:
    """A finding as a failure shows it."""
    return f"{finding.flow}: {finding.kind} {finding.entity} {finding.detail}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    plan: Sequence[Step]
    story: Sequence[str]
    wrong: Sequence[str]
    trace: Sequence[str] = ()
    """Every call, in their order."""


async def morning(address: str, *, seed: int = 1) -> Checkpoint:
    """A shop that is connected to everything, whose first imports are done."""
    engine = create_async_engine(sqlalchemy_url(emptied(address)))
    try:
        async with open_testbed(engine, Cipher([KEY]), products=6, orders=4, seed=seed) as testbed:
            await upp.SIDE.connect(testbed)
            await upgates.SIDE.connect(testbed)  # and Uphance with it
            await testbed.settle()
            testbed.hours.move(minutes=20)
            await testbed.settle()
            return Checkpoint.of(testbed, address)
    finally:
        await engine.dispose()


async def outcome_of(begin: Checkpoint, address: str, seed: int, plan: Sequence[Step]) -> Outcome:
    """Live through *plan* from *begin* on; the database at *address* is emptied before."""
    engine = create_async_engine(sqlalchemy_url(emptied(address)), pool_size=10)
    try:
        with one_after_another():
            async with begin.again(engine, Cipher([KEY]), address) as testbed:
                days = Days(testbed, seed, address)
                wrong: list[str] = []
                try:
                    await days.live(plan)
                    wrong += days.bright
                    await settled(testbed)
                    wrong += await kept_silent(testbed)
                    if await testbed.retry_everything():
                        await testbed.settle()
                    wrong += await differences(testbed)
                except Exception as error:  # noqa: BLE001 - shown with the seed, like any other difference
                    wrong.append(f"{type(error).__name__}: {error}")
                trace = [
                    f"{one.at:%d. %H:%M:%S.%f} {one.operation} {one.status} {one.items}"
                    for one in testbed.world.call_log.calls
                ]
                testbed.world.call_log.violations.clear()  # the outcome has them
                return Outcome(seed, plan, days.story, wrong, trace)
    finally:
        await engine.dispose()


@contextmanager
def one_after_another() -> Iterator[None]:
    """What the engine starts side by side runs one after another: else the database decided who is first, and no
    run could be repeated."""
    loop, turn = asyncio.get_running_loop(), asyncio.Lock()

    async def in_turn(work: Coroutine[Any, Any, Any]) -> Any:
        async with turn:
            return await work

    def task(where: asyncio.AbstractEventLoop, work: Any, **more: Any) -> "asyncio.Future[Any]":
        code = getattr(work, "cr_code", None)
        ours = code is not None and _ENGINE in code.co_filename
        return asyncio.Task(in_turn(work) if ours else work, loop=where, **more)

    before = loop.get_task_factory()
    loop.set_task_factory(task)
    try:
        yield
    finally:
        loop.set_task_factory(before)
