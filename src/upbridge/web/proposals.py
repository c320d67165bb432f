"""Changes that a page shows before they happen: the first of them as a table, all of them as a file."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import structlog
from fastapi import Response
from fastapi.responses import StreamingResponse

from upbridge.core.deadline import with_deadline
from upbridge.core.i18n import Texts
from upbridge.domain.proposed import Proposed, Shown
from upbridge.web.csv_files import MARK, MEDIA_TYPE, attachment, rows
from upbridge.web.dependencies import PageContext

log = structlog.get_logger(__name__)

#: So many changes a page shows.
LISTED = 50
#: A file is read in portions of so many.
_PORTION = 500

NextChanges = Callable[[str, int], Coroutine[Any, Any, Sequence[Proposed]]]
"""The changes that follow a key ("": the first), at most so many."""


#: What a yes and a no mean in the changes of a part: the last part of a text's key. Elsewhere: on sale or not.
_MEANINGS = {
    "orders_begin": ("sent", "not_sent"),
    "orders_stop": ("sent", "not_sent"),
    "create_products": ("made", "absent"),
}
_ON_SALE = ("on_sale", "off_sale")


def shown(value: Shown, texts: Texts, part: str = "") -> str:
    """A side of a change of *part*, for people."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        yes, no = _MEANINGS.get(part, _ON_SALE)
        return texts.get(f"ui.decision.{yes if value else no}")
    return texts.number(value)


async def as_file(here: PageContext, name: str, following: NextChanges) -> Response:
    """All changes as CSV, read while they are sent."""
    first = await following("", _PORTION)
    return StreamingResponse(
        _lines(here, following, first), media_type=MEDIA_TYPE, headers=attachment(f"{name}-{here.shop.key}")
    )


def as_whole_file(here: PageContext, name: str, changes: Sequence[Proposed], part: str = "") -> Response:
    """*changes*, which are all of *part*, as CSV."""
    body = MARK + rows([_names(here.texts), *(_line(one, here.texts, part) for one in changes)])
    return Response(body, media_type=MEDIA_TYPE, headers=attachment(f"{name}-{here.shop.key}"))


async def _lines(here: PageContext, following: NextChanges, portion: Sequence[Proposed]) -> AsyncIterator[bytes]:
    yield MARK + rows([_names(here.texts)])
    while portion:
        yield rows(_line(one, here.texts) for one in portion)
        if len(portion) < _PORTION:
            return
        try:
            portion = await with_deadline(here.pages.deadline, following(portion[-1].key, _PORTION))
        except TimeoutError:
            log.warning("download_broken_off", shop_id=str(here.shop.id))
            raise


def _names(texts: Texts) -> list[str]:
    names = ("products.code", "products.title", "decision.old", "decision.new")
    return [texts.get(f"ui.{name}") for name in names]


def _line(one: Proposed, texts: Texts, part: str = "") -> list[object]:
    return [one.code, one.title, _cell(one.old, texts, part), _cell(one.new, texts, part)]


def _cell(value: Shown, texts: Texts, part: str) -> object:
    """A number as a spreadsheet reads it."""
    return shown(value, texts, part) if isinstance(value, bool) else value
