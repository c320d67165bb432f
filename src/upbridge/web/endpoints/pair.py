"""A variant is paired with a SKU by hand: the SKU is looked for, and chosen."""

from fastapi import APIRouter, Response

from upbridge.core.errors import Conflict, NotFound
from upbridge.core.parsing import digits
from upbridge.operations.pairing import called
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.forms import one

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: So many SKUs are offered.
MOST = 20
_LONGEST = 100


@router.get("/pair")
async def ask(here: Session) -> Response:
    """The variant, and the SKUs that were looked for: at first those of its code, or of its name."""
    pairing, sku_system = here.pages.act().pairing, here.pages.systems.sku_system
    key = _typed(here.query.get("key", ""))
    if sku_system is None:
        raise NotFound
    variant = await pairing.variant(here.shop, key)
    wanted = _typed(here.query.get("q", ""))
    words = wanted or variant.code or variant.title or ""
    return await here.page(
        "products",
        template="pair",
        key=key,
        sku_system=sku_system,
        variant=variant,
        wanted=wanted or words,
        skus=await pairing.search(here.shop, words, most=MOST) if words else [],
        called=called,
        most=MOST,
    )


@router.post("/pair")
async def pair(here: Session, form: Posted) -> Response:
    """Pair the variant with the SKU."""
    key, sku_id = _typed(one(form, "key")), digits(one(form, "sku"))
    if sku_id is None:
        raise NotFound
    try:
        await here.pages.act().pairing.pair(here.shop, key, sku_id)
    except Conflict:
        return here.go("pair", "pair_taken", key=key)
    except NotFound:
        return _unmatched(here, "pair_gone")
    return _unmatched(here, "pair_done")


@router.post("/unpair")
async def unpair(here: Session, form: Posted) -> Response:
    """Let codes and EANs decide again."""
    was = await here.pages.act().pairing.unpair(here.shop, _typed(one(form, "key")))
    return _unmatched(here, "pair_undone" if was else "pair_gone")


def _unmatched(here: PageContext, said: str) -> Response:
    return here.go("products", said, show="unmatched")


def _typed(text: str) -> str:
    return text.replace("\x00", "").strip()[:_LONGEST]
