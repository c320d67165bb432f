"""Lists that move while they are read, from a seed: edits, deletions, additions, broken rows and pages."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from upbridge.domain.walk import ListPage, ListRow

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@dataclass
class MovingList:
    """A list on a server. *moves* says how often something moves before an answer, from 0 to 1."""

    rng: random.Random
    count: int
    moves: float = 0.0
    per_second: int = 1
    rows: dict[str, ListRow] = field(default_factory=dict)
    stayed: set[str] = field(default_factory=set)
    """Rows that have been there all the time and were not edited."""
    broken: set[str] = field(default_factory=set)
    """A page on which one of these stands cannot be read, ever."""
    down_from: int = 0
    down_for: int = 0
    """From which call on, and for how many, nothing can be read."""
    calls: int = 0
    moved: int = 0

    def __post_init__(self) -> None:
        for number in range(self.count):
            moment = START + timedelta(seconds=number // self.per_second)
            key = str(1000 + number)
            self.rows[key] = ListRow(key, created=moment, updated=moment)
        self.stayed = set(self.rows)
        self.now = START + timedelta(seconds=self.count + 3600)

    # --- what happens in the shop -----------------------------------------------------------------------------

    def edit(self, key: str) -> None:
        self.now += timedelta(seconds=self.rng.choice((0, 0, 1)))
        self.rows[key] = ListRow(key, created=self.rows[key].created, updated=self.now)

    def delete(self, key: str) -> None:
        del self.rows[key]
        self.stayed.discard(key)
        self.broken.discard(key)

    def add(self) -> None:
        self.now += timedelta(seconds=self.rng.choice((0, 1)))
        key = str(5000 + self.moved)
        self.rows[key] = ListRow(key, created=self.now, updated=self.now)

    def move(self) -> None:
        """Something happens before an answer, or nothing."""
        while self.rng.random() < self.moves:
            self.moved += 1
            what = self.rng.random()
            if what < 0.4 and self.rows:
                self.edit(self.rng.choice(list(self.rows)[:50] if self.rng.random() < 0.5 else list(self.rows)))
            elif what < 0.8 and self.rows:
                self.delete(self.rng.choice(list(self.rows)[:50] if self.rng.random() < 0.5 else list(self.rows)))
                if what < 0.7:
                    self.add()
            else:
                self.add()

    # --- what the server answers ------------------------------------------------------------------------------

    def answer(
        self,
        page: int,
        size: int,
        *,
        order: Callable[[ListRow], object],
        only: Callable[[ListRow], bool] = lambda _row: True,
    ) -> ListPage | None:
        """One page; None where it cannot be read."""
        self.calls += 1
        self.move()
        if self.down_from <= self.calls < self.down_from + self.down_for:
            return None
        found = sorted((row for row in self.rows.values() if only(row)), key=order)  # type: ignore[arg-type]
        rows = found[(page - 1) * size : page * size]
        if any(row.key in self.broken for row in rows):
            return None
        return ListPage(rows, pages=-(-len(found) // size), total=len(found))
