"""Products: the match report, and the same as a file."""

import csv
import io
from collections.abc import AsyncIterator

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from upbridge.pages.door import Here, PageRoute, Session
from upbridge.pages.views.products import every_item, products_of
from upbridge.sync.matches import Match

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_LONGEST_PAGE = 9
_ROWS_A_CHUNK = 500
#: A cell that begins like this is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/products")
async def products(here: Session) -> Response:
    """Counts, and the variants of one kind of match: those that are not matched if nobody chose."""
    wanted, page = here.query.get("show", ""), here.query.get("page", "1")
    shown = Match(wanted) if wanted in set(Match) else Match.UNMATCHED
    number = int(page) if page.isascii() and page.isdigit() and len(page) <= _LONGEST_PAGE else 1
    return here.page(
        "products",
        view=await products_of(here.pages.engine, here.shop.id, shown, number),
        matches=Match,
        connected="uphance" in await here.pages.connections.of(here.shop.id),
    )


@router.get("/products.csv")
async def export(here: Session) -> Response:
    """The whole report as CSV, as Czech and Slovak spreadsheets open it: semicolons, UTF-8 with its mark."""
    headers = {"Content-Disposition": f'attachment; filename="products-{here.shop.key}.csv"'}
    return StreamingResponse(_lines(here), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(here: Here) -> AsyncIterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=";")
    names = ("title", "code", "ean", "match", "sku_id", "sku_name")
    buffer.write("\ufeff")
    writer.writerow([here.texts.get(f"ui.products.{name}") for name in names])
    count = 0
    async for item in every_item(here.pages.engine, here.shop.id):
        match = here.texts.get(f"ui.match.{item.match}")
        writer.writerow(
            [_cell(one) for one in (item.title, item.code, item.ean, match, item.sku_id, item.sku_name)]
        )
        count += 1
        if count % _ROWS_A_CHUNK == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
