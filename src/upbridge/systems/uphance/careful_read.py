"""A list of Uphance where a page of it cannot be read: what stands on the page is found, and asked for alone.

since_id=200 ──► cannot be read      a product behind 200 is the cause
since_id=201, 205, 221, …  ──►       the first that can be read lies behind it
in halves ──► 217                    the highest id of those that are to blame
/products/201 … /products/217        each known product for itself: the one is named, its neighbours are read
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.schemas import Json, items, meta, whole

_MOST_STEPS = 14
"""Each step is four times the one before: beyond that many it is not a row that is broken but Uphance."""
_MOST_LOST = 3
"""If the first few cannot be had, one by one, it is Uphance that is broken."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """A list that is sorted by id, what it is called in an answer, and one row of it. *query*: its filters."""

    path: str
    plural: str
    singular: str
    query: Mapping[str, str | int] = field(default_factory=dict)


PRODUCTS = Sorted("/products", "products", "product")


@dataclass(frozen=True, slots=True)
class CarefulRead:
    """What could be read of all rows, and the ids of those that could not."""

    rows: list[Json]
    missed: list[int]


async def read_carefully(
    client: UphanceClient, known: Collection[int], *, of: Sorted = PRODUCTS, since: int = 0
) -> CarefulRead:
    """All rows of a list behind the id *since* but those that cannot be read. *known*: rows from before, to be
    asked for alone if need be.

    Raises `Unreachable` if nothing can be read, or if the list is not sorted by id.
    """
    found: dict[int, Json] = {}
    missed: list[int] = []
    last = False
    while not last:
        page = await _page(client, of, since)
        if page is None:
            until = await _end_of_gap(client, of, since)
            doubtful = sorted({*(one for one in known if since < one < until), until})
            missed += [number for number in doubtful if not await _alone(client, of, number, found)]
            since = until
            continue
        rows, last = page
        found |= rows
        since = max(rows, default=since)
    return CarefulRead(list(found.values()), missed)


async def read_each(
    client: UphanceClient, of: Sorted, ids: Collection[int]
) -> tuple[dict[int, Json | None], list[int]]:
    """The rows *ids*, each asked for alone, None for one that is gone; and those that cannot be read.

    Raises `Unreachable` or `Rejected` if none of the first few can be read.
    """
    found: dict[int, Json | None] = {}
    missed: list[int] = []
    for number in sorted(ids):
        try:
            found[number] = await client.one(f"{of.path}/{number}", of.singular)
        except NotSent:
            raise
        except (Unreachable, Rejected):
            missed.append(number)
            if not found and len(missed) >= min(_MOST_LOST, len(ids)) > 1:
                raise
    return found, missed


async def _page(client: UphanceClient, of: Sorted, since: int) -> tuple[dict[int, Json], bool] | None:
    """The rows of the page behind *since*, and whether it is the last; None if it cannot be read."""
    try:
        payload = await client.get(of.path, **of.query, **({"since_id": since} if since else {}))
    except NotSent:
        raise
    except (Unreachable, Rejected):
        return None
    rows = items(payload, of.plural)
    if rows is None:
        return None
    ids = [whole(row.get("id")) or 0 for row in rows]
    last = meta(payload).next_page is None
    if ids != sorted(set(ids)) or (ids and ids[0] <= since) or (not ids and not last):
        raise Unreachable(f"{of.path} is not sorted by id")
    return dict(zip(ids, rows, strict=True)), last


async def _end_of_gap(client: UphanceClient, of: Sorted, since: int) -> int:
    """The highest id behind *since* without which the next page can be read."""
    low, high = since, since + 1
    for step in range(_MOST_STEPS):
        if await _page(client, of, high) is not None:
            break
        low, high = high, high + 4 ** (step + 1)
    else:
        raise Unreachable(f"{of.path} cannot be read")
    while high - low > 1:
        middle = (low + high) // 2
        if await _page(client, of, middle) is None:
            low = middle
        else:
            high = middle
    return high


async def _alone(client: UphanceClient, of: Sorted, number: int, found: dict[int, Json]) -> bool:
    """Ask for one row; returns whether there was an answer. One that is gone is none of ours any more."""
    try:
        row = await client.one(f"{of.path}/{number}", of.singular)
    except NotSent:
        raise
    except (Unreachable, Rejected):
        return False
    if row is not None:
        found[number] = row
    return True
