"""The first page: how the shop stands, what to do next, the day in numbers, every flow, every order."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from math import floor
from typing import Any

from fastapi import APIRouter, Request, Response

from upbridge.core.clock import PRAGUE
from upbridge.core.errors import NotFound
from upbridge.domain.days import SHOWN_DAYS
from upbridge.engine.runs import pause_imports, resume_imports
from upbridge.insights.flow_lights import Light
from upbridge.insights.words import size_words
from upbridge.web.delays import delays_of
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session, Watching
from upbridge.web.formatting import COLOURS, ends_words, first_heading, import_words, notices, step_words
from upbridge.web.queries.overview import Overviews

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: Seconds until a page that is open asks for itself again, while something on it moves and when nothing does.
_QUICK, _CALM = 2, 15


class _SandboxedRoute(PageRoute):
    """Answers a sandboxed frame too: its origin is `null`, and its own polling is a cross-origin request. It gives
    nothing away: there are no cookies, and the caller has to know the address, which is the secret."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            response = await handle(request)
            response.headers["Access-Control-Allow-Origin"] = "*"
            return response

        return answered


@router.get("", include_in_schema=False)
@router.get("/")
async def start(here: Session) -> Response:
    """The first page."""
    return await _page(here)


async def progress(here: Watching) -> Response:
    """The first page as it is now, for a page that is open and renews itself: all of it at once, so that no two of
    its numbers are of different moments. Polling is no activity of a user: the session goes on ageing."""
    return await _page(here)


router.add_api_route("/progress", progress, route_class_override=_SandboxedRoute)


async def alive(here: Session) -> Response:  # noqa: ARG001 - Session is the activity
    """A person is typing into a form: the session does not end meanwhile."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


router.add_api_route("/alive", alive, route_class_override=_SandboxedRoute)


async def _page(here: PageContext) -> Response:
    pages, now, health = here.pages, here.pages.clock(), await here.health()
    view = await pages.views.start(health)
    numbers = await Overviews(pages.systems, pages.engine).of(health, now)
    told = notices(view, here.texts, pages.systems)
    return await here.page(
        "start",
        view=view,
        numbers=numbers,
        heading=first_heading(view, here.texts),
        notices=told,
        acting=next((place for place, one in enumerate(told) if one.action), None),
        steps_words=lambda name: step_words(name, here.texts, pages.systems),
        colours=COLOURS,
        size=lambda kind, number: size_words(kind, number, here.texts),
        platform=pages.systems.platform.name,
        shipments=any(flow.kind == "shipment" and flow.light is not Light.OFF for flow in health.flows),
        import_words=lambda one: import_words(one, here.texts),
        ends=ends_words(view, here.texts, now=now),
        period=SHOWN_DAYS,
        day=here.texts.day,
        today=now.astimezone(PRAGUE).date(),
        now=here.texts.hour(now, seconds=True),
        renew=(f"{here.home}progress", _CALM if view.settled else _QUICK),
        # Never 100 % as long as anything was missed.
        coverage_share=floor((numbers.coverage.share or 0) * 1000) / 10,
        delays=[delays_of(system, days, here.texts) for system, days in numbers.delays.items()],
    )


@router.post("/setup/{system}/without")
async def without(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Stop asking the shop to connect a system that it does without. It can still be connected."""
    if here.pages.systems.get(system) is None or system not in here.pages.systems.titles:
        raise NotFound
    await here.pages.views.do_without(here.shop.id, system)
    return here.go("start")


@router.post("/import/pause")
async def pause(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """No calls for the first import until a user resumes it."""
    async with here.pages.engine.begin() as tx:
        paused = await pause_imports(tx, here.shop.id)
    return here.go("start", "import_paused" if paused else "import_still")


@router.post("/import/resume")
async def resume(here: Session, form: Posted) -> Response:  # noqa: ARG001 - Posted guards
    """Go on with the first import where it was paused."""
    async with here.pages.engine.begin() as tx:
        resumed = await resume_imports(tx, here.shop.id, now=here.pages.clock())
    return here.go("start", "import_resumed" if resumed else "import_still")
