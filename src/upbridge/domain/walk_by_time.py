"""A walk through a list that the server sorts by time, oldest first: the next page begins at the newest row seen.

Page numbers move when rows do; a moment does not. A row that is edited moves behind the moment, where it is still
to come; a row that is deleted takes nothing along. So one pass is enough, and costs the rows of one second per
page.

    |--- page ---|
               |--- page ---|       from the newest second seen, that second included
                          |-- …

More rows in one second than a page has are read by page numbers, until two looks agree; so is the whole list where
the server does not sort or filter as published. A page that cannot be read is skipped. What was on it is then read
in windows of creation time, which are halved until only the second is left that the server cannot answer for.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from upbridge.domain.value import Value
from upbridge.domain.walk import MOST_LOOKS, MOST_SKIPPED, ListPage, ListRow, Looks, Walk

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No order is older."""
_SECOND = timedelta(seconds=1)
_DAYS = timedelta(days=2)
_MOST_PIECES = 80
"""So many failures are spent on narrowing down; the rest of it is left to the next walk."""
_MOST_STEPS = 400
"""So many pages are read in windows."""


class Window(Value):
    """Rows that were created from *created_from* to *created_to*, and changed from *changed_from* on."""

    created_from: datetime
    created_to: datetime | None = None
    changed_from: datetime | None = None
    page: int = 1


class TimeAsk(Value):
    """What is asked for: a page of what lies from *since* on, or of a window."""

    since: datetime | None
    page: int
    window: Window | None = None


class TimeWalk(Walk):
    """See the module. *by* is the time that the list is sorted by; *start*: only rows from then on."""

    by: Literal["created", "updated"]
    start: datetime | None
    since: datetime | None
    looks: Looks | None = None
    by_number: bool = False
    """The server does not sort, or not filter: the whole list by page numbers."""
    border: tuple[str, ...] = ()
    skipped: int = 0
    windows: tuple[Window, ...] = ()
    walked: bool = False
    """Nothing but *windows* is left."""
    pieces: int = 0
    missed: tuple[Window, ...] = ()

    @classmethod
    def begin(cls, by: Literal["created", "updated"], since: datetime | None) -> "TimeWalk":
        """A walk from *since* on."""
        return cls(by=by, start=since, since=since)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to ask for."""
        return self.walked and not self.windows

    @property
    def isolating(self) -> bool:
        """Whether a failure is expected, because what cannot be read is being narrowed down."""
        return self.walked and bool(self.windows)

    @property
    def ask(self) -> TimeAsk:
        """The next call."""
        if self.walked:
            return TimeAsk(since=None, page=self.windows[-1].page, window=self.windows[-1])
        return TimeAsk(since=self.since, page=1 if self.looks is None else self.looks.page)

    def read(self, answer: ListPage) -> "TimeWalk":
        """What was asked for came."""
        if self.walked:
            return _read_window(self, answer)
        limit = self.limit if self.limit is not None else 4 * answer.pages + 60
        fresh = len(set(answer.keys) - set(self.border)) if self.looks is None or self.looks.number == 1 else 0
        walk = self.but(steps=self.steps + 1, limit=limit, count=self.count + fresh, border=answer.keys, skipped=0)
        if walk.steps > limit:
            return walk.but(walked=True, proven=False)
        if self.skipped:
            return _behind_the_gap(walk, self, answer)
        if walk.looks is not None:
            return _by_numbers(walk, answer)
        return walk.but(walked=True) if answer.pages <= 1 else _next_page(walk, answer)

    def failed(self, *, now: datetime, missing: bool = False) -> "TimeWalk":
        """What was asked for cannot be read. *missing*: there is no such page (any more)."""
        if self.walked:
            return _window_failed(self, now, missing=missing)
        if missing and self.skipped:  # the page that could not be read was the last one
            return _gap(self, self.since, None).but(walked=True, skipped=0)
        if missing and self.looks is not None and self.looks.number < MOST_LOOKS:  # the list has shrunk
            return self.but(looks=self.looks.again())
        if self.skipped >= MOST_SKIPPED:
            return self.but(skipped=0, looks=None, by_number=False)
        looks = (self.looks or Looks()).saw(())
        return self.but(looks=looks, skipped=self.skipped + 1)


# --- the walk itself --------------------------------------------------------------------------------------


def _next_page(this: TimeWalk, answer: ListPage) -> TimeWalk:
    times = _times(this, answer.rows)
    if times != sorted(times) or (this.since is not None and times and times[0] < _second(this.since)):
        return this.but(by_number=True, since=this.start, looks=Looks())
    if times and (this.since is None or times[-1] > this.since):
        return this.but(since=times[-1])
    return _by_numbers(this.but(looks=Looks()), answer)


def _behind_the_gap(this: TimeWalk, before: TimeWalk, answer: ListPage) -> TimeWalk:
    """A page came after one that could not be read: go on from here, and remember what lies between."""
    times = _times(this, answer.rows)
    walk = _gap(this, before.since, times[0] + _SECOND if times and not this.by_number else None)
    if not times:
        return walk.but(walked=True, proven=not answer.rows and this.proven)
    if not this.by_number and times == sorted(times) and (before.since is None or times[-1] > before.since):
        walk = walk.but(looks=None, since=times[-1])
        last = before.looks is not None and before.looks.page >= answer.pages
        return walk.but(walked=True) if last else walk
    return _by_numbers(walk, answer)


def _gap(this: TimeWalk, since: datetime | None, until: datetime | None) -> TimeWalk:
    if this.by == "created":
        window = Window(created_from=_second(since or _EARLIEST), created_to=until)
        return this.but(windows=(*this.windows, window))
    starts = [since, *(window.changed_from for window in this.windows)]
    oldest = min((moment for moment in starts if moment is not None), default=None)
    return this.but(windows=(Window(created_from=_EARLIEST, changed_from=oldest),))


def _by_numbers(this: TimeWalk, answer: ListPage) -> TimeWalk:
    """More rows of one second than a page holds, or all rows of a list that is not sorted."""
    assert this.looks is not None
    later = () if this.by_number else tuple(row for row in answer.rows if _is_later(this, row))
    keys = tuple(row.key for row in answer.rows if row not in later)
    looks = this.looks.saw(keys)
    last = bool(later) or looks.page > answer.pages
    onwards = max(_times(this, later)) if later and looks.page <= answer.pages else None
    return _end_of_look(this.but(looks=looks), onwards, last=last)


def _end_of_look(this: TimeWalk, onwards: datetime | None, *, last: bool) -> TimeWalk:
    assert this.looks is not None
    if not last:
        return this
    if not this.looks.proven and this.looks.number < MOST_LOOKS:
        return this.but(looks=this.looks.again())
    walk = this.but(looks=None, proven=this.proven and this.looks.proven)
    return walk.but(walked=True) if onwards is None else walk.but(since=onwards)


def _is_later(this: TimeWalk, row: ListRow) -> bool:
    times = _times(this, [row])
    return bool(times) and this.since is not None and times[0] > this.since


def _times(this: TimeWalk, rows: Iterable[ListRow]) -> list[datetime]:
    found = (row.created if this.by == "created" else row.updated for row in rows)
    return [_second(moment) for moment in found if moment is not None]


# --- what could not be read -------------------------------------------------------------------------------


def _read_window(this: TimeWalk, answer: ListPage) -> TimeWalk:
    *rest, window = this.windows
    walk = this.but(windows=tuple(rest), steps=this.steps + 1)
    if window.page >= answer.pages:
        return walk
    if walk.steps > (this.limit or 0) + _MOST_STEPS:
        return walk.but(missed=_joined([*this.missed, *this.windows]), windows=())
    created = [_second(row.created) for row in answer.rows if row.created is not None]
    if window.page == 1 and created == sorted(created) and created and created[-1] > window.created_from:
        onwards = window.model_copy(update={"created_from": created[-1]})
        return walk.but(windows=(*rest, onwards))
    onwards = window.model_copy(update={"page": window.page + 1})
    return walk.but(windows=(*rest, onwards), proven=False)


def _window_failed(this: TimeWalk, now: datetime, *, missing: bool) -> TimeWalk:
    *rest, window = this.windows
    if missing and window.page > 1:
        return this.but(windows=tuple(rest))
    walk = this.but(windows=tuple(rest), pieces=this.pieces + 1)
    until = window.created_to or _second(now + _DAYS)  # two clocks differ; the last window stays open
    width = until - window.created_from
    if width <= timedelta(0) or window.page > 1 or walk.pieces > _MOST_PIECES:
        return walk.but(missed=_joined([*this.missed, window]))
    # What has just changed is seldom old: years are split near their end, days in the middle.
    middle = max(_second(until - (width / 8 if width > _DAYS else width / 2)), window.created_from)
    older = window.model_copy(update={"created_to": middle})
    newer = window.model_copy(update={"created_from": until if width <= _SECOND else middle})
    return walk.but(windows=(*rest, older, newer))


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _joined(windows: list[Window]) -> tuple[Window, ...]:
    """Windows that touch are one."""
    joined: list[Window] = []
    for window in sorted(windows, key=lambda one: one.created_from):
        last = joined[-1] if joined else None
        if last is None or (last.created_to is not None and window.created_from > last.created_to):
            joined.append(window)
        elif last.created_to is not None and (window.created_to is None or window.created_to > last.created_to):
            joined[-1] = last.model_copy(update={"created_to": window.created_to})
    return tuple(joined)
