"""Problems: what needs a person, by cause, with its cure; try again, or "I handled it by hand", which can be taken
back from a list of what was handled; and the same as a file."""

import time
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from upbridge.core.deadline import with_deadline
from upbridge.core.errors import BadRequest
from upbridge.core.i18n import Texts, keys
from upbridge.core.parsing import digits
from upbridge.domain.shop_id import ShopId
from upbridge.insights.words import cause_words
from upbridge.operations.many_problems import ManyProblems
from upbridge.store import problem_queries
from upbridge.store.problem_queries import ListedProblem, ProblemSearch
from upbridge.web.csv_files import MARK, MEDIA_TYPE, attachment, rows
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.formatting import problem_words
from upbridge.web.forms import one
from upbridge.web.order_numbers import number_in
from upbridge.web.problem_rows import ProblemRow, Writer
from upbridge.web.queries.problems import PAGE, known_of, problems_of

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/s/{session}", route_class=PageRoute)

#: Problems that are treated in one transaction, and by one click: the rest is still on the list.
AT_ONCE, MOST = 500, 10_000
#: A file is read in portions of so many problems.
_PORTION = 500
_LONGEST, _LONGEST_NUMBER = 100, 6
_FIELDS = ("q", "key", "target", "kind", "newest", "state", "page")


@dataclass(frozen=True, slots=True)
class ProblemsQuery:
    """What the page is asked for, as it stands in the address. *fields*: what was typed and chosen, without what
    is empty."""

    wanted: ProblemSearch
    fields: Mapping[str, str]
    page: int

    def address(self, *, file: bool = False, **other: str) -> str:
        """Where the same is found, but for the fields *other*; or as a file."""
        kept = {name: value for name, value in self.fields.items() if name != "page"}
        fields = {name: value for name, value in {**kept, **other}.items() if value}
        name = "problems.csv" if file else "problems"
        return f"{name}?{urlencode(fields)}" if fields else name

    @property
    def here(self) -> str:
        """The query of this page."""
        return urlencode(self.fields)


@router.get("/problems")
async def problems(here: Session) -> Response:
    """The open problems by cause, those of one cause, or what was handled."""
    asked = _asked(here, here.query)
    view = await problems_of(here.pages.engine, here.shop, asked.wanted, page=asked.page)
    writer = Writer(here.texts, here.pages.systems, here.shop, view.known)
    listed = view.handled or (view.groups[0].shown if len(view.groups) == 1 else ())
    return await here.page(
        "problems",
        asked=asked,
        total=view.count,
        groups=[writer.cause(group) for group in view.groups],
        handled=[writer.row(each, full=True) for each in view.handled],
        first=(asked.page - 1) * PAGE + 1,
        last=(asked.page - 1) * PAGE + len(listed),
        behind=bool(listed) and asked.page * PAGE < view.count,
    )


@router.get("/problems.csv")
async def export(here: Session) -> Response:
    """All of it as CSV. It is read while it is sent: a database that hangs in the middle breaks it off, so that a
    part is not taken for the whole."""
    asked = _asked(here, here.query)
    first = await _lines(here, asked.wanted, 0)
    name = "handled" if asked.wanted.handled else "problems"
    return StreamingResponse(
        _file(here, asked.wanted, first), media_type=MEDIA_TYPE, headers=attachment(f"{name}-{here.shop.key}")
    )


async def _file(here: PageContext, wanted: ProblemSearch, portion: list[list[object]]) -> AsyncIterator[bytes]:
    names = ("what", "cause", "why", "system", "lasts", "handled_at", "in_shop")
    yield MARK + rows([[here.texts.get(f"ui.problems.{name}") for name in names]])
    offset = 0
    while portion:
        yield rows(portion)
        offset += _PORTION
        if len(portion) < _PORTION:
            return
        try:
            portion = await with_deadline(here.pages.deadline, _lines(here, wanted, offset))
        except TimeoutError:
            log.warning("download_broken_off", shop_id=str(here.shop.id))
            raise


async def _lines(here: PageContext, wanted: ProblemSearch, offset: int) -> list[list[object]]:
    texts, systems = here.texts, here.pages.systems
    async with here.pages.engine.connect() as tx:
        found = await problem_queries.problems_listed(tx, here.shop.id, wanted, offset=offset, limit=_PORTION)
        writer = Writer(texts, systems, here.shop, await known_of(tx, here.shop, found))

    def line(each: ListedProblem) -> list[object]:
        row = writer.row(each, full=True)
        handled = texts.moment(row.dismissed_at) if row.dismissed_at else None
        said = problem_words(each.problem, texts, systems)
        return [row.name, row.cause, said, systems.title(each.target), texts.moment(row.since), handled, row.admin]

    return [line(each) for each in found]


@router.post("/problems/retry")
async def try_again(here: Session, form: Posted) -> Response:
    """Send or read again: one, those that are ticked, or a whole cause."""
    chosen = await _chosen(here, form)
    done = await _treat(here, chosen, _many(here).retry)
    if not chosen:
        return _back(here, form, "none_ticked")
    if done < len(chosen):
        return _back(here, form, "retried_some" if done else "retried_none", done, len(chosen))
    return _back(here, form, "retried", done)


@router.post("/problems/by-hand")
async def by_hand(here: Session, form: Posted) -> Response:
    """A person handled it: what was parked is not sent. That is asked first, with the number; a question that has
    answers of its own is one already."""
    chosen = await _chosen(here, form)
    if not chosen:
        return _back(here, form, "none_ticked")
    if not one(form, "sure"):
        async with here.pages.engine.connect() as tx:
            shown = await problem_queries.of_numbers(tx, here.shop.id, chosen[-PAGE:])
            writer = Writer(here.texts, here.pages.systems, here.shop, await known_of(tx, here.shop, shown))
        listed = [writer.row(each, full=True) for each in shown]
        if any(row.handled for row in listed) or not listed:
            return await _sure(here, form, chosen, listed)
    return _back(here, form, "by_hand", await _treat(here, chosen, _many(here).handle))


async def _sure(
    here: PageContext, form: Mapping[str, list[str]], chosen: list[int], listed: list[ProblemRow]
) -> Response:
    """Ask before it is done: how many, the first of them, and what follows."""
    every = bool(one(form, "all"))
    names = ("key", "target", "kind", "newest", "q") if every else ()
    again = [(name, one(form, name)) for name in names if one(form, name)]
    asked = _asked(here, {name: one(form, name) for name in _FIELDS})
    again += [("all", "yes")] if every else [("id", str(number)) for number in chosen]
    return await here.page(
        "problems",
        template="problems_sure",
        count=len(chosen),
        listed=listed,
        # Those that were ticked are all on this page.
        file=asked.address(file=True) if every else None,
        again=[*again, ("back", one(form, "back"))],
        back=f"problems?{urlencode(_kept(form))}",
    )


@router.post("/problems/take-back")
async def taken_back(here: Session, form: Posted) -> Response:
    """What was handled is a problem again."""
    chosen = await _chosen(here, form)
    if not chosen:
        return _back(here, form, "none_ticked")
    return _back(here, form, "taken_back", await _treat(here, chosen, _many(here).take_back))


def _many(here: PageContext) -> ManyProblems:
    return ManyProblems(here.pages.act().problems)


async def _treat(
    here: PageContext,
    numbers: list[int],
    treat: Callable[[ShopId, Collection[int]], Awaitable[int]],
) -> int:
    """Treat these problems as far as the time of a page allows; returns how many were. Those of another shop are
    not."""
    treated, ends = 0, time.monotonic() + here.pages.deadline / 2
    for start in range(0, len(numbers), AT_ONCE):
        if time.monotonic() > ends:
            break
        treated += await treat(here.shop.id, numbers[start : start + AT_ONCE])
    return treated


async def _chosen(here: PageContext, form: Mapping[str, list[str]]) -> list[int]:
    """The numbers of the problems that the form means: the one whose button was pressed, a whole cause, or those
    that are ticked."""
    only, _ = _number(one(form, "only")), _number(one(form, "newest"))
    ticked = [number for typed in form.get("id", []) if (number := _number(typed.strip())) is not None]
    if only is not None:
        return [only]
    if not one(form, "all"):
        return sorted(set(ticked))
    asked = _asked(here, {name: one(form, name) for name in _FIELDS})
    if asked.wanted.cause is None:
        raise BadRequest
    async with here.pages.engine.connect() as tx:
        return await problem_queries.numbers_of(tx, here.shop.id, asked.wanted, limit=MOST)


def _number(typed: str) -> int | None:
    number = digits(typed)
    if typed and number is None:
        raise BadRequest
    return number


def _kept(form: Mapping[str, list[str]]) -> dict[str, str]:
    """Which part of the list the form was on."""
    return {name: value for name, value in parse_qsl(one(form, "back")) if name in _FIELDS}


def _back(
    here: PageContext, form: Mapping[str, list[str]], said: str, count: int | None = None, of: int | None = None
) -> Response:
    more = {} if of is None else {"of": str(of)}
    return here.go("problems", said, count, **_kept(form), **more)


def _asked(here: PageContext, query: Mapping[str, str]) -> ProblemsQuery:
    typed = {name: query.get(name, "").replace("\x00", "").strip()[:_LONGEST] for name in _FIELDS}
    key, target, kind = (typed[name] for name in ("key", "target", "kind"))
    words = number_in(typed["q"], here.shop.key)
    wanted = ProblemSearch(
        words=words,
        called=_called(words, here.texts) if words else (),
        cause=(key, target, kind) if key else None,
        handled=typed["state"] == "handled",
        newest=digits(typed["newest"]),
    )
    page = max(digits(typed["page"], longest=_LONGEST_NUMBER) or 1, 1)
    return ProblemsQuery(wanted, {name: value for name, value in typed.items() if value}, page)


def _called(words: str, texts: Texts) -> list[str]:
    """The causes whose name has *words* in it."""
    start = "ui.cause."
    named = (key.removeprefix(start) for key in keys(texts.language) if key.startswith(start))
    return [key for key in named if _plain(words) in _plain(cause_words(key, texts))]


def _plain(text: str) -> str:
    """*text* in small letters without their accents."""
    return "".join(
        sign for sign in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(sign)
    )
