"""Creating once: if an answer is lost, late or its caller killed, the thing is there exactly once."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.core.errors import Closed, Failed, NotSent, Rejected, RemoteError, Throttled, Unreachable
from upbridge.domain.delivery import Attempt
from upbridge.systems.http.idempotent_create import STILL_AT_WORK, Adoption, IdempotentCreate, InDoubt


class Killed(BaseException):
    """The process died."""


@dataclass
class Remote:
    """A system that creates on every POST, and can lose its answer or carry the request out late."""

    now: datetime = NOON
    things: list[int] = field(default_factory=list)
    saved: Attempt | None = None
    history: list[Attempt | None] = field(default_factory=list)
    answers: list[BaseException | None] = field(default_factory=list)
    """What each POST raises instead of answering; None: it answers."""
    carries_out: bool = True
    """Whether a POST whose answer is lost was carried out."""
    late: list[datetime] = field(default_factory=list)
    looks: int = 0

    def clock(self) -> datetime:
        return self.now

    async def find(self) -> int | None:
        self.looks += 1
        for moment in [moment for moment in self.late if moment <= self.now]:
            self.late.remove(moment)
            self.things.append(1)
        return self.things[0] if self.things else None

    async def save(self, attempt: Attempt | None) -> None:
        self.saved = attempt
        self.history.append(attempt)

    async def post(self) -> int | None:
        assert self.saved is not None, "the attempt is saved before the request"
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            if self.carries_out and not isinstance(error, Rejected | NotSent):
                self.things.append(1)
            raise error
        self.things.append(1)
        return 1

    @property
    def creation(self) -> IdempotentCreate[int]:
        return IdempotentCreate(self.find, self.save, self.clock)

    async def once(self) -> int | InDoubt:
        former = await self.creation.look(self.saved)
        return await self.creation.create(Attempt(self.now), self.post) if former is None else former


async def test_without_an_attempt_nothing_is_asked() -> None:
    system = Remote()

    assert await system.creation.look(None) is None
    assert system.looks == 0


async def test_an_answer_that_was_lost_is_looked_into_at_once() -> None:
    system = Remote(answers=[Unreachable("lost")])

    assert await system.once() == 1
    assert len(system.things) == 1


@pytest.mark.parametrize(
    "error", [Rejected("no", status=422), NotSent("down"), Throttled("later", until=NOON)], ids=type
)
async def test_what_was_not_taken_leaves_no_doubt(error: RemoteError) -> None:
    system = Remote(answers=[error], carries_out=False)

    with pytest.raises(type(error)):
        await system.once()

    assert system.saved is None
    assert system.looks == 0


async def test_an_application_that_failed_has_ended_with_it() -> None:
    system = Remote(answers=[Failed("500")], carries_out=False)

    doubt = await system.once()

    assert isinstance(doubt, InDoubt)
    assert doubt.failed
    assert system.saved is None


@pytest.mark.parametrize("error", [Unreachable("lost"), Closed("503", until=NOON)], ids=type)
async def test_what_is_not_to_be_seen_may_still_be_under_way(error: RemoteError) -> None:
    system = Remote(answers=[error], carries_out=False)

    first = await system.once()
    again = await system.once()

    assert isinstance(first, InDoubt)
    assert isinstance(again, InDoubt)
    assert first.until == again.until == NOON + STILL_AT_WORK
    assert system.things == []


async def test_what_nothing_can_be_at_work_on_any_more_is_created_again() -> None:
    system = Remote(answers=[Unreachable("lost")], carries_out=False)
    await system.once()
    system.now += STILL_AT_WORK

    assert await system.once() == 1
    assert len(system.things) == 1


async def test_an_answer_that_shows_nothing_is_looked_into() -> None:
    system = Remote()

    async def silent() -> None:
        await system.post()

    assert await system.creation.create(Attempt(NOON), silent) == 1


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.1, 0.3, 0.6]))
async def test_in_every_case_it_is_there_exactly_once(seed: int, share: float) -> None:
    chance = random.Random(seed)
    system = Chaotic(chance, share)

    for turn in range(200):
        system.share = share if turn < 100 else 0
        try:
            done = await system.once()
        except (Killed, RemoteError):
            done = None
        if done == 1:
            break
        system.now += timedelta(seconds=20)

    system.share = 0
    system.now += STILL_AT_WORK
    await system.find()
    assert len(system.things) == 1


class Chaotic(Remote):
    """A system, a network and a process that fail wherever they can."""

    def __init__(self, chance: random.Random, share: float) -> None:
        super().__init__()
        self.chance, self.share = chance, share

    def _strikes(self) -> bool:
        return self.chance.random() < self.share

    async def find(self) -> int | None:
        if self._strikes():
            raise Unreachable("lost")
        return await super().find()

    async def save(self, attempt: Attempt | None) -> None:
        if self._strikes():
            raise Killed
        await super().save(attempt)
        if self._strikes():
            raise Killed

    async def post(self) -> int | None:
        if not self._strikes():
            return await super().post()
        match self.chance.randrange(6):
            case 0:
                raise Throttled("later", until=self.now)
            case 1:
                raise NotSent("down")
            case 2:
                raise Failed("500")
            case 3:
                self.late.append(self.now + timedelta(seconds=self.chance.randrange(175)))
                raise Unreachable("carried out when nobody waits for it any more")
            case 4:
                raise Closed("503", until=self.now)
            case _:
                self.things.append(1)
                raise Killed


# --- adoption -----------------------------------------------------------------------------------------------


@dataclass
class Shelf:
    """A system with numbered things, some of them ours, and what we remember of it."""

    things: dict[int, str]
    mark: int = 0
    known: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    dies: bool = False

    async def marked(self) -> int:
        return self.mark

    async def above(self, mark: int) -> tuple[int, dict[str, int]]:
        self.looks += 1
        newer = {number: name for number, name in self.things.items() if number > mark}
        return max(newer, default=mark), {name: number for number, name in newer.items() if name[:3] == "our"}

    async def adopt(self, ours: Mapping[str, int], up_to: int) -> None:
        self.known.update(ours)
        if self.dies:
            raise Killed
        self.mark = up_to

    def adoption(self) -> Adoption[int]:
        return Adoption(self.marked, self.above, self.adopt)


async def test_what_is_ours_above_the_mark_is_found_with_one_look() -> None:
    shelf = Shelf({1: "our a", 2: "our b", 3: "theirs", 4: "our c"}, mark=1)
    adoption = shelf.adoption()

    assert [await adoption.find(name) for name in ("our b", "our c", "our d", "our a")] == [2, 4, None, None]
    assert (shelf.looks, shelf.mark, adoption.reached) == (1, 4, 4)


async def test_the_mark_never_passes_what_is_not_remembered() -> None:
    shelf = Shelf({1: "our a"}, dies=True)
    with pytest.raises(Killed):
        await shelf.adoption().find("our a")
    assert shelf.mark == 0

    shelf.dies = False
    assert await shelf.adoption().find("our a") == 1
