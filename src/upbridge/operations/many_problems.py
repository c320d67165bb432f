"""What a person does about several problems at once: try again, say that they were handled, take that back."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.delivery import is_guard
from upbridge.domain.history import What
from upbridge.domain.lane import Lane
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.engine.unreadable import READ_AGAIN
from upbridge.operations.resolve_problem import ProblemActions
from upbridge.store import documents, history, links, problem_queries
from upbridge.store.changes import Origin, mark_changed
from upbridge.store.history import NewEntry
from upbridge.store.problem_queries import LIST, ListedProblem
from upbridge.store.problems import ALARMS, Stage, handled, taken_back
from upbridge.systems.base import Systems


def can_be_tried(systems: Systems, key: str, kind: str, stage: Stage) -> bool:
    """Whether something of such a problem can be sent or read again, or waits for a yes. Of the others only their
    resolution helps: to try them again would do nothing."""
    if systems.agreed_once(key):
        return True
    never = {*ALARMS, LIST, *(cause for system in systems.all for cause in system.not_retried)}
    if is_guard(key) or stage is Stage.REMARK or {key, kind} & never:
        return False
    return stage is Stage.PUSH or kind in READ_AGAIN


def can_be_handled(kind: str) -> bool:
    """Whether a person can close a problem of *kind*: what keeps a flow standing still is closed by its resolution
    alone."""
    return kind not in ALARMS


def _can_be_tried(systems: Systems, one: ListedProblem) -> bool:
    return can_be_tried(systems, one.problem.key, one.problem.kind, one.stage)


def _places(found: Iterable[ListedProblem]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The documents that stopped on their way out, by kind and key, target by target."""
    parked = sorted((one.target, one.problem.kind, one.problem.entity) for one in found if one.stage is Stage.PUSH)
    for target, theirs in groupby(parked, key=lambda place: place[0]):
        yield target, [(kind, key) for _, kind, key in theirs]


@dataclass(frozen=True, slots=True)
class ManyProblems:
    """Does what people decide about several problems of a shop, each decision in one transaction. What is not
    open, or not the shop's, is left alone."""

    one: ProblemActions

    async def retry(self, shop_id: ShopId, numbers: Collection[int]) -> int:
        """Send or read again what the open problems with these *numbers* are about; returns of how many something
        was sent or will be read. Guards are answered where their numbers are shown."""
        systems = self.one.systems
        async with self.one.engine.begin() as tx:
            found = await problem_queries.of_numbers(tx, shop_id, numbers)
            able = [one for one in found if _can_be_tried(systems, one)]
            questions = [one for one in able if systems.agreed_once(one.problem.key)]
            many = [one for one in able if one not in questions]
            sent = await self._send_again(tx, shop_id, many)
            read = await self._read_again(tx, shop_id, [one for one in many if one not in sent])
            await self._tell(tx, shop_id, What.RELEASED, [*sent, *read])
        for target in sorted({one.target for one in sent}):
            await self.one.wake(Lane.push(shop_id, target))
        for one in questions:
            await self.one.retry(one.problem.id)
        return len(sent) + len(read) + len(questions)

    async def handle(self, shop_id: ShopId, numbers: Collection[int]) -> int:
        """A person handled what the open problems with these *numbers* are about, as if each was dismissed;
        returns how many were closed. Guards are answered where their numbers are shown."""
        now = self.one.clock()
        async with self.one.engine.begin() as tx:
            found = await problem_queries.of_numbers(tx, shop_id, numbers)
            many = [one for one in found if can_be_handled(one.problem.kind) and not is_guard(one.problem.key)]
            # Rows are locked in the order of the workers that deliver: documents, then problems.
            for target, places in _places(many):
                await documents.mark_handled(tx, shop_id, target, places, now=now)
            gone = await handled(tx, shop_id, [one.problem.id for one in many], now=now)
            await self._tell(tx, shop_id, What.HANDLED, [one for one in many if one.problem.id in gone])
        return len(gone)

    async def take_back(self, shop_id: ShopId, numbers: Collection[int]) -> int:
        """What a person had said to have handled is a problem again, and is sent or read again where that can be;
        returns how many."""
        async with self.one.engine.begin() as tx:
            found = await problem_queries.of_numbers(tx, shop_id, numbers, handled=True)
            for target, places in _places(found):
                await links.take_back(tx, shop_id, target, places, now=self.one.clock())
            back = await taken_back(tx, shop_id, [one.problem.id for one in found])
            done = [one for one in found if one.problem.id in back]
            await self._read_again(tx, shop_id, [one for one in done if _can_be_tried(self.one.systems, one)])
            if any(one.target == PLATFORM and one.stage is Stage.PUSH for one in done):
                await self._compare_again(tx, shop_id)
            await self._tell(tx, shop_id, What.TAKEN_BACK, done)
        return len(done)

    async def _send_again(
        self, tx: AsyncConnection, shop_id: ShopId, found: Sequence[ListedProblem]
    ) -> Sequence[ListedProblem]:
        """Release what is parked of *found*; returns those of which something was."""
        released = {
            (target, *place)
            for target, places in _places(found)
            for place in await documents.release_some(tx, shop_id, target, places, now=self.one.clock())
        }
        return [one for one in found if (one.target, one.problem.kind, one.problem.entity) in released]

    async def _read_again(
        self, tx: AsyncConnection, shop_id: ShopId, found: Sequence[ListedProblem]
    ) -> Sequence[ListedProblem]:
        """Ask for orders and products of *found* again; returns those that are asked for."""
        read = [one for one in found if one.problem.kind in READ_AGAIN]
        for kind in sorted({one.problem.kind for one in read}):
            parents = [one.parent for one in read if one.problem.kind == kind]
            await mark_changed(
                tx, shop_id, PLATFORM, READ_AGAIN[kind], parents, origin=Origin.SETTINGS, now=self.one.clock()
            )
        return read

    async def _compare_again(self, tx: AsyncConnection, shop_id: ShopId) -> None:
        """Let what flows back to the shop be compared with it anew."""
        shop = await self.one.shops.get(shop_id)
        for write_back in self.one.systems.write_backs.values():
            await write_back.settings_changed(tx, shop_id, shop.settings, shop.settings, now=self.one.clock())

    async def _tell(self, tx: AsyncConnection, shop_id: ShopId, what: What, done: Sequence[ListedProblem]) -> None:
        """Write into the shop's history what was decided: a line for each cause, with the record, or how many."""

        def cause(one: ListedProblem) -> tuple[str, str, str]:
            return (one.problem.key, one.target, one.problem.kind)

        entries = []
        for (key, target, kind), theirs in groupby(sorted(done, key=cause), key=cause):
            about = [one.problem.entity for one in theirs]
            which = {"entity": about[0]} if len(about) == 1 else {"count": len(about)}
            entries.append(NewEntry(what, key, details={"kind": kind, "target": target, **which}))
        await history.record(tx, shop_id, self.one.way, entries, now=self.one.clock())
