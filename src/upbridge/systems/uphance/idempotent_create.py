"""Creating a thing over there exactly once, although creating is not idempotent.

    unsent ──save "sending"──► sending ──POST answered──► delivered
                                  │  ▲
              no usable answer, a crash  │
                                  ▼  │ not found: POST once more
                               look: list what is newer than the high-water mark, find our reference
                                  └──found──► delivered

The mark is an id that existed before the POST, so whatever the POST made is newer. It is saved before the POST
together with the state, so that a process that dies at any instant leaves a trace. There is no search by our
reference, and no filter is trusted: if the list is not limited, all of it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upbridge.core.clock import Clock
from upbridge.core.errors import Closed, Failed, NotSent, Rejected, Throttled, Unreachable
from upbridge.domain.delivery import Link
from upbridge.systems.base import Links
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.schemas import Json, items, meta, single, whole, words

SENDING, UNSENT, DELIVERED = "sending", "unsent", "delivered"

#: How long after its start a request without an answer may still be at work over there: not to find it before
#: proves nothing. Longer than we wait for an answer (`exchange`), because giving up does not stop the other side.
_STILL_AT_WORK = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of thing that can be created: where, and by which of its fields our reference is found again."""

    kind: str
    path: str
    list_name: str
    name: str
    reference: str


ORDERS = Sort("order", "/sales_orders", "sales_orders", "sales_order", "purchase_order_ref")
PRODUCTS = Sort("product", "/products", "products", "product", "product_identifier")
CUSTOMERS = Sort("customer", "/customers", "customers", "customer", "reference")


@dataclass(frozen=True, slots=True)
class Made:
    """It is over there. *mark* and *trace* say what was sent when it was made."""

    id: int
    row: Json
    mark: str
    trace: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InDoubt:
    """No usable answer came, and it is not to be seen (yet): try again, from *until* on."""

    reason: str
    until: datetime | None = None
    failed: bool = False
    """Their application failed on it, which can mean that it does not like what was sent."""


@dataclass(slots=True)
class Maker:
    """Creates things of one shop, once each."""

    client: UphanceClient
    links: Links
    clock: Clock
    _marks: dict[str, int] = field(default_factory=dict)

    async def look(self, sort: Sort, link: Link | None, reference: str) -> Made | InDoubt | None:
        """What became of a former attempt; None if there was none, or if it certainly made nothing.

        Costs no call unless *link* says that an attempt was under way.
        """
        if link is None or link.state != SENDING:
            return None
        row = await self._find(sort, reference, newer_than=link.high_water or 0)
        if row is not None:
            return self._made(sort, row, link.note)
        until = datetime.fromisoformat(link.note["at"]) + _STILL_AT_WORK
        if until <= self.clock():
            return None
        return InDoubt("an attempt to create it may still be under way", until)

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
        no doubt. Otherwise an answer that leaves it open is looked into at once.
        """
        high_water = await self._high_water(sort)
        started = self.clock()
        note = {"mark": mark, "trace": dict(trace), "at": started.isoformat()}
        sending = Link(link.kind, link.key, link.parent, state=SENDING, high_water=high_water, note=note)
        unsent = Link(link.kind, link.key, link.parent, state=UNSENT, high_water=high_water)
        await self.links.save(sending)
        try:
            row = single(await self.client.post(sort.path, body), sort.name)
        except Closed as closed:
            made = await self._made_after_all(sort, sending, reference)
            return made or InDoubt(str(closed), started + _STILL_AT_WORK)
        except (Rejected, NotSent, Throttled):
            await self.links.save(unsent)
            raise
        except Failed as failed:
            made = await self._made_after_all(sort, sending, reference)
            if made is None:  # they have ended with it and it is not there: no doubt is left
                await self.links.save(unsent)
                return InDoubt(str(failed), failed=True)
            return made
        except Unreachable as unreachable:
            made = await self._made_after_all(sort, sending, reference)
            return made or InDoubt(str(unreachable), started + _STILL_AT_WORK)
        if row is None or whole(row.get("id")) is None:
            made = await self._made_after_all(sort, sending, reference)
            return made or InDoubt("the answer to its creation has no id")
        return self._made(sort, row, note)

    async def _made_after_all(self, sort: Sort, sending: Link, reference: str) -> Made | None:
        row = await self._find(sort, reference, newer_than=sending.high_water or 0)
        return None if row is None else self._made(sort, row, sending.note)

    def _made(self, sort: Sort, row: Json, note: Mapping[str, Any]) -> Made:
        number = whole(row.get("id"))
        assert number is not None, "rows without an id are never taken for ours"
        self._marks[sort.kind] = max(number, self._marks.get(sort.kind, 0))
        return Made(number, row, str(note.get("mark", "")), note.get("trace") or {})

    async def _find(self, sort: Sort, reference: str, *, newer_than: int) -> Json | None:
        """The oldest thing newer than the mark that carries our reference.

        `since_id` is known from other lists and only presumed here; an ignored filter returns everything, which
        costs calls but misleads nobody: every row is looked at, and a list that ends early is `Unreachable`.
        """
        found: list[Json] = []
        async for page in self.client.pages(sort.path, sort.list_name, since_id=newer_than):
            found += [
                row
                for row in page
                if words(row.get(sort.reference)) == reference and (whole(row.get("id")) or 0) > newer_than
            ]
        return min(found, key=lambda row: whole(row.get("id")) or 0, default=None)

    async def _high_water(self, sort: Sort) -> int:
        """An id that exists already; 0 if there is none. The highest that we know of, read only if we know none.

        The order of the list is not published: the newest is on its first or its last page, and any id that
        exists is safe.
        """
        if sort.kind not in self._marks:
            known = await self.links.high_water(sort.kind)
            self._marks[sort.kind] = await self._highest(sort) if known is None else known
        return self._marks[sort.kind]

    async def _highest(self, sort: Sort) -> int:
        first = await self.client.get(sort.path)
        rows = list(items(first, sort.list_name) or ())
        last = meta(first).total_pages
        if last is not None and last > 1:
            rows += items(await self.client.get(sort.path, page=last), sort.list_name) or ()
        return max((whole(row.get("id")) or 0 for row in rows), default=0)
