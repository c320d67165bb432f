"""A walk through a list that knows neither time nor order, only page numbers and the size of a page.

The pages of two sizes lie differently, so each page can be made to begin a few rows before the last one ended:

    |------- 1 of 100 -------|
                          |------- 2 of 98 -------|
                                               |------- 3 of 97 -------|

A row that stands on both, unchanged, links them: what lies before it was on the first, what lies behind it is on
the second, and nothing can hide between them, however the list has moved. Assumption: rows that do not change
keep their order. Where no row links two pages, more has gone than they overlap: the walk steps back.

A server that has a page size of its own is read by page numbers until two looks agree (`walk.Looks`). A page that
cannot be read is read in tens, then one by one, until only the row is left that the server cannot answer for.
"""

from upbridge.domain.value import Value
from upbridge.domain.walk import MOST_LOOKS, MOST_SKIPPED, ListPage, Looks, Walk

_LARGEST, _SMALLER = 100, 10
_OVERLAP = 2
_MOST_STEPS_BACK = 8
_DEAD = 1 + _SMALLER
"""After so many failures in a row nothing on the page can be read."""
_MOST_PIECES = 200
"""So many failures are spent on narrowing down; what fails then is left to the next walk as it is."""


class PlaceAsk(Value):
    """What is asked for: page *page* if a page has *size* rows."""

    page: int
    size: int

    @property
    def begin(self) -> int:
        """How many rows of the list lie before the page."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """How many rows of the list lie before the end of the page."""
        return self.page * self.size


class Places(Value):
    """Rows that were missed, by their place in the list, counted from 1; *until* is included. *after* and *before*
    are the rows around them, where they are known."""

    since: int
    until: int
    after: str | None = None
    before: str | None = None


class PlaceWalk(Walk):
    """See the module."""

    place: int = 0
    """So many rows lie behind us."""
    link: tuple[str, ...] = ()
    last: str | None = None
    by_id: bool = True
    """Whether the rows came sorted by their ids, as far as they could be read."""
    tens_until: int = 0
    ones_until: int = 0
    looks: Looks | None = None
    size: int = _LARGEST
    """How many rows the server puts on a page that has a size of its own."""
    skipped: int = 0
    back: int = 0
    fails: int = 0
    pieces: int = 0
    cut: bool = False
    """What came just before could not be read: the next page begins where it ends, and is linked to nothing."""
    reached: int = 0
    kept: int = 0
    """The place, and how much was missed, when a page was read last."""
    total: int | None = None
    missed: tuple[Places, ...] = ()
    over: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing is left to ask for."""
        return self.over

    @property
    def isolating(self) -> bool:
        """Whether a failure is expected, because what cannot be read is being narrowed down."""
        return self.looks is None and self.most < _LARGEST

    @property
    def ask(self) -> PlaceAsk:
        """The next call."""
        if self.looks is not None:
            return PlaceAsk(page=self.looks.page, size=_LARGEST)
        if self.most == 1:
            return PlaceAsk(page=self.place + 1, size=1)
        return _page_at(self.place, self.most, linked=bool(self.link) and not self.cut)

    @property
    def most(self) -> int:
        """The most rows that a page has."""
        if self.place < self.ones_until:
            return 1
        return _SMALLER if self.place < self.tens_until else _LARGEST

    def read(self, answer: ListPage) -> "PlaceWalk":
        """What was asked for came."""
        limit = self.limit if self.limit is not None else 5 * answer.pages + 200
        ids = [int(key) for key in _readable(answer)]
        by_id = self.by_id and ids in (sorted(ids), sorted(ids, reverse=True))
        walk = self.but(steps=self.steps + 1, limit=limit, by_id=by_id)
        if walk.steps > limit:
            return walk.but(over=True, proven=False)
        if walk.looks is not None:
            return _by_numbers(walk, answer)
        if self.ask.page > 1 or answer.pages > 1:
            return _one_page(walk, answer, self.ask)
        return _onwards(walk, answer, self.ask).but(over=True)  # the whole list at one moment

    def failed(self, *, missing: bool = False) -> "PlaceWalk":
        """What was asked for cannot be read. *missing*: there is no such page (any more)."""
        if self.looks is not None:
            return _page_failed(self, missing=missing)
        asked = self.ask
        if missing and asked.page > 1 and (back := _step_back(self)) is not None:
            return back  # the list has shrunk, so its end has come to meet us
        walk = self.but(pieces=self.pieces + 1, fails=self.fails + 1)
        if self.most == _LARGEST and not self.skipped:
            return walk.but(tens_until=asked.end)
        dead = walk.fails >= _DEAD or walk.pieces >= _MOST_PIECES
        if self.most == _LARGEST or dead:
            return _skip(walk, max(self.tens_until, asked.end))
        if self.most == _SMALLER:  # pages of one row cannot overlap, so nothing proves what lies between two
            return walk.but(ones_until=asked.end, proven=False)
        return _lose(walk, asked.end)


# --- pages that overlap -----------------------------------------------------------------------------------


def _one_page(this: PlaceWalk, answer: ListPage, asked: PlaceAsk) -> PlaceWalk:
    if _has_own_size(asked, answer):
        walk = this.but(looks=Looks())
        return _by_numbers(walk, answer) if asked.page == 1 else walk
    alone = not this.link or this.cut or this.most == 1
    if alone or {row.version for row in answer.rows} & set(this.link):
        return _onwards(this, answer, asked)
    return _step_back(this) or _onwards(this, answer, asked).but(proven=False)


def _onwards(this: PlaceWalk, answer: ListPage, asked: PlaceAsk) -> PlaceWalk:
    behind = set(this.link)
    fresh = sum(row.version not in behind for row in answer.rows)
    place, missed = max(this.place, asked.end), _bounded(this.missed, answer)
    return this.but(
        place=place,
        reached=place,
        kept=len(missed),
        cut=False,
        link=tuple(row.version for row in answer.rows),
        last=_last(this, answer),
        back=0,
        skipped=0,
        fails=0,
        total=answer.total,
        count=this.count + fresh,
        missed=missed,
        over=asked.end >= answer.total,
    )


def _step_back(this: PlaceWalk) -> PlaceWalk | None:
    """More rows have gone than two pages overlap; None if that was tried often enough."""
    if this.back >= _MOST_STEPS_BACK:
        return None
    place = max(0, this.place - max(1, this.most // 2))
    return this.but(place=place, back=this.back + 1, link=this.link if place else ())


def _lose(this: PlaceWalk, until: int) -> PlaceWalk:
    lost = Places(since=this.place + 1, until=until, after=this.last)
    over = this.total is not None and until >= this.total
    return this.but(place=until, cut=True, missed=(*this.missed, lost), over=over)


def _skip(this: PlaceWalk, until: int) -> PlaceWalk:
    if this.skipped < MOST_SKIPPED:
        return _lose(this, until).but(skipped=this.skipped + 1)
    # Nothing at all can be read: it is not a page that is broken but the shop. As if nothing had been asked.
    values = {
        "place": this.reached,
        "missed": this.missed[: this.kept],
        "cut": False,
        "skipped": 0,
        "fails": 0,
    }
    return this.but(**values, tens_until=0, ones_until=0)


# --- pages of the server's own size -----------------------------------------------------------------------


def _by_numbers(this: PlaceWalk, answer: ListPage) -> PlaceWalk:
    assert this.looks is not None
    looks = this.looks.saw(answer.keys)
    walk = this.but(
        looks=looks,
        skipped=0,
        size=max(len(answer.rows), 1) if this.looks.page == 1 else this.size,
        count=this.count + (len(answer.rows) if looks.number == 1 else 0),
        missed=_bounded(this.missed, answer),
        last=_last(this, answer),
    )
    return _end_of_look(walk) if looks.page > answer.pages else walk


def _end_of_look(this: PlaceWalk) -> PlaceWalk:
    assert this.looks is not None
    if this.looks.proven or this.looks.number >= MOST_LOOKS:
        return this.but(over=True, proven=this.proven and this.looks.proven)
    return this.but(looks=this.looks.again(), last=None)


def _page_failed(this: PlaceWalk, *, missing: bool) -> PlaceWalk:
    assert this.looks is not None
    if missing and this.looks.page > 1:  # the list has shrunk
        if this.skipped:
            return this.but(over=True, proven=False)
        if this.looks.number < MOST_LOOKS:
            return this.but(looks=this.looks.again(), last=None)
    if this.skipped >= MOST_SKIPPED:
        return this.but(looks=Looks(), skipped=0, missed=(), last=None)
    begin = (this.looks.page - 1) * this.size
    lost = Places(since=begin + 1, until=begin + this.size, after=this.last)
    known = any(one.since == lost.since for one in this.missed)
    missed = this.missed if known else (*this.missed, lost)
    return this.but(looks=this.looks.saw(()), skipped=this.skipped + 1, missed=missed)


def _page_at(place: int, most: int, *, linked: bool) -> PlaceAsk:
    """The page of at most *most* rows that reaches farthest. It begins at *place*; if *linked*, before it."""
    end, page, size = 0, place + 1, 1
    for back in (_OVERLAP, 1) if linked else (0,):
        for rows in range(most, 0, -1):
            before = max(0, place - back) // rows
            ends = (before + 1) * rows
            if ends > max(place, end) and (linked or before * rows == place):
                end, page, size = ends, before + 1, rows
    return PlaceAsk(page=page, size=size)


def _has_own_size(asked: PlaceAsk, answer: ListPage) -> bool:
    """Whether the server did not take the size that was asked for."""
    rows = len(answer.rows)
    return rows > asked.size or -(-answer.total // asked.size) != answer.pages


def _readable(answer: ListPage) -> list[str]:
    """The ids in their order; of what cannot be read the place is not known."""
    return [row.key for row in answer.rows if row.updated is not None and row.key.isdigit()]


def _last(this: PlaceWalk, answer: ListPage) -> str | None:
    ids = _readable(answer)
    return ids[-1] if ids else this.last


def _bounded(missed: tuple[Places, ...], answer: ListPage) -> tuple[Places, ...]:
    """The row behind what was missed last is known now."""
    ids = _readable(answer)
    if not missed or missed[-1].before is not None or not ids:
        return missed
    return (*missed[:-1], missed[-1].model_copy(update={"before": ids[0]}))
