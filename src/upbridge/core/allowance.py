"""So much at once, and so much a second again: what one of many may have, so that the others keep theirs."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """So much at once, and so much a second again."""

    burst: float
    rate: float


class Meter:
    """What is left of an allowance. It may be overdrawn by one use, however large, and recovers first."""

    def __init__(self, allowance: Allowance, now: float) -> None:
        self._allowance = allowance
        self._left = allowance.burst
        self._at = now

    def left(self, now: float) -> float:
        """What is left; less than nothing while it recovers."""
        self._left = min(self._allowance.burst, self._left + (now - self._at) * self._allowance.rate)
        self._at = now
        return self._left

    def take(self, amount: float, now: float) -> float:
        """Use *amount*; the seconds until the allowance has recovered from it."""
        self._left = self.left(now) - amount
        return max(0.0, -self._left / self._allowance.rate)

    def full(self, now: float) -> bool:
        """Whether all of it is there, as if it had never been used."""
        return self.left(now) >= self._allowance.burst


class Forgettable(Protocol):
    """What is kept of one user."""

    def unused(self) -> bool:
        """Whether it is as if there had never been one."""


Name = TypeVar("Name", bound=Hashable)
Kept = TypeVar("Kept", bound=Forgettable)


class ByName(Generic[Name, Kept]):
    """What is kept of each name. Those that are not used any more are forgotten, so invented ones cost nothing."""

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make
        self._known: dict[Name, Kept] = {}

    def of(self, name: Name) -> Kept:
        """What is kept of *name*."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known = {one: kept for one, kept in self._known.items() if not kept.unused()}
            found = self._known[name] = self._make()
        return found
