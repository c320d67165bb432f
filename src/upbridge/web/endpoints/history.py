"""History: who did what and when, as the shop's staff read it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Response

from upbridge.core.i18n import Texts
from upbridge.core.parsing import digits
from upbridge.domain.history import Way, What
from upbridge.domain.shop import ShopState
from upbridge.insights.words import cause_words, size_words
from upbridge.store.history import Entry
from upbridge.systems.base import Systems
from upbridge.web.dependencies import PageRoute, Session
from upbridge.web.queries.history import history_of, run_of

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\Z")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
#: What has a cause of problems as its subject.
_ABOUT_CAUSES = frozenset({What.RELEASED, What.HANDLED, What.TAKEN_BACK, What.APPROVED, What.DECLINED})
#: What has a system as its subject.
_ABOUT_SYSTEMS = frozenset(
    {
        What.CONNECTED,
        What.DISCONNECTED,
        What.LOGIN_REFUSED,
        What.LOGIN_ELSEWHERE,
        What.LOGIN_RESTORED,
        What.WRONG_LOGIN,
        What.COSTS_SENT,
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in words. *run*: the stock run whose numbers can be looked at; *order*: the number that the words
    name, if they are about one order."""

    at: datetime
    what: str
    old: str
    new: str
    way: str
    run: int | None = None
    order: str | None = None


@router.get("/history")
async def history(here: Session) -> Response:
    """What was done, the newest first, a page of it; with `run` the numbers of one stock run."""
    number = digits(here.query.get("run", ""))
    run = None if number is None else await run_of(here.pages.engine, here.shop.id, number)
    before = digits(here.query.get("before", ""))
    view = await history_of(here.pages.engine, here.shop.id, before)
    return await here.page(
        "history",
        lines=[in_words(one, here.texts, here.pages.systems) for one in view.entries],
        older=view.older,
        newest=before is None,
        run=run,
        number_of_run=number,
    )


def in_words(entry: Entry, texts: Texts, systems: Systems) -> Line:
    """*entry* as a page tells it; one of a newer version by its own words."""
    way = texts.get(f"ui.history.way.{entry.way}") if entry.way in set(Way) else entry.way
    if entry.what not in set(What):
        return Line(entry.at, f"{entry.what} {entry.subject}".strip(), entry.old or "", entry.new or "", way)
    what = What(entry.what)
    old, new = _changed(what, entry, texts)
    return Line(
        entry.at,
        texts.get(f"ui.history.what.{what}", **_about(what, entry, texts, systems)),
        old,
        new,
        way,
        run=entry.id if what is What.STOCK else None,
        order=_order_of(what, entry),
    )


def _order_of(what: What, entry: Entry) -> str | None:
    """The number of the one order that *entry* is about."""
    if what is What.PERSON_SHOWN:
        return entry.subject
    if entry.details.get("kind") not in {"order", "shipment"}:
        return None
    if what is What.SENT_AGAIN:
        return None if _DAY.fullmatch(entry.subject) else entry.subject
    return str(entry.details["entity"]) if "entity" in entry.details else None


def _about(what: What, entry: Entry, texts: Texts, systems: Systems) -> Mapping[str, Any]:
    """What the text of an entry has to name."""
    details = entry.details
    if what is What.SETTING:
        rule = f"ui.rule.{entry.subject}"
        return {"rule": texts.get(rule) if texts.has(rule) else entry.subject}
    if what in _ABOUT_SYSTEMS:
        return {"system": systems.title(entry.subject), "number": details.get("count", 0)}
    if what in _ABOUT_CAUSES:
        about = {} if details.get("count") is None else {"number": details["count"]}
        # Many at once are one line, which says how many.
        entity = details.get("entity") or size_words(details.get("kind", ""), details.get("count", 0), texts)
        return {"cause": cause_words(entry.subject, texts), "entity": entity, **about}
    at, day = details.get("at"), _DAY.fullmatch(entry.subject)
    return {
        "subject": texts.full_day(date.fromisoformat(entry.subject)) if day else entry.subject,
        "number": details.get("count", 0),
        "at": datetime.fromisoformat(at) if at else None,
        "written": details.get("written", 0),
        "zeroed": details.get("zeroed", 0),
    }


def _changed(what: What, entry: Entry, texts: Texts) -> tuple[str, str]:
    """What was and what is, as the page calls it."""
    if what is What.SETTING:
        return _value(entry.old, texts), _value(entry.new, texts)
    if what is What.STATE:
        return _state(entry.old, texts), _state(entry.new, texts)
    return entry.old or "", entry.new or ""


def _value(typed: str | None, texts: Texts) -> str:
    if typed is None:
        return texts.get("ui.history.not_chosen")
    if _MOMENT.match(typed):
        return texts.moment(datetime.fromisoformat(typed))
    return texts.get("ui.rules.yes" if typed == "true" else "ui.rules.no") if typed in {"true", "false"} else typed


def _state(state: str | None, texts: Texts) -> str:
    if state is None:
        return ""
    return texts.get(f"ui.history.state.{state}") if state in set(ShopState) else state
