"""Creating a thing in another system exactly once, although its API does not make creating idempotent.

    no attempt ──save the attempt──► attempt ──POST answered──► created
         ▲                             │  ▲
         │               no usable answer, or a crash
         │                             ▼  │
         └─not found, and no request── look for it there ──found──► created
           can be at work any more

The attempt is saved before the POST, so a process that dies at any instant leaves a trace. What it left is looked
for before the next POST.

What was saved can be lost: a database that was restored, or that took over from a lost one, is older than the
other system. So no memory is the only proof. `Adoption` looks at what is newest there before anything is created.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from upbridge.core.bounds import ANSWER
from upbridge.core.clock import Clock
from upbridge.core.errors import Closed, Failed, NotSent, Rejected, Throttled, Unreachable
from upbridge.domain.delivery import Attempt

T = TypeVar("T")

#: How long after its start a request without an answer may still be at work in the other system: until then, not
#: to find what it creates proves nothing. Longer than we wait for an answer, because giving up does not stop it.
STILL_AT_WORK = timedelta(minutes=3)
assert timedelta(seconds=ANSWER.seconds) < STILL_AT_WORK


@dataclass(frozen=True, slots=True)
class InDoubt:
    """No usable answer came, and the thing is not to be seen (yet): try again, from *until* on."""

    reason: str
    until: datetime | None = None
    failed: Failed | None = None
    """Their application failed on it, which can mean that it does not like what was sent."""


@dataclass(frozen=True, slots=True)
class IdempotentCreate(Generic[T]):
    """One thing that is to be created once.

    *find* looks for it in the other system and returns it, or None if it is not there. *save* remembers, durably,
    the attempt that is under way, or that none is.
    """

    find: Callable[[], Awaitable[T | None]]
    save: Callable[[Attempt | None], Awaitable[None]]
    clock: Clock

    async def look(self, attempt: Attempt | None) -> T | InDoubt | None:
        """What the former *attempt* has created; None if there was none, or if it certainly created nothing.

        Costs no call unless an attempt was under way.
        """
        if attempt is None:
            return None
        found = await self.find()
        if found is not None:
            return found
        until = attempt.started_at + STILL_AT_WORK
        return InDoubt("an attempt to create it may still be under way", until) if until > self.clock() else None

    async def create(self, attempt: Attempt, post: Callable[[], Awaitable[T | None]]) -> T | InDoubt:
        """Save *attempt* and *post*, after `look` has found nothing.

        *post* returns what was created, or None if the answer does not say. Raises `Rejected` if it was refused,
        and `NotSent` or `Throttled` if it was not even taken: then there is no doubt. Any other answer leaves it
        open, and is looked into at once.
        """
        await self.save(attempt)
        try:
            created = await post()
        except Closed as closed:
            return await self._created_after_all(InDoubt(str(closed), attempt.started_at + STILL_AT_WORK))
        except (Rejected, NotSent, Throttled):
            await self.save(None)
            raise
        except Failed as failed:
            found = await self._created_after_all(InDoubt(str(failed), failed=failed))
            if isinstance(found, InDoubt):  # they have ended with it and it is not there: no doubt is left
                await self.save(None)
            return found
        except Unreachable as unreachable:
            doubt = InDoubt(str(unreachable), attempt.started_at + STILL_AT_WORK)
            return await self._created_after_all(doubt)
        if created is None:
            return await self._created_after_all(InDoubt("the answer does not show what was created"))
        return created

    async def _created_after_all(self, doubt: InDoubt) -> T | InDoubt:
        found = await self.find()
        return doubt if found is None else found


@dataclass(slots=True)
class Adoption(Generic[T]):
    """What the other system has of ours although we do not know of it any more. One for each piece of work.

    Ids grow there. Up to the *mark* all of ours is known; what lies above it is looked at once, at the first
    question, and what is ours among it is remembered before the mark moves.
    """

    mark: Callable[[], Awaitable[int]]
    above: Callable[[int], Awaitable[tuple[int, Mapping[str, T]]]]
    """What lies above a mark: the highest id there (the mark itself if nothing does), and ours by reference."""
    adopt: Callable[[Mapping[str, T], int], Awaitable[None]]
    """Remember, durably, what is ours, and that everything up to this id is known."""
    reached: int | None = field(default=None, init=False)
    """The highest id that is known to exist; None before the first look."""
    _ours: Mapping[str, T] = field(default_factory=dict, init=False)

    async def find(self, reference: str) -> T | None:
        """What carries our *reference* there and lay above the mark; None if nothing does.

        Costs a call at the first question, and none afterwards. Raises what `above` raises.
        """
        if self.reached is None:
            mark = await self.mark()
            highest, ours = await self.above(mark)
            if ours or highest > mark:
                await self.adopt(ours, highest)
            self._ours, self.reached = ours, highest
        return self._ours.get(reference)
