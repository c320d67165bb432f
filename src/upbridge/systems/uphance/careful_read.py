"""A list of Uphance where a page of it cannot be read: what stands on the page is found, and asked for alone.

since_id=200 ──► cannot be read      a product behind 200 is the cause
since_id=201, 205, 221, …  ──►       the first that can be read lies behind it
in halves ──► 217                    the highest id of those that are to blame
/products/201 … /products/217        each known product for itself: the one is named, its neighbours are read

What lies above a mark is not known before (`read_above`): there each id of a short gap is asked for, and a longer
one is left as a gap. A list without `since_id` is read by the numbers of its pages; there the gap is a page.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from upbridge.core.errors import NotSent, Rejected, Unreachable
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.schemas import Json, Meta, items, meta, whole

_MOST_STEPS = 14
"""Each step is four times the one before: beyond that many it is not a row that is broken but Uphance."""
_MOST_LOST = 3
"""If the first few cannot be had, one by one, it is Uphance that is broken."""
_MOST_ALONE = 100
"""So many ids of a gap are asked for alone."""
_SURE = 3
"""So often what cannot be read is asked for before it counts as a row that is there and broken: no id that is to
come may be taken for one."""
_BEHIND_ALL = 10**15
"""No row has a higher id: what lies behind it is an empty page, unless it is the list that cannot be read."""


@dataclass(frozen=True, slots=True)
class ListById:
    """A list that is sorted by id, what it is called in an answer, and one row of it. *query*: its filters."""

    path: str
    plural: str
    singular: str
    query: Mapping[str, str | int] = field(default_factory=dict)


PRODUCTS = ListById("/products", "products", "product")


@dataclass(frozen=True, slots=True)
class CarefulRead:
    """What could be read of all rows, and the ids of those that could not."""

    rows: list[Json]
    missed: list[int]


async def read_carefully(
    client: UphanceClient, known: Collection[int], *, of: ListById = PRODUCTS, since: int = 0
) -> CarefulRead:
    """All rows of a list behind the id *since* but those that cannot be read. *known*: rows from before, to be
    asked for alone if need be; one that is said to be gone counts as one that cannot be read, as long as the list
    cannot be read where it stood.

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
            for number in doubtful:
                await _alone(client, of, number, found)
            missed += [number for number in doubtful if number not in found]
            since = until
            continue
        rows, last = page
        found |= rows
        since = max(rows, default=since)
    return CarefulRead(list(found.values()), missed)


async def read_each(
    client: UphanceClient, of: ListById, ids: Collection[int]
) -> tuple[dict[int, Json | None], list[int]]:
    """The rows *ids*, each asked for alone, None for one that is gone and not in the list either; and those that
    cannot be read.

    Raises `Unreachable` or `Rejected` if none of the first few can be read.
    """
    found: dict[int, Json | None] = {}
    missed: list[int] = []
    for number in sorted(ids):
        try:
            row = await client.one(f"{of.path}/{number}", of.singular)
            found[number] = row if row is not None else await still_there(client, of, number)
        except NotSent:
            raise
        except (Unreachable, Rejected):
            missed.append(number)
            if not found and len(missed) >= min(_MOST_LOST, len(ids)) > 1:
                raise
    return found, missed


async def still_there(client: UphanceClient, of: ListById, number: int) -> Json | None:
    """The row *number*, which is said to be gone, as the list has it; None if it has none there either.

    Raises `Unreachable` or `Rejected` if the list cannot be read where it stood: then it is not believed.
    """
    payload = await client.get(of.path, **of.query, since_id=number - 1)
    rows = items(payload, of.plural)
    if rows is None:
        raise Unreachable(f"the answer has no list of {of.plural}")
    return next((row for row in rows if whole(row.get("id")) == number), None)


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows above *low* and up to *high* that cannot be read, one at least; None: to the end of the list."""

    low: int
    high: int | None

    def holds(self, other: "Gap") -> bool:
        """Whether all that is in *other* is in it."""
        below = self.high is None or (other.high is not None and other.high <= self.high)
        return self.low <= other.low and below

    def __str__(self) -> str:
        """Its ids, for people."""
        if self.high is None:
            return f"{self.low + 1} …"
        return str(self.high) if self.high == self.low + 1 else f"{self.low + 1} … {self.high}"


async def read_above(
    client: UphanceClient, of: ListById, low: int, high: int | None = None
) -> tuple[dict[int, Json], list[Gap]]:
    """The rows whose ids are above *low* and at most *high*, by id, and where there are some that cannot be read.

    Raises `Unreachable` if it is not a row but Uphance that is broken, or if the list is not sorted by id.
    """
    behind = await _page_by(client, of, since_id=_BEHIND_ALL)
    if behind is not None and not behind[0]:
        found, gaps = await _above_by_id(client, of, low, high)
    else:
        found, gaps = await _above_by_numbers(client, of, low)
    return {one: row for one, row in found.items() if low < one and (high is None or one <= high)}, gaps


async def _above_by_id(
    client: UphanceClient, of: ListById, low: int, high: int | None
) -> tuple[dict[int, Json], list[Gap]]:
    found: dict[int, Json] = {}
    gaps: list[Gap] = []
    since, last = low, False
    while not last and (high is None or since < high):
        page = await _page(client, of, since)
        if page is None:
            until = await _end_of_gap(client, of, since)
            await _make_sure(client, of, until)
            gaps += await _narrow(client, of, Gap(since, until), found)
            since = until
            continue
        rows, last = page
        found |= rows
        since = max(rows, default=since)
    return found, gaps


async def _make_sure(client: UphanceClient, of: ListById, number: int) -> None:
    """Raise `Unreachable` if there may be no row *number* yet: the list could not be read for a moment only."""
    behind = await _page(client, of, number)
    if behind is not None and behind[0]:
        return  # newer ones are there, so no row comes any more up to it
    for _ in range(_SURE):
        if await _page(client, of, number - 1) is not None:
            raise Unreachable(f"{of.path} could not be read for a moment")


async def _narrow(client: UphanceClient, of: ListById, gap: Gap, found: dict[int, Json]) -> list[Gap]:
    """What is left of *gap* when each of its ids was asked for. The highest is to blame in any case."""
    assert gap.high is not None
    if gap.high - gap.low > _MOST_ALONE:
        return [gap]
    lost = [one for one in range(gap.low + 1, gap.high) if not await _alone(client, of, one, found)]
    await _alone(client, of, gap.high, found)
    return [Gap(one - 1, one) for one in (*lost, gap.high) if one not in found]


async def _above_by_numbers(client: UphanceClient, of: ListById, low: int) -> tuple[dict[int, Json], list[Gap]]:
    """Page by page from the end, as far as the mark: the newest are last."""
    first = await _page_by(client, of, page=1) or await _page_by(client, of, page=2)
    if first is None:
        raise Unreachable(f"{of.path} cannot be read")
    pages = first[1] or 1
    found: dict[int, Json] = {}
    gaps: list[Gap] = []
    passing, top = False, _BEHIND_ALL
    for number in range(pages, 0, -1):
        page = None
        for _ in range(_SURE):
            page = page or await _page_by(client, of, page=number)
        if page is None:
            passing, top = True, top if passing else min(found, default=_BEHIND_ALL) - 1
            continue
        rows = page[0]
        if list(rows) != sorted(rows) or (rows and max(rows) >= min(found, default=_BEHIND_ALL)):
            raise Unreachable(f"{of.path} is not sorted by id")
        found |= rows
        if passing and rows:
            gaps.append(Gap(max(low, *rows), top))
            passing = False
        if rows and min(rows) <= low:
            break
    if passing:
        gaps.append(Gap(low, top))
    ends = [Gap(gap.low, None if gap.high == _BEHIND_ALL - 1 else gap.high) for gap in gaps]
    return found, [gap for gap in ends if gap.high is None or gap.high > gap.low]


async def _answer(client: UphanceClient, of: ListById, **where: int) -> tuple[list[Json], Meta] | None:
    """The rows of a page and what stands beside them; None if it cannot be read."""
    try:
        payload = await client.get(of.path, **of.query, **where)
    except NotSent:
        raise
    except (Unreachable, Rejected):
        return None
    rows = items(payload, of.plural)
    return None if rows is None else (rows, meta(payload))


async def _page_by(client: UphanceClient, of: ListById, **where: int) -> tuple[dict[int, Json], int | None] | None:
    """A page by its number or behind an id, as it comes, and how many there are; None if it cannot be read."""
    answer = await _answer(client, of, **where)
    if answer is None:
        return None
    rows, beside = answer
    return {whole(row.get("id")) or 0: row for row in rows}, beside.total_pages


async def _page(client: UphanceClient, of: ListById, since: int) -> tuple[dict[int, Json], bool] | None:
    """The rows of the page behind *since*, and whether it is the last; None if it cannot be read."""
    answer = await _answer(client, of, **({"since_id": since} if since else {}))
    if answer is None:
        return None
    rows, beside = answer
    ids = [whole(row.get("id")) or 0 for row in rows]
    last = beside.next_page is None
    if ids != sorted(set(ids)) or (ids and ids[0] <= since) or (not ids and not last):
        raise Unreachable(f"{of.path} is not sorted by id")
    return dict(zip(ids, rows, strict=True)), last


async def _end_of_gap(client: UphanceClient, of: ListById, since: int) -> int:
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


async def _alone(client: UphanceClient, of: ListById, number: int, found: dict[int, Json]) -> bool:
    """Ask for one row; returns whether there was an answer, be it that it is gone."""
    try:
        row = await client.one(f"{of.path}/{number}", of.singular)
    except NotSent:
        raise
    except (Unreachable, Rejected):
        return False
    if row is not None:
        found[number] = row
    return True
