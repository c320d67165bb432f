"""What a walk through a list of the shop asks for, what it ends with, and which problems say what it missed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.clock import PRAGUE
from upbridge.core.errors import Missing, NotSent, Rejected, Unreachable
from upbridge.domain.delivery import ProblemKey
from upbridge.domain.order import Order
from upbridge.domain.platform import PLATFORM
from upbridge.domain.product import Product
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.walk import ListPage, ListRow
from upbridge.domain.walk_by_place import Places, PlaceWalk
from upbridge.domain.walk_by_time import TimeWalk, Window
from upbridge.engine.runs import AnyWalk
from upbridge.store import changes, runs, variants
from upbridge.store.changes import Change, Kind, Origin
from upbridge.store.problems import NewProblem, Stage, close_resolved, raise_problems, reopen
from upbridge.store.runs import Run, RunPurpose
from upbridge.systems.platform import OrderFilter, Page, ProductFilter, ShopApi

#: The kind of a problem that is about a list.
_LIST = "list"
_TRIES = 3
"""So often a page is asked for before the walk goes round it."""
_MOST_IDS = 500
"""So many ids may lie between two products for those in between to be asked for."""


async def ask_products(client: ShopApi, run: Run, walk: PlaceWalk, *, purpose: Purpose) -> Page[Product]:
    """The page that *walk* asks for. Raises what the client raises.

    The first import asks only for what is on sale; the safety net also wants what has just left the shop.
    """
    net = run.purpose is RunPurpose.SAFETY_NET
    filters = ProductFilter(updated_from=run.since) if net else ProductFilter(active=True, archived=False)
    return await client.products_page(walk.ask.page, size=walk.ask.size, filters=filters, purpose=purpose)


async def ask_orders(client: ShopApi, walk: TimeWalk, *, deleted: bool = False, purpose: Purpose) -> Page[Order]:
    """The page that *walk* asks for, of the orders that the shop has or of the *deleted* ones. Raises what the
    client raises."""
    asked = walk.ask
    if asked.window is not None:
        window = asked.window
        filters = OrderFilter(window.created_from, window.created_to, window.changed_from)
    elif walk.by == "updated":
        filters = OrderFilter(updated_from=asked.since)
    else:
        filters = OrderFilter(created_from=asked.since)
    filters = replace(filters, deleted=deleted)
    return await client.orders_page(asked.page, filters=filters, purpose=purpose)


def answer_of(page: Page[Order] | Page[Product]) -> ListPage:
    """What *page* tells a walk."""
    rows = [
        ListRow(one.key, created=one.created_at if isinstance(one, Order) else None, updated=one.updated_at)
        for one in page.items
    ]
    rows += [ListRow(bad.key) for bad in page.broken]
    return ListPage(rows, pages=page.pages, total=page.total)


def goes_round(walk: AnyWalk, change: Change, error: Unreachable | Rejected) -> bool:
    """Whether *walk* goes round the page that *change* asked for in vain, instead of asking again."""
    if isinstance(error, NotSent):
        return False
    gone = isinstance(error, Missing) and walk.ask.page > 1
    return gone or walk.isolating or change.attempts + 1 >= _TRIES


# --- what could not be read ---------------------------------------------------------------------------------


async def report_missed(tx: AsyncConnection, shop_id: ShopId, kind: str, walk: AnyWalk, *, now: datetime) -> None:
    """A run through the list of *kind* has ended: tell what it missed, or that nothing is missed any more.

    Products that can lie where it stumbled are asked for by id, so that the one is named that cannot be read.
    """
    untold: list[str] = []
    for one in walk.missed:
        if isinstance(one, Places):
            ids, all_told = await _ids_between(tx, shop_id, walk, one)
            await changes.mark_changed(
                tx, shop_id, PLATFORM, Kind.PRODUCT, ids, origin=Origin.SAFETY_NET, purpose=Purpose.SAFETY, now=now
            )
            untold += [] if all_told else [f"{one.since}-{one.until}"]
        elif isinstance(one, Window):
            untold.append(f"{_moment(one.created_from)} to {_moment(one.created_to)}")
    if untold:
        await raise_problems(tx, shop_id, [_missed(kind, untold)], now=now)
        await reopen(tx, shop_id, target=PLATFORM, kind=_LIST, entity=kind)
    elif not any(run.kind == kind and run.walk for run in await runs.incomplete(tx, shop_id)):
        await close_resolved(tx, shop_id, stages=[Stage.READ], target=PLATFORM, parents=[_parent(kind)])


class _Missed(ProblemKey):
    ORDER = "read.orders_missed"
    PRODUCT = "read.products_missed"


def _missed(kind: str, parts: Sequence[str]) -> NewProblem:
    return NewProblem(
        stage=Stage.READ,
        key=_Missed[kind.upper()],
        target=PLATFORM,
        kind=_LIST,
        entity=kind,
        parent=_parent(kind),
        params={"parts": ", ".join(parts)},
    )


def _parent(kind: str) -> str:
    return f"list of {kind}s"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(PRAGUE):%Y-%m-%d %H:%M:%S}"


async def _ids_between(
    tx: AsyncConnection, shop_id: ShopId, walk: AnyWalk, places: Places
) -> tuple[list[str], bool]:
    """Ids that the products at *places* can have, and whether they must be among them: the list is sorted by id.
    Else those between which we know."""
    ends = [int(end) for end in (places.after, places.before) if end is not None and end.isdigit()]
    if not isinstance(walk, PlaceWalk) or not walk.by_id or not ends:
        return [], False
    low, high = min(ends), max(ends)
    if len(ends) == 2 and high - low <= _MOST_IDS:  # noqa: PLR2004 - both ends
        return [str(number) for number in range(low + 1, high)], True
    known = await variants.products_between(tx, shop_id, low, high if high > low else None, limit=_MOST_IDS)
    return [str(number) for number in known], False
