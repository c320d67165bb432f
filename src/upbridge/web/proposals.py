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


def shown(value: Shown, texts: Texts) -> str:
    """A side of a change, for people."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return texts.get("ui.decision.on_sale" if value else "ui.decision.off_sale")
    return texts.number(value)


async def as_file(here: PageContext, name: str, following: NextChanges) -> Response:
    """All changes as CSV, read while they are sent."""
    first = await following("", _PORTION)
    return StreamingResponse(
        _lines(here, following, first), media_type=MEDIA_TYPE, headers=attachment(f"{name}-{here.shop.key}")
    )


async def _lines(here: PageContext, following: NextChanges, portion: Sequence[Proposed]) -> AsyncIterator[bytes]:
    names = ("products.code", "products.title", "decision.old", "decision.new")
    yield MARK + rows([[here.texts.get(f"ui.{name}") for name in names]])
    while portion:
        yield rows([one.code, one.title, _cell(one.old, here), _cell(one.new, here)] for one in portion)
        if len(portion) < _PORTION:
            return
        try:
            portion = await with_deadline(here.pages.deadline, following(portion[-1].key, _PORTION))
        except TimeoutError:
            log.warning("download_broken_off", shop_id=str(here.shop.id))
            raise


def _cell(value: Shown, here: PageContext) -> object:
    """A number as a spreadsheet reads it."""
    return shown(value, here.texts) if isinstance(value, bool) else value
