"""An order: where it is in each system, what happened to it, what can be done; and whom it is about, for who asks.

Personal data is hidden until a user asks. The user gets it from the shop, once: the form leads to a page
whose permit is used up by looking, so that to load it again, or to come back to it, shows and costs nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.core.errors import Conflict, NotFound, RemoteError, Throttled, Unreachable
from upbridge.domain.order import Address, Shopper
from upbridge.insights.order_lookup import EnoughShown, OrderLookup
from upbridge.insights.words import cause_words
from upbridge.operations.many_problems import can_be_tried
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.endpoints.find import LONGEST
from upbridge.web.endpoints.orders import connected_systems
from upbridge.web.formatting import problem_words, reason_words
from upbridge.web.forms import one
from upbridge.web.queries.order import OrderCard, arithmetic, card_of

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """The shop's answer to whom an order is about: *order*, or *why* not (a text's last part) and *until* when."""

    at: datetime
    order: OrderLookup | None = None
    why: str | None = None
    until: datetime | None = None


@router.get("/order")
async def order(here: Session) -> Response:
    """The order's page."""
    number = _number(here.query.get("number", ""))
    card = await _card(here, number)
    if card is None:
        return await here.page("orders", template="no_order", status=HTTPStatus.NOT_FOUND, wanted=number)
    return await _page(here, card, await _ask(here, number) if await _permitted(here) else None)


@router.post("/order/whom")
async def whom(here: Session, form: Posted) -> Response:
    """Lead to the same order with whom it is about."""
    permit = await here.pages.sessions.permit(here.visitor)
    return here.go("order", number=_number(one(form, "number")), permit=permit)


@router.post("/order/again")
async def again(here: Session, form: Posted) -> Response:
    """Send what was stopped, and read the order again: what differs somewhere is sent."""
    number = _number(one(form, "number"))
    if await _each(here, number, here.pages.act().problems.retry) is not None:
        await here.pages.act().again.order(here.shop, number)
    return here.go("order", "order_again", number=number)


@router.post("/order/handled")
async def handled(here: Session, form: Posted) -> Response:
    """A person handled the order: what was stopped of it is not sent."""
    number = _number(one(form, "number"))
    return here.go("order", "by_hand", await _each(here, number, here.pages.act().problems.dismiss), number=number)


async def _each(here: PageContext, number: str, treat: Callable[[int], Awaitable[str]]) -> int | None:
    """Treat the open problems of the order; returns how many, None if there is no such order."""
    card = await _card(here, number)
    if card is None:
        return None
    treated = 0
    for problem in card.open:
        try:
            await treat(problem.problem.id)
        except NotFound:  # it closed by itself meanwhile
            continue
        treated += 1
    return treated


async def _card(here: PageContext, number: str) -> OrderCard | None:
    return await card_of(
        here.pages.engine,
        here.shop,
        number,
        systems=await connected_systems(here),
        platform=here.pages.systems.platform.name,
        open_body=here.pages.act().open_body,
    )


async def _page(here: PageContext, card: OrderCard, asked: AskedOrder | None) -> Response:
    systems, outline = here.pages.systems, card.outline
    retried = [one for one in card.open if can_be_tried(systems, one.problem.key, one.problem.kind, one.stage)]
    address = (outline.admin_url or "") if outline is not None else ""
    names = (here.shop.facts or {}).get("status_names") or {}
    status = None if outline is None else names.get(str(outline.status_id))
    return await here.page(
        "orders",
        template="order",
        card=card,
        # A status has a name in each of the shop's languages, hardly in the reader's.
        status_name=(status.get(here.texts.language) or next(iter(status.values()), None)) if status else None,
        # An address of the shop, which a page may lead to only if it is one.
        admin_url=address if address.startswith(("https://", "http://")) else None,
        retried=retried or not card.open,
        platform=systems.platform.name,
        asked=asked,
        person=_person(asked.order.order.shopper) if asked and asked.order else (),
        arithmetic=arithmetic,
        price=here.texts.price,
        problem=lambda one: problem_words(one, here.texts, systems),
        cause=lambda key: cause_words(key, here.texts),
        why=lambda reason: reason_words(reason, here.texts),
    )


def _number(text: str) -> str:
    return text.replace("\x00", "").strip()[:LONGEST]


async def _permitted(here: PageContext) -> bool:
    permit = here.query.get("permit", "")
    return await here.pages.sessions.use(permit, here.visitor)


async def _ask(here: PageContext, number: str) -> AskedOrder:
    now = here.pages.clock()
    try:
        return AskedOrder(now, order=await here.pages.act().orders.look_up(here.shop, number))
    except Throttled as error:
        later = "enough" if isinstance(error, EnoughShown) else "later"
        return AskedOrder(now, why="unreachable" if error.until is None else later, until=error.until)
    except Conflict:
        return AskedOrder(now, why="stopped")
    except NotFound:
        return AskedOrder(now, why="gone")
    except Unreachable:
        return AskedOrder(now, why="unreachable")
    except RemoteError:
        return AskedOrder(now, why="unreadable")


def _person(shopper: Shopper | None) -> list[tuple[str, str]]:
    """What the order says of its customer: the last part of a text's key, and the value; no empty ones."""
    if shopper is None:
        return []
    said = {
        "name": _joined(" ", shopper.billing.first_name, shopper.billing.last_name),
        "company": shopper.company,
        "company_number": shopper.company_number,
        "vat_number": shopper.vat_number,
        "email": shopper.email,
        "phone": shopper.phone,
        "billing": _address(shopper.billing),
        "shipping": _address(shopper.shipping) if shopper.shipping else None,
        "note": shopper.note,
    }
    return [(name, value) for name, value in said.items() if value]


def _address(one: Address) -> str:
    name, place = _joined(" ", one.first_name, one.last_name), _joined(" ", one.postcode, one.city)
    return _joined(", ", one.company, name, one.street, place, one.state, one.country)


def _joined(between: str, *parts: str | None) -> str:
    return between.join(part for part in parts if part)
