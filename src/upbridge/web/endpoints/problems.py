"""Problems: what needs a person, grouped by cause, with its cure; try again or "I handled it by hand"."""

import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from upbridge.core.errors import BadRequest, NotFound
from upbridge.core.parsing import whole
from upbridge.domain.delivery import is_guard
from upbridge.insights.news import TOLD_BY_LIGHTS
from upbridge.insights.words import cause_words
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.formatting import cause_id, problem_words
from upbridge.web.forms import one
from upbridge.web.queries.problems import LISTED, cures_of, not_retried, problem_groups, problem_ids

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: How many problems one click treats: each is a few statements, and a page should answer.
AT_ONCE = 300


@router.get("/problems")
async def problems(here: Session) -> Response:
    """The open problems by cause."""
    groups = await problem_groups(here.pages.engine, here.shop.id)
    return here.page(
        "problems",
        groups=groups,
        total=sum(group.count for group in groups),
        cures=cures_of(here.pages.systems),
        guards={group.key for group in groups if is_guard(group.key)},
        no_retry=not_retried(here.pages.systems),
        told_by_lights=TOLD_BY_LIGHTS,
        listed=LISTED,
        at_once=AT_ONCE,
        cause_id=cause_id,
        title=lambda group: cause_words(group.key, here.texts),
        words=lambda problem: problem_words(problem, here.texts, here.pages.systems),
        has_text=here.texts.has,
    )


@router.post("/problems/retry")
async def try_again(here: Session, form: Posted) -> Response:
    """Send or read again, one or a whole group."""
    return here.go("problems", "retried", await _each(here, form, here.pages.act().problems.retry))


@router.post("/problems/by-hand")
async def by_hand(here: Session, form: Posted) -> Response:
    """A person handled it: what was parked is not sent."""
    return here.go("problems", "by_hand", await _each(here, form, here.pages.act().problems.dismiss))


def _id(form: dict[str, list[str]], name: str) -> int | None:
    typed = one(form, name)
    number = whole(typed)
    if typed and number is None:
        raise BadRequest
    return number


async def _each(here: PageContext, form: dict[str, list[str]], treat: Callable[[int], Awaitable[str]]) -> int:
    """Treat what the form names, if it is this shop's; returns how many. What a slow database leaves over is still
    on the list."""
    only, newest = _id(form, "id"), _id(form, "newest")
    cause = tuple(one(form, name) for name in ("key", "target", "kind"))
    ids = await problem_ids(
        here.pages.engine,
        here.shop.id,
        cause=None if only is not None else (cause[0], cause[1], cause[2]),
        only=only,
        newest=newest,
        limit=AT_ONCE,
    )
    treated, ends = 0, time.monotonic() + here.pages.deadline / 2
    for problem_id in ids:
        if time.monotonic() > ends:
            break
        try:
            await treat(problem_id)
        except NotFound:  # it closed by itself meanwhile
            continue
        treated += 1
    return treated
