"""Costs: a file with the cost per acquisition is looked at row by row, and sent once all of it is right.

    choose a file → its rows, those that are wrong first, each with its reason → send → what was taken

Nothing is stored between the two steps: the page that shows the rows carries them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from upbridge.core.bounds import KIB, UPLOAD
from upbridge.core.errors import Conflict, LoginRefused, NotFound, Rejected, RemoteError, TooLarge
from upbridge.core.i18n import Texts
from upbridge.systems.base import System
from upbridge.systems.offers import CostRow, days_of
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.forms import one, read_upload

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: Days in one file: more than two years.
MOST_ROWS = 1_000
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class ShownCost:
    """A row as the page shows it; *wrong*: why it is not taken."""

    line: int | None
    typed: str
    day: str
    cost: str
    wrong: str


@router.get("/costs/{system}")
async def costs(here: Session, system: str) -> Response:
    """Choose a file."""
    found = _system(here, system)
    return await _page(here, found) if await _connected(here, found) else here.go("connections")


@router.post("/costs/{system}")
async def look(here: Session, request: Request, system: str) -> Response:
    """Show the rows of the file. Nothing is sent."""
    found = _system(here, system)
    try:
        fields = await read_upload(request, origin=here.pages.origin)
    except TooLarge:
        fields = None
    if not await _connected(here, found):
        return here.go("connections")
    if fields is None:
        return await _page(here, found, wrong=here.texts.get("ui.costs.too_large", size=UPLOAD.bytes // KIB))
    account = fields.get("discriminator", b"").decode(errors="replace").replace("\x00", "").strip()
    content = fields.get("file", b"")
    if not account or not content or len(account) > _LONGEST_NAME:
        return await _page(here, found, account[:_LONGEST_NAME], wrong=here.texts.get("ui.costs.fill_in"))
    return await _page(here, found, account, _rows(found, content))


@router.get("/costs/{system}/send")
async def sent(here: Session, system: str) -> Response:
    """Where a form of the page was sent to, opened again: a tab that a browser has restored."""
    return here.go(f"costs/{_system(here, system).name}")


@router.post("/costs/{system}/send")
async def send(here: Session, form: Posted, system: str) -> Response:
    """Send the rows that the page has shown."""
    found = _system(here, system)
    if not await _connected(here, found):
        return here.go("connections")
    account, rows = one(form, "discriminator")[:_LONGEST_NAME], _rows(found, one(form, "rows").encode())
    if not account or len(rows) > MOST_ROWS or any(row.wrong for row in rows):
        return await _page(here, found, account, rows)
    try:
        days = days_of(rows)
        await here.pages.act().costs.send(here.shop, found, account, days)
    except (RemoteError, Conflict) as error:
        wrong = here.texts.get(f"ui.costs.{_why(error)}", system=found.title)
        return await _page(here, found, account, rows, wrong=wrong)
    return here.go(f"costs/{found.name}", "costs_sent", len(days))


async def _page(
    here: PageContext, system: System, account: str = "", rows: Sequence[CostRow] = (), *, wrong: str = ""
) -> Response:
    if len(rows) > MOST_ROWS:
        rows, wrong = (), here.texts.get("ui.costs.too_many", rows=MOST_ROWS)
    wrongs = sum(row.wrong is not None for row in rows)
    right: dict[str, Any] = {"days": 0, "carried": "", "period": ""}
    if rows and not wrongs:
        days = days_of(rows)
        right = {
            "days": len(days),
            "carried": "\n".join(("date,cpa", *(f"{day},{cost}" for day, cost in days))),
            "period": " \N{EN DASH} ".join(
                dict.fromkeys(here.texts.full_day(day) for day in (days[0][0], days[-1][0]))
            ),
        }
    return await here.page(
        "connections",
        template="costs",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong or wrongs else HTTPStatus.OK,
        system=system,
        account=account,
        wrong=wrong or (here.texts.get("ui.costs.some_wrong", count=wrongs) if wrongs else ""),
        # The wrong ones first: they are what a person has to put right.
        rows=[_in_words(row, here.texts) for row in sorted(rows, key=lambda row: row.wrong is None)],
        most_rows=MOST_ROWS,
        most_bytes=UPLOAD.bytes // KIB,
        **right,
    )


def _in_words(row: CostRow, texts: Texts) -> ShownCost:
    wrong = ""
    if row.wrong is not None:
        values = {
            name: texts.full_day(it) if isinstance(it, date) else it for name, it in row.wrong.values.items()
        }
        wrong = texts.get(f"ui.costs.wrong.{row.wrong.reason}", **values)
    day = "" if row.day is None else texts.full_day(row.day)
    return ShownCost(row.line, row.typed, day, "" if row.cost is None else texts.money(row.cost), wrong)


def _why(error: RemoteError | Conflict) -> str:
    match error:
        case Conflict():
            return "stopped"
        case LoginRefused():
            return "refused"
        case Rejected():
            return "rejected"
        case _:
            return "no_answer"


def _rows(system: System, content: bytes) -> Sequence[CostRow]:
    assert system.costs is not None
    return system.costs.read(content)


def _system(here: PageContext, name: str) -> System:
    """Raises `NotFound` for a system that takes no costs."""
    found = here.pages.systems.get(name)
    if found is None or found.costs is None:
        raise NotFound
    return found


async def _connected(here: PageContext, system: System) -> bool:
    """Whether the shop is connected: a person may have disconnected it while the page was open."""
    return system.name in (await here.health()).rows
