"""Support: what it has to know of the shop, to be read, copied and saved by the merchant before it is sent.

Nothing is sent from here: the merchant decides what support gets to see.
"""

from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from upbridge import __version__
from upbridge.insights.webhook_coverage import coverage
from upbridge.store import deliveries
from upbridge.store.problem_queries import largest_causes
from upbridge.web.dependencies import PageContext, PageRoute, Session
from upbridge.web.diagnosis import Diagnosis, report

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_MOST_CAUSES = 50


@router.get("/support")
async def support(here: Session) -> Response:
    """The report, and whom to send it to."""
    return await here.page(
        "support",
        report=await _report(here),
        subject=quote(f"Upbridge {__version__}: {here.shop.key}"),
    )


@router.get("/support.txt")
async def download(here: Session) -> Response:
    """The report as a file."""
    headers = {"Content-Disposition": f'attachment; filename="upbridge-{here.shop.key}.txt"'}
    return PlainTextResponse(await _report(here), headers=headers)


async def _report(here: PageContext) -> str:
    pages, now = here.pages, here.pages.clock()
    senders = [system for system in pages.systems.all if system.calls_back or system is pages.systems.platform]
    async with pages.engine.connect() as tx:
        causes = await largest_causes(tx, here.shop.id, apart=(), most=_MOST_CAUSES)
        heard = {system.name: await deliveries.last_from(tx, here.shop.id, system.name) for system in senders}
    found = Diagnosis(
        health=await here.health(),
        causes=causes,
        coverage=await coverage(pages.engine, here.shop.id, now=now),
        heard=heard,
        at=now,
    )
    return report(found, here.texts, pages.systems)
