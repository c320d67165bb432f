"""A run of stock is taken back: what would be written is shown first, and then exactly that."""

from fastapi import APIRouter, Response

from upbridge.core.errors import NotFound
from upbridge.core.parsing import digits
from upbridge.web.dependencies import PageRoute, Posted, Session
from upbridge.web.forms import one
from upbridge.web.proposals import LISTED, as_whole_file, shown

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/undo")
async def ask(here: Session) -> Response:
    """The numbers before the run, and the question whether they are to be written again."""
    number = _number(here.query.get("run", ""))
    run, found = await here.pages.act().undo.look(here.shop.id, number, limit=LISTED)
    return await here.page(
        "history",
        template="undo",
        run=run,
        number_of_run=number,
        part=found,
        shown=lambda value, part: shown(value, here.texts, part),
    )


@router.get("/undo.csv")
async def export(here: Session) -> Response:
    """All of them as CSV."""
    number = _number(here.query.get("run", ""))
    _, found = await here.pages.act().undo.look(here.shop.id, number, limit=None)
    return as_whole_file(here, "undo", found.changes)


@router.post("/undo")
async def undo(here: Session, form: Posted) -> Response:
    """Write them, if they are still those that were shown."""
    number = _number(one(form, "run"))
    count = await here.pages.act().undo.undo(here.shop.id, number, one(form, "seen"))
    if count is None:
        return here.go("undo", "moved", run=str(number))
    return here.go("history", "undone", count)


def _number(typed: str) -> int:
    number = digits(typed)
    if number is None:
        raise NotFound
    return number
