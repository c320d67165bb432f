"""What every walk through a list that moves while it is read is made of. Pure: no clock, no calls.

A list is read page by page, and between two pages it moves: a row is edited and changes its place, one is deleted
while another is added, the whole list shrinks. A walk decides what is asked for next, and whether at its end every
row has been read that was there before and after (`proven`). It is a value, so that it can be kept between two
pages.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from upbridge.domain.value import Value

MOST_LOOKS = 4
"""So often a list that can only be read by page numbers is looked at until two looks agree."""
MOST_SKIPPED = 3
"""If so many pages in a row cannot be read, it is not a page that is broken but the shop."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row of a page. *version* changes when the row does."""

    key: str
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def version(self) -> str:
        """The row as it was shown: a row that was edited may have moved, and says nothing about its neighbours."""
        return f"{self.key}@{'' if self.updated is None else self.updated.isoformat()}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page as it came, in the list's order, and what it says of the whole list."""

    rows: Sequence[ListRow]
    pages: int
    total: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Which rows came."""
        return tuple(row.key for row in self.rows)


class Walk(Value, ABC):
    """What all walks have in common."""

    missed: tuple[Value, ...] = ()
    """What the server could not answer for, narrowed down."""
    proven: bool = True
    """Whether nothing that came leaves a doubt."""
    count: int = 0
    """How many rows came, each once."""
    steps: int = 0
    limit: int | None = None
    """After so many pages the walk ends, however the list moves."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether nothing is left to ask for."""

    @property
    def complete(self) -> bool:
        """Whether every row was read that was there before and after the walk."""
        return self.ended and self.proven and not self.missed

    def but(self, **values: object) -> Self:
        """The same with other *values*."""
        return self.model_copy(update=values)


class PageDigest(Value):
    """How many rows a page had, and which, as a digest."""

    count: int
    digest: str


class Looks(Value):
    """A list by page numbers, looked at again until two looks show the same pages.

    If two looks agree, no row can have slipped over a border in between: rows would have had to leave, and they
    would be missing in the second look. Rows that were added at the end disturb nothing.
    """

    number: int = 1
    earlier: tuple[PageDigest, ...] = ()
    current: tuple[PageDigest, ...] = ()
    moved: bool = False

    @property
    def page(self) -> int:
        """The page that is asked for next."""
        return len(self.current) + 1

    @property
    def proven(self) -> bool:
        """Whether this look, which has ended, leaves no doubt."""
        if len(self.current) == 1:
            return True  # one answer is the list at one moment
        return self.number > 1 and not self.moved and len(self.current) >= len(self.earlier)

    def saw(self, keys: Sequence[str]) -> "Looks":
        """The next page of this look came."""
        moved = self.moved
        if len(self.current) < len(self.earlier):
            before = self.earlier[len(self.current)]
            moved |= _digest(keys[: before.count]) != before.digest
        seen = PageDigest(count=len(keys), digest=_digest(keys))
        return self.model_copy(update={"current": (*self.current, seen), "moved": moved})

    def again(self) -> "Looks":
        """From the first page once more."""
        return Looks(number=self.number + 1, earlier=self.current)


def _digest(keys: Sequence[str]) -> str:
    return hashlib.blake2b("\0".join(keys).encode(errors="replace"), digest_size=9).hexdigest()
