"""Find: where is my order, what happened to this product."""

from fastapi import APIRouter, Response

from upbridge.pages.door import PageRoute, Session
from upbridge.pages.views.find import MOST, Hit, search, timeline
from upbridge.pages.words import cause_words, problem_words

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_LONGEST = 100
_KINDS = ("order", "product")


@router.get("/find")
async def find(here: Session) -> Response:
    """What a number, a code or a name finds; one hit is shown at once with its timeline."""
    wanted = here.query.get("q", "").replace("\x00", "").strip()[:_LONGEST]
    kind, key = here.query.get("kind", ""), here.query.get("key", "").replace("\x00", "")[:_LONGEST]
    hits = await search(here.pages.engine, here.shop.id, wanted) if wanted else ()
    exact = [hit for hit in hits if wanted in {hit.key, hit.code}]
    chosen: Hit | None = None
    if kind in _KINDS and key:
        chosen = next((hit for hit in hits if (hit.kind, hit.key) == (kind, key)), None)
    elif len(hits) == 1 or len(exact) == 1:
        chosen = (exact or list(hits))[0]
    sealer = here.pages.act().sealer
    return here.page(
        "find",
        wanted=wanted,
        hits=hits,
        most=MOST,
        line=None
        if chosen is None
        else await timeline(here.pages.engine, here.shop.id, chosen, open_body=sealer.open),
        problem=lambda one: problem_words(one, here.texts),
        cause=lambda key: cause_words(key, here.texts),
    )
