"""Find: products and variants by code, EAN or name, and orders by any number that they have."""

from fastapi import APIRouter, Response

from upbridge.core.errors import NotFound
from upbridge.core.parsing import digits
from upbridge.insights.words import cause_words
from upbridge.web.dependencies import PageRoute, Posted, Session
from upbridge.web.formatting import problem_words
from upbridge.web.forms import one
from upbridge.web.order_numbers import number_in
from upbridge.web.queries.find import MOST, Hit, search, timeline

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

LONGEST = 100


@router.get("/find")
async def find(here: Session) -> Response:
    """What a number, a code or a name finds; the one hit is shown at once: an order on its own page."""
    wanted = typed(here.query.get("q", ""))
    key = here.query.get("key", "").replace("\x00", "")[:LONGEST]
    number = number_in(wanted, here.shop.key)
    targets = here.pages.systems.taking("order")
    hits = await search(here.pages.engine, here.shop.id, wanted, number, targets=targets) if wanted else ()
    exact = [hit for hit in hits if hit.key == number or wanted in {hit.key, hit.code}]
    chosen: Hit | None = None
    if key:
        chosen = next((hit for hit in hits if (hit.kind, hit.key) == ("product", key)), None)
    elif len(hits) == 1 or len(exact) == 1:
        chosen = (exact or list(hits))[0]
    if chosen is not None and chosen.kind == "order":
        return here.go("order", number=chosen.key)
    return await here.page(
        "find",
        wanted=wanted,
        hits=hits,
        most=MOST,
        line=None
        if chosen is None
        else await timeline(here.pages.engine, here.shop.id, chosen, open_body=here.pages.act().open_body),
        problem=lambda one: problem_words(one, here.texts, here.pages.systems),
        cause=lambda key: cause_words(key, here.texts),
    )


@router.post("/find/again")
async def again(here: Session, form: Posted) -> Response:
    """Read a product again: what differs somewhere is sent."""
    key, wanted = digits(one(form, "key")), typed(one(form, "q"))
    if key is None:
        raise NotFound
    await here.pages.act().again.product(here.shop, str(key))
    return here.go("find", "product_again", q=wanted)


def typed(text: str) -> str:
    """What a person typed, as far as it can be looked for."""
    return text.replace("\x00", "").strip()[:LONGEST]
