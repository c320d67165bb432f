"""Creating orders, products and customers in Uphance exactly once, although creating is not idempotent.

How: `systems/http/idempotent_create.py`. What it needs of Uphance is to find what a former attempt has created.
There is no search by our reference, so before each attempt an id is noted that exists already: what the attempt
creates is newer, and is found in the list of what is newer by our reference. No filter is trusted: if the list is
not limited, all of it is read.

That an attempt was made can have been forgotten, with a database that was restored. So before the first creation
of a slice, what is ours among the newest there is linked (`adoption`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from upbridge.core.clock import Clock
from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.domain.delivery import Attempt, Link, LinkState
from upbridge.systems.base import Links
from upbridge.systems.http.idempotent_create import Adoption, IdempotentCreate, InDoubt
from upbridge.systems.uphance.adoption import Forgotten
from upbridge.systems.uphance.careful_read import Gap, Sorted, read_above
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.errors import RowUnread
from upbridge.systems.uphance.schemas import Json, items, meta, single, string, whole
from upbridge.systems.uphance.sorts import CUSTOMERS, ORDERS, Sort
from upbridge.systems.uphance.unread_rows import Doubt

SENDING, UNSENT, DELIVERED = LinkState.SENDING, LinkState.UNSENT, LinkState.DELIVERED


@dataclass(frozen=True, slots=True)
class Made:
    """It exists in Uphance. *mark* and *trace* say what was sent when it was made."""

    id: int
    row: Json
    mark: str
    trace: Mapping[str, Any]


@dataclass(slots=True)
class Maker:
    """Creates things of one shop, once each."""

    client: UphanceClient
    links: Links
    clock: Clock
    forgotten: Forgotten
    _marks: dict[str, int] = field(default_factory=dict)
    _adoptions: dict[str, Adoption[Json]] = field(default_factory=dict)

    async def adopted(self, sort: Sort, reference: str) -> Json | None:
        """The order or customer that carries our reference and was there although no link said so. It is linked.

        Costs a call at the first question for its sort, where nothing is newer than what we know.
        """
        return await self._adoption(sort).find(reference)

    async def doubt(self, sort: Sort, placed_at: datetime | None) -> Doubt | None:
        """Why something that is not found may be there all the same: see `Forgotten.doubt`. Costs no call."""
        return await self.forgotten.doubt(sort, placed_at)

    def _adoption(self, sort: Sort) -> Adoption[Json]:
        if sort.kind not in self._adoptions:
            self._adoptions[sort.kind] = self.forgotten.of(sort)
        return self._adoptions[sort.kind]

    async def look(self, sort: Sort, link: Link | None, reference: str) -> Made | InDoubt | None:
        """What became of a former attempt; None if there was none, or if it certainly made nothing.

        Costs no call unless *link* says that an attempt was under way.
        """
        if link is None or link.attempt is None:
            return None
        try:
            return await self._once(sort, link, reference, link.attempt).look(link.attempt)
        except RowUnread as unread:
            return InDoubt(str(unread))

    async def make(
        self,
        sort: Sort,
        link: Link,
        reference: str,
        body: Mapping[str, Any],
        *,
        mark: str,
        trace: Mapping[str, Any],
    ) -> Made | InDoubt:
        """POST *body*, after `look` has found nothing. *link* carries kind, key and parent; *mark* (what the
        content is) and *trace* (no personal data) are remembered with the attempt.

        Raises `Rejected` if it was refused and `NotSent` or `Throttled` if it was not even taken: then there is
        no doubt. Otherwise an answer that leaves it open is looked into at once. An order or customer that is
        there already is not made again: its mark is empty, because nothing is known of what was sent.
        """
        if sort in (ORDERS, CUSTOMERS) and (row := await self.adopted(sort, reference)) is not None:
            return self._made(sort, row, Attempt(self.clock()))
        newer_than = await self._high_water(sort)
        attempt = Attempt(self.clock(), newer_than, mark, dict(trace))

        async def post() -> Made | None:
            row = single(await self.client.post(sort.path, body), sort.name)
            return None if row is None or whole(row.get("id")) is None else self._made(sort, row, attempt)

        try:
            return await self._once(sort, link, reference, attempt).create(attempt, post)
        except RowUnread as unread:
            return InDoubt(str(unread))

    def _once(self, sort: Sort, link: Link, reference: str, attempt: Attempt) -> IdempotentCreate[Made]:
        newer_than = attempt.newer_than or 0

        async def find() -> Made | None:
            row = await self._find(sort, reference, newer_than=newer_than)
            return None if row is None else self._made(sort, row, attempt)

        async def save(under_way: Attempt | None) -> None:
            state = UNSENT if under_way is None else SENDING
            await self.links.save(Link(link.kind, link.key, link.parent, state=state, attempt=under_way))

        return IdempotentCreate(find, save, self.clock)

    def _made(self, sort: Sort, row: Json, attempt: Attempt) -> Made:
        number = whole(row.get("id"))
        assert number is not None, "rows without an id are never taken for ours"
        self._marks[sort.kind] = max(number, self._marks.get(sort.kind, 0))
        return Made(number, row, attempt.mark, attempt.trace)

    async def _find(self, sort: Sort, reference: str, *, newer_than: int) -> Json | None:
        """The oldest thing newer than the mark that carries our reference.

        Assumption: this list knows `since_id`, as other lists do. An ignored filter costs calls and does no harm:
        every row is checked, and a list that ends early is `Unreachable`.

        Raises `RowUnread` if it is not among the rows that can be read and others cannot.
        """
        rows, gaps = await self._newer(sort, newer_than)
        found = [
            row
            for row in rows
            if string(row.get(sort.reference)) == reference and (whole(row.get("id")) or 0) > newer_than
        ]
        if gaps and not found:
            raise RowUnread(f"Uphance cannot give {sort.name} {', '.join(map(str, gaps))}, which may be this one")
        return min(found, key=lambda row: whole(row.get("id")) or 0, default=None)

    async def _newer(self, sort: Sort, newer_than: int) -> tuple[list[Json], list[Gap]]:
        try:
            pages = self.client.pages(sort.path, sort.list_name, since_id=newer_than)
            return [row async for page in pages for row in page], []
        except NotSent:
            raise
        except (Unreachable, Rejected):
            of = Sorted(sort.path, sort.list_name, sort.name)
            found, gaps = await read_above(self.client, of, newer_than)
            return list(found.values()), gaps

    async def _high_water(self, sort: Sort) -> int:
        """An id that exists already; 0 if there is none. The highest that we know of, read only if we know none.

        The order of the list is not published: the newest is on its first or its last page, and any id that
        exists is safe.
        """
        if sort in (ORDERS, CUSTOMERS):
            looked = self._adoption(sort).reached
            assert looked is not None, "adopted looks first"
            return max(looked, self._marks.get(sort.kind, 0))
        if sort.kind not in self._marks:
            known = await self.links.high_water(sort.kind)
            if known is None:
                known = await self._highest(sort)
                await self.links.reached(sort.kind, known)
            self._marks[sort.kind] = known
        return self._marks[sort.kind]

    async def _highest(self, sort: Sort) -> int:
        first = await self.client.get(sort.path)
        rows = list(items(first, sort.list_name) or ())
        last = meta(first).total_pages
        if last is not None and last > 1:
            rows += items(await self.client.get(sort.path, page=last), sort.list_name) or ()
        return max((whole(row.get("id")) or 0 for row in rows), default=0)
