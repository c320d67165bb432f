"""Orders: every known order, the newest first, narrowed by number, box, reason and day; and the same as a file."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from upbridge.core.clock import begin_of_day
from upbridge.core.deadline import with_deadline
from upbridge.core.parsing import digits
from upbridge.insights.order_list import Box
from upbridge.insights.order_search import FoundOrder, FoundOrders, OrderSearch, find_orders
from upbridge.store.problem_queries import causes_of_kind
from upbridge.web.csv_files import MARK, MEDIA_TYPE, attachment, rows
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.formatting import read_date, reason_words, written_date
from upbridge.web.forms import one
from upbridge.web.order_numbers import number_in

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

PAGE = 50
#: A file is read in portions of so many orders.
_PORTION = 500
_LONGEST, _LONGEST_NUMBER = 100, 6
#: Why an order is not sent or waits, where no problem is the reason: the last parts of the keys of their words.
REASONS = ("too_old", "not_chosen", "cancelled", "waits", "at_rest", "rules", "reading", "sending")


@dataclass(frozen=True, slots=True)
class OrdersQuery:
    """What the form asks for, as it stands in the address."""

    wanted: OrderSearch
    fields: Mapping[str, str]
    """What was typed and chosen, by field, without what is empty."""
    page: int
    wrong: tuple[str, ...] = ()
    """The fields that are to name a day and name none."""

    def address(self, page: int | None = None, *, file: bool = False) -> str:
        """Where the same is found on another *page*, or as a file."""
        fields = {**self.fields, **({"page": str(page)} if page and page > 1 else {})}
        name = "orders.csv" if file else "orders"
        return f"{name}?{urlencode(fields)}" if fields else name


@router.get("/orders")
async def orders(here: Session) -> Response:
    """The list, a page of it."""
    asked = await _asked(here)
    found = await _portion(here, asked, (asked.page - 1) * PAGE, PAGE)
    async with here.pages.engine.connect() as tx:
        causes = await causes_of_kind(tx, here.shop.id, kind="order")
    return await here.page(
        "orders",
        asked=asked,
        boxes=list(Box),
        found=found,
        systems=await connected_systems(here),
        price=here.texts.price,
        reasons=[*REASONS, *causes],
        why=lambda reason: reason_words(reason, here.texts),
        first=(asked.page - 1) * PAGE + 1,
        last=(asked.page - 1) * PAGE + len(found.orders),
        behind=found.more or asked.page * PAGE < found.count,
    )


@router.get("/orders.csv")
async def export(here: Session) -> Response:
    """All of the list as CSV. It is read while it is sent: a database that hangs in the middle breaks it off, so
    that a part is not taken for the whole."""
    asked = await _asked(here)
    first = await _portion(here, asked, 0, _PORTION)
    return StreamingResponse(
        _lines(here, asked, first), media_type=MEDIA_TYPE, headers=attachment(f"orders-{here.shop.key}")
    )


@router.post("/orders/again")
async def again(here: Session, form: Posted) -> Response:
    """Compare the orders of one day with the shop again: what differs somewhere is sent."""
    day = read_date(one(form, "day"))
    if day is None or day >= date.max:
        return here.go("orders", "no_day")
    count = await here.pages.act().again.day(here.shop, day)
    return here.go("orders", "day_again", count, since=day.isoformat(), until=day.isoformat())


async def _lines(here: PageContext, asked: OrdersQuery, portion: FoundOrders) -> AsyncIterator[bytes]:
    systems, texts = await connected_systems(here), here.texts
    names = [texts.get(f"ui.orders.{name}") for name in ("number", "made", "amount", "currency")]
    titles = [here.pages.systems.title(system) for system in systems]
    yield MARK + rows(
        [[*names, *(cell for title in titles for cell in (title, texts.get("ui.orders.why_of", system=title)))]]
    )
    offset = 0
    while portion.orders:
        yield rows(_line(here, one) for one in portion.orders)
        offset += _PORTION
        if len(portion.orders) < _PORTION:
            return
        try:
            portion = await with_deadline(here.pages.deadline, _portion(here, asked, offset, _PORTION))
        except TimeoutError:
            log.warning("download_broken_off", shop_id=str(here.shop.id))
            raise


def _line(here: PageContext, one: FoundOrder) -> list[object]:
    amount = (one.outline.total, one.outline.currency) if one.outline else (None, None)
    made = here.texts.moment(one.ordered_at) if one.ordered_at else None
    places = [
        cell
        for place in one.places
        for cell in (
            here.texts.get(f"ui.box.{place.box}"),
            reason_words(place.reason, here.texts) if place.reason else None,
        )
    ]
    return [one.number, made, *amount, *places]


async def _portion(here: PageContext, asked: OrdersQuery, offset: int, limit: int) -> FoundOrders:
    async with here.pages.engine.connect() as tx:
        return await find_orders(
            tx,
            here.shop.id,
            asked.wanted,
            platform=here.pages.systems.platform.name,
            systems=await connected_systems(here),
            offset=offset,
            limit=limit,
        )


async def connected_systems(here: PageContext) -> list[str]:
    """The connected systems that orders go to, as people see them."""
    taking, rows = here.pages.systems.taking("order"), (await here.health()).rows
    return [system for system in here.pages.systems.titles if system in rows and system in taking]


async def _asked(here: PageContext) -> OrdersQuery:
    names = ("q", "system", "box", "reason", "since", "until", "days")
    typed = {name: here.query.get(name, "").replace("\x00", "").strip()[:_LONGEST] for name in names}
    found = {name: read_date(typed[name]) for name in ("since", "until")}
    since, until, days = found["since"], found["until"], digits(typed["days"], longest=3)
    typed |= {name: written_date(day) for name, day in found.items() if day is not None}
    start = here.pages.clock() - timedelta(days=days) if days else None
    system = typed["system"] if typed["system"] in await connected_systems(here) else None
    return OrdersQuery(
        OrderSearch(
            words=number_in(typed["q"], here.shop.key),
            system=system,
            box=Box(typed["box"]) if typed["box"] in set(Box) else None,
            reason=typed["reason"],
            since=begin_of_day(since) if since else start,
            until=begin_of_day(until + timedelta(days=1)) if until and until < date.max else None,
        ),
        {name: value for name, value in typed.items() if value},
        max(digits(here.query.get("page", "1"), longest=_LONGEST_NUMBER) or 1, 1),
        tuple(name for name, day in found.items() if typed[name] and day is None),
    )
