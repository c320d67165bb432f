"""Find: where is my order, what happened to this product; and whom an order is about, for who asks.

Personal data is hidden until a user asks. The user gets it from the shop, once: the form leads to a page
whose permit is used up by looking, so that to load it again, or to come back to it, shows and costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Response

from upbridge.core.errors import Conflict, NotFound, RemoteError, Throttled, Unreachable
from upbridge.domain.order import Address, Shopper
from upbridge.insights.order_lookup import OrderLookup, look_up_order
from upbridge.insights.words import cause_words
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.formatting import problem_words
from upbridge.web.forms import one
from upbridge.web.queries.find import MOST, Hit, search, timeline
from upbridge.web.sessions import impossible

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_LONGEST = 100
_KINDS = ("order", "product")


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking whom an order is about: *order*, or *why* not (a text's last part) and *until* when."""

    at: datetime
    order: OrderLookup | None = None
    why: str | None = None
    until: datetime | None = None


@router.get("/find")
async def find(here: Session) -> Response:
    """What a number, a code or a name finds; one hit is shown at once with its timeline."""
    wanted = _typed(here.query.get("q", ""))
    kind, key = here.query.get("kind", ""), here.query.get("key", "").replace("\x00", "")[:_LONGEST]
    targets = here.pages.systems.taking("order")
    hits = await search(here.pages.engine, here.shop.id, wanted, targets=targets) if wanted else ()
    exact = [hit for hit in hits if wanted in {hit.key, hit.code}]
    chosen: Hit | None = None
    if kind in _KINDS and key:
        chosen = next((hit for hit in hits if (hit.kind, hit.key) == (kind, key)), None)
    elif len(hits) == 1 or len(exact) == 1:
        chosen = (exact or list(hits))[0]
    asked = None
    if chosen is not None and chosen.kind == "order" and await _permitted(here):
        asked = await _ask(here, chosen.key)
    return await _page(here, wanted, hits, chosen, asked)


@router.post("/find")
async def whom(here: Session, form: Posted) -> Response:
    """Lead to the same order with whom it is about."""
    wanted, key = _typed(one(form, "q")), one(form, "key")[:_LONGEST]
    permit = await here.pages.sessions.permit(here.visitor)
    return here.go("find", q=wanted, kind="order", key=key, permit=permit)


async def _permitted(here: PageContext) -> bool:
    permit = here.query.get("permit", "")
    return bool(permit) and not impossible(permit) and await here.pages.sessions.use(permit, here.visitor)


async def _ask(here: PageContext, number: str) -> Asked:
    now = here.pages.clock()
    try:
        return Asked(now, order=await look_up_order(here.pages.act(), here.shop, number))
    except Throttled as error:
        return Asked(now, why="unreachable" if error.until is None else "later", until=error.until)
    except Conflict:
        return Asked(now, why="stopped")
    except NotFound:
        return Asked(now, why="gone")
    except Unreachable:
        return Asked(now, why="unreachable")
    except RemoteError:
        return Asked(now, why="unreadable")


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


def _typed(text: str) -> str:
    return text.replace("\x00", "").strip()[:_LONGEST]


async def _page(
    here: PageContext, wanted: str, hits: Sequence[Hit], chosen: Hit | None, asked: Asked | None = None
) -> Response:
    cipher = here.pages.act().cipher
    return here.page(
        "find",
        wanted=wanted,
        hits=hits,
        most=MOST,
        line=None
        if chosen is None
        else await timeline(here.pages.engine, here.shop.id, chosen, open_body=cipher.decrypt),
        asked=asked,
        person=_person(asked.order.order.shopper) if asked and asked.order else (),
        problem=lambda one: problem_words(one, here.texts, here.pages.systems),
        cause=lambda key: cause_words(key, here.texts),
    )
