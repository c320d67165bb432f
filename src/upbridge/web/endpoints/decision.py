"""A guard's question: what it holds, old and new, and the answer, which is asked for twice."""

from fastapi import APIRouter, Response

from upbridge.core.errors import BadRequest, NotFound
from upbridge.core.parsing import digits
from upbridge.insights.words import cause_words
from upbridge.operations.held_changes import GuardedChanges
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.formatting import problem_words
from upbridge.web.forms import one
from upbridge.web.proposals import LISTED, as_file, shown

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/decision")
async def decision(here: Session) -> Response:
    """The numbers and the first changes; with `seen` the question whether they are really to be made."""
    held = await _held(here, here.query.get("id", ""))
    if held is None:
        return here.go("problems", "decided")
    seen, problem = here.query.get("seen", ""), held.problem
    if seen and seen != held.mark:
        return here.go("decision", "moved", id=str(problem.id))
    amounts = {**problem.params, "count": held.count, "system": here.pages.systems.title(problem.target)}
    changes = [] if seen else await here.pages.act().held.changes(problem, limit=LISTED)
    return await here.page(
        "problems",
        template="decision",
        heading=cause_words(problem.key, here.texts),
        said_of_it=here.texts.get(f"ui.sure.{problem.key}", **amounts)
        if seen
        else problem_words(problem, here.texts, here.pages.systems),
        count=held.count,
        changes=changes,
        sealed=any(one.sealed for one in changes),
        shown=lambda value, part: shown(value, here.texts, part),
        query=f"id={problem.id}",
        seen=held.mark,
        hidden={"id": problem.id, "seen": held.mark},
        sure=bool(seen),
        yes=here.texts.get(f"ui.approve.{problem.key}", **amounts),
        no=here.texts.get(f"ui.decline.{problem.key}"),
    )


@router.get("/decision.csv")
async def export(here: Session) -> Response:
    """All changes as CSV."""
    held = await _held(here, here.query.get("id", ""))
    if held is None:
        raise NotFound
    actions, problem = here.pages.act(), held.problem
    return await as_file(
        here, "changes", lambda after, limit: actions.held.changes(problem, after=after, limit=limit)
    )


@router.post("/decision/yes")
async def yes(here: Session, form: Posted) -> Response:
    """Make the changes, if they are still those that were shown."""
    held = await _held(here, one(form, "id"))
    if held is None:
        return here.go("problems", "decided")
    passed = await here.pages.act().held.approve(held.problem, one(form, "seen"))
    if passed is None:
        return here.go("decision", "moved", id=str(held.problem.id))
    return here.go("problems", "approved", passed)


@router.post("/decision/no")
async def no(here: Session, form: Posted) -> Response:
    """Do not make them, until they are others."""
    held = await _held(here, one(form, "id"))
    if held is None:
        return here.go("problems", "decided")
    return here.go("problems", "declined", await here.pages.act().held.decline(held.problem))


async def _held(here: PageContext, typed: str) -> GuardedChanges | None:
    """What waits for this answer; None where it waits no more."""
    number = digits(typed)
    if number is None:
        raise BadRequest
    try:
        return await here.pages.act().held.look(here.shop.id, number)
    except NotFound:
        return None
