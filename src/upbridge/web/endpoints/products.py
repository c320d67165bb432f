"""Products: the match report, and the same as a file."""

from collections.abc import AsyncIterator

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from upbridge.core.deadline import with_deadline
from upbridge.core.parsing import digits
from upbridge.domain.sku import Match
from upbridge.web.csv_files import MARK, MEDIA_TYPE, attachment, rows
from upbridge.web.dependencies import PageContext, PageRoute, Session
from upbridge.web.queries.products import Portion, portion_of, products_of

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_LONGEST_PAGE = 9


@router.get("/products")
async def products(here: Session) -> Response:
    """Counts, and the variants of one kind of match: those that are not matched, by default."""
    wanted, page = here.query.get("show", ""), here.query.get("page", "1")
    shown = Match(wanted) if wanted in set(Match) else Match.UNMATCHED
    sku_system = here.pages.systems.sku_system
    number = digits(page, longest=_LONGEST_PAGE)
    return await here.page(
        "products",
        view=await products_of(here.pages.engine, here.shop.id, shown, 1 if number is None else number),
        matches=Match,
        sku_system=sku_system,
        connected=sku_system is not None and sku_system.name in await here.pages.connections.of(here.shop.id),
    )


@router.get("/products.csv")
async def export(here: Session) -> Response:
    """The whole report as CSV.

    It is read while it is sent. A database that hangs at the beginning is a page; later it breaks the download
    off, so that a part is not taken for the whole.
    """
    first = await portion_of(here.pages.engine, here.shop.id, None)
    headers = attachment(f"products-{here.shop.key}")
    return StreamingResponse(_lines(here, first), media_type=MEDIA_TYPE, headers=headers)


async def _lines(here: PageContext, portion: Portion) -> AsyncIterator[bytes]:
    names = ("title", "code", "ean", "match", "sku_id", "sku_name")
    sku_system = here.pages.systems.sku_system
    called = "" if sku_system is None else sku_system.title
    yield MARK + rows([[here.texts.get(f"ui.products.{name}", system=called) for name in names]])
    words = {match: here.texts.get(f"ui.match.{match}") for match in Match}
    while portion.items:
        yield rows(
            (one.title, one.code, one.ean, words[one.match], one.sku_id, one.sku_name) for one in portion.items
        )
        if portion.last is None:
            return
        more = portion_of(here.pages.engine, here.shop.id, portion.last)
        try:
            portion = await with_deadline(here.pages.deadline, more)
        except TimeoutError:
            log.warning("download_broken_off", shop_id=str(here.shop.id))
            raise
