"""Creating orders, products and customers in Uphance exactly once, although creating is not idempotent.

How: `systems/http/idempotent_create.py`. What it needs of Uphance is to find what a former attempt has created.
There is no search by our reference, so before each attempt an id is noted that exists already: what the attempt
creates is newer, and is found in the list of what is newer by our reference. No filter is trusted: if the list is
not limited, all of it is read.

That an attempt was made can have been forgotten, with a database that was restored. So before the first creation
of a slice, what is ours among the newest there is linked (`adoption`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from upbridge.core.clock import Clock
from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.domain.delivery import Attempt, Link, LinkState
from upbridge.systems.http.idempotent_create import Adoption, IdempotentCreate, InDoubt
from upbridge.systems.links import Links
from upbridge.systems.uphance.adoption import Forgotten
from upbridge.systems.uphance.careful_read import Gap, ListById, read_above
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.errors import RowUnread
from upbridge.systems.uphance.resource_types import CUSTOMERS, ORDERS, ResourceType
from upbridge.systems.uphance.schemas import Json, items, meta, single, string, whole
from upbridge.systems.uphance.unread_rows import Doubt

SENDING, UNSENT, DELIVERED = LinkState.SENDING, LinkState.UNSENT, LinkState.DELIVERED


@dataclass(frozen=True, slots=True)
class Created:
    """It exists in Uphance. *mark* and *trace* say what was sent when it was made."""

    id: int
    row: Json
    mark: str
    trace: Mapping[str, Any]


@dataclass(slots=True)
class IdempotentCreator:
    """Creates things of one shop, once each."""

    client: UphanceClient
    links: Links
    clock: Clock
    forgotten: Forgotten
    attempts: int = 0
    """How often something may have been created."""
    _marks: dict[str, int] = field(default_factory=dict)
    _adoptions: dict[str, Adoption[Json]] = field(default_factory=dict)

    async def adopted(self, resource: ResourceType, reference: str) -> Json | None:
        """The order or customer that carries our reference and was there although no link said so. It is linked.

        Costs a call at the first question for its type, where nothing is newer than what we know.
        """
        return await self._adoption(resource).find(reference)

    async def doubt(self, resource: ResourceType, placed_at: datetime | None) -> Doubt | None:
        """Why something that is not found may be there all the same: see `Forgotten.doubt`. Costs no call."""
        return await self.forgotten.doubt(resource, placed_at)

    def _adoption(self, resource: ResourceType) -> Adoption[Json]:
        if resource.kind not in self._adoptions:
            self._adoptions[resource.kind] = self.forgotten.of(resource)
        return self._adoptions[resource.kind]

    async def look(self, resource: ResourceType, link: Link | None, reference: str) -> Created | InDoubt | None:
        """What became of a former attempt; None if there was none, or if it certainly made nothing.

        Costs no call unless *link* says that an attempt was under way.
        """
        if link is None or link.attempt is None:
            return None
        try:
            return await self._once(resource, link, reference, link.attempt).look(link.attempt)
        except RowUnread as unread:
            return InDoubt(str(unread))

    async def create(
        self,
        resource: ResourceType,
        link: Link,
        reference: str,
        body: Mapping[str, Any],
        *,
        mark: str,
        trace: Mapping[str, Any],
        known: Sequence[Link] = (),
    ) -> Created | InDoubt:
        """POST *body*, after `look` has found nothing. *link* carries kind, key and parent; *mark* (what the
        content is) and *trace* (no personal data) are remembered with the attempt, and so are other links that
        are *known* by now.

        Raises `Rejected` if it was refused and `NotSent` or `Throttled` if it was not even taken: then there is
        no doubt. Otherwise an answer that leaves it open is looked into at once. An order or customer that is
        there already is not made again: its mark is empty, because nothing is known of what was sent.
        """
        if resource in (ORDERS, CUSTOMERS) and (row := await self.adopted(resource, reference)) is not None:
            return self._created(resource, row, Attempt(self.clock()))
        newer_than = await self._high_water(resource)
        self.attempts += 1
        attempt = Attempt(self.clock(), newer_than, mark, dict(trace))

        async def post() -> Created | None:
            row = single(await self.client.post(resource.path, body), resource.name)
            return None if row is None or whole(row.get("id")) is None else self._created(resource, row, attempt)

        try:
            return await self._once(resource, link, reference, attempt, known).create(attempt, post)
        except RowUnread as unread:
            return InDoubt(str(unread))

    def _once(
        self, resource: ResourceType, link: Link, reference: str, attempt: Attempt, known: Sequence[Link] = ()
    ) -> IdempotentCreate[Created]:
        newer_than = attempt.newer_than or 0

        async def find() -> Created | None:
            row = await self._find(resource, reference, newer_than=newer_than)
            return None if row is None else self._created(resource, row, attempt)

        async def save(under_way: Attempt | None) -> None:
            state = UNSENT if under_way is None else SENDING
            tried = Link(link.kind, link.key, link.parent, state=state, attempt=under_way)
            await self.links.save(*(known if under_way else ()), tried)

        return IdempotentCreate(find, save, self.clock)

    def _created(self, resource: ResourceType, row: Json, attempt: Attempt) -> Created:
        number = whole(row.get("id"))
        assert number is not None, "rows without an id are never taken for ours"
        self._marks[resource.kind] = max(number, self._marks.get(resource.kind, 0))
        return Created(number, row, attempt.mark, attempt.trace)

    async def _find(self, resource: ResourceType, reference: str, *, newer_than: int) -> Json | None:
        """The oldest thing newer than the mark that carries our reference.

        Assumption: this list knows `since_id`, as other lists do. An ignored filter costs calls and does no harm:
        every row is checked, and a list that ends early is `Unreachable`.

        Raises `RowUnread` if it is not among the rows that can be read and others cannot.
        """
        rows, gaps = await self._newer(resource, newer_than)
        found = [
            row
            for row in rows
            if string(row.get(resource.reference)) == reference and (whole(row.get("id")) or 0) > newer_than
        ]
        if gaps and not found:
            raise RowUnread(
                f"Uphance cannot give {resource.name} {', '.join(map(str, gaps))}, which may be this one"
            )
        return min(found, key=lambda row: whole(row.get("id")) or 0, default=None)

    async def _newer(self, resource: ResourceType, newer_than: int) -> tuple[list[Json], list[Gap]]:
        try:
            pages = self.client.pages(resource.path, resource.list_name, since_id=newer_than)
            return [row async for page in pages for row in page], []
        except NotSent:
            raise
        except (Unreachable, Rejected):
            of = ListById(resource.path, resource.list_name, resource.name)
            found, gaps = await read_above(self.client, of, newer_than)
            return list(found.values()), gaps

    async def _high_water(self, resource: ResourceType) -> int:
        """An id that exists already; 0 if there is none. The highest that we know of, read only if we know none.

        The order of the list is not published: the newest is on its first or its last page, and any id that
        exists is safe.
        """
        if resource in (ORDERS, CUSTOMERS):
            looked = self._adoption(resource).reached
            assert looked is not None, "adopted looks first"
            return max(looked, self._marks.get(resource.kind, 0))
        if resource.kind not in self._marks:
            known = await self.links.high_water(resource.kind)
            if known is None:
                known = await self._highest(resource)
                await self.links.reached(resource.kind, known)
            self._marks[resource.kind] = known
        return self._marks[resource.kind]

    async def _highest(self, resource: ResourceType) -> int:
        first = await self.client.get(resource.path)
        rows = list(items(first, resource.list_name) or ())
        last = meta(first).total_pages
        if last is not None and last > 1:
            rows += items(await self.client.get(resource.path, page=last), resource.list_name) or ()
        return max((whole(row.get("id")) or 0 for row in rows), default=0)
