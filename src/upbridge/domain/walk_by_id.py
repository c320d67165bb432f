"""A walk through a list whose rows have ascending ids, with a filter for ids above one: `since_id`.

An id moves no more than a moment does: the next page begins behind the highest id seen, so nothing that goes or
comes can let a row slip over a border, and no call is made twice. Where the list is not sorted by id, or does not
know the filter, it is read by page numbers until two looks agree (`walk.Looks`).
"""

from collections.abc import Sequence

from upbridge.domain.value import Value
from upbridge.domain.walk import MOST_LOOKS, Looks, Walk


class IdAsk(Value):
    """What is asked for: a page of the rows above *since*."""

    since: int | None
    page: int


class IdWalk(Walk):
    """See the module. *start*: only rows above it."""

    start: int | None = None
    since: int | None = None
    looks: Looks | None = None
    over: bool = False

    @classmethod
    def begin(cls, since: int | None = None) -> "IdWalk":
        """A walk through the rows above *since*."""
        return cls(start=since, since=since)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to ask for."""
        return self.over

    @property
    def ask(self) -> IdAsk:
        """The next call."""
        return IdAsk(since=self.since, page=1 if self.looks is None else self.looks.page)

    def read(self, ids: Sequence[int | None], *, last: bool, pages: int | None = None) -> "IdWalk":
        """What was asked for came: the rows with these *ids*; *last*: no page comes behind it. *pages*: how many
        there are, if that is known."""
        limit = self.limit if self.limit is not None else 6 * (pages or 1000) + 20
        walk = self.but(steps=self.steps + 1, limit=limit)
        if walk.steps > limit:
            return walk.but(over=True, proven=False)
        if walk.looks is not None:
            return _by_numbers(walk, ids, last=last)
        if _ascending(ids, self.since) and (ids or last):
            return walk.but(over=True) if last else walk.but(since=ids[-1])
        first = self.since == self.start
        if last and first:
            return walk.but(over=True)  # the whole list at one moment
        walk = walk.but(looks=Looks(), since=self.start)
        return _by_numbers(walk, ids, last=last) if first else walk


def _by_numbers(this: IdWalk, ids: Sequence[int | None], *, last: bool) -> IdWalk:
    assert this.looks is not None
    looks = this.looks.saw([str(number) for number in ids])
    if not last:
        return this.but(looks=looks)
    if looks.proven or looks.number >= MOST_LOOKS:
        return this.but(looks=looks, over=True, proven=looks.proven)
    return this.but(looks=looks.again())


def _ascending(ids: Sequence[int | None], since: int | None) -> bool:
    """Whether the rows are sorted by their ids, and above *since*. No rows are; a row without an id is not."""
    known = [number for number in ids if number is not None]
    if len(known) < len(ids) or known != sorted(set(known)):
        return False
    return since is None or not known or known[0] > since
