"""What a change of rules would do much of at once: shown before it is saved, and then done as it was shown."""

from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from upbridge.core.errors import BadRequest, NotFound
from upbridge.web.dependencies import PageContext, PageRoute, Session
from upbridge.web.proposals import LISTED, as_whole_file, shown

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


async def save_or_ask(
    here: PageContext, changed: Mapping[str, str], fields: Mapping[str, str], seen: str
) -> Response | None:
    """Save what *changed*; where that does much at once, only if its numbers were *seen*: else the page with them,
    whose form has *fields* too. None: it is saved. Raises `Clash`."""
    act = here.pages.act()
    rehearsed = await act.rehearsals.rehearse(here.shop, changed, limit=LISTED)
    if not rehearsed.parts:
        await act.settings.change(here.shop, changed, seen=here.shop.settings)
        return None
    if seen == rehearsed.mark and await act.rehearsals.change_as_shown(here.shop, changed, seen):
        return None
    return await here.page(
        "rules",
        template="dry_run",
        parts=rehearsed.parts,
        moved=bool(seen),
        hidden={**fields, **changed, "seen": rehearsed.mark},
        query=urlencode(changed),
        shown=lambda value, part: shown(value, here.texts, part),
    )


@router.get("/rules/changes.csv")
async def changes(here: Session) -> Response:
    """All that the settings in the query would change at once, as CSV; of several parts the one that is named."""
    declared = here.shop.settings.declared
    wanted = {key: text.strip() for key, text in here.query.items() if key in declared}
    try:
        rehearsed = await here.pages.act().rehearsals.rehearse(here.shop, wanted, limit=None)
    except BadRequest:
        raise NotFound from None
    parts = [part for part in rehearsed.parts if part.number]
    part = next((one for one in parts if one.name == here.query.get("only")), parts[0] if parts else None)
    return as_whole_file(here, "changes", part.changes if part else (), part.name if part else "")
