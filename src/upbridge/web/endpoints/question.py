"""A question that is asked once: what the consent to it would do now, in numbers, and the two answers.

The answers are those of the page of problems: consent tries again, and no consent closes the question.
"""

from fastapi import APIRouter, Response

from upbridge.core.errors import BadRequest, NotFound
from upbridge.core.parsing import digits
from upbridge.insights.words import cause_words
from upbridge.store.problem_queries import Problem
from upbridge.systems.decisions import DryRun
from upbridge.web.dependencies import PageContext, PageRoute, Session
from upbridge.web.formatting import problem_words
from upbridge.web.proposals import LISTED, as_whole_file, shown

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@router.get("/question")
async def question(here: Session) -> Response:
    """The question, its numbers, and the first changes."""
    try:
        problem, foreseen = await _foreseen(here, LISTED)
    except NotFound:
        return here.go("problems", "decided")
    return await here.page(
        "problems",
        template="question",
        heading=cause_words(problem.key, here.texts),
        said_of_it=problem_words(problem, here.texts, here.pages.systems),
        foreseen=foreseen,
        problem_id=problem.id,
        shown=lambda value, part: shown(value, here.texts, part),
        query=f"id={problem.id}",
        yes=here.texts.get(f"ui.approve.{problem.key}", **foreseen.counts),
        no=here.texts.get(f"ui.decline.{problem.key}"),
    )


@router.get("/question.csv")
async def export(here: Session) -> Response:
    """All changes as CSV."""
    _, foreseen = await _foreseen(here, None)
    return as_whole_file(here, "changes", foreseen.changes)


async def _foreseen(here: PageContext, limit: int | None) -> tuple[Problem, DryRun]:
    number = digits(here.query.get("id", ""))
    if number is None:
        raise BadRequest
    return await here.pages.act().held.foresee(here.shop, number, limit=limit)
