"""View models in words: what a page says in one language."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from upbridge.core.i18n import Texts
from upbridge.domain.delivery import is_guard
from upbridge.domain.shop import BY_SHOP, ShopState
from upbridge.insights.flow_lights import Light
from upbridge.insights.news import News
from upbridge.insights.words import cause_words, difference_words, line_words, news_words, size_words
from upbridge.store.problem_queries import OpenProblem, Problem, RankedProblem
from upbridge.systems.base import Systems
from upbridge.web.queries.health import ShopHealth
from upbridge.web.queries.start import Import, StartView

_SOON = timedelta(minutes=1)
_DAY = re.compile(r"(\d{1,2})\s*[./]\s*(\d{1,2})\s*[./]\s*(\d{4})(?:[\s,]+(\d{1,2}):(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Advice:
    """A thing that is wrong, in words: what it is, and what to do: follow *page*, or press the button of *form*.
    *colour* is that of its light; *order* the number that the words name, if they are about one order."""

    words: str
    colour: str
    action: str = ""
    page: str | None = None
    form: str | None = None
    order: str | None = None


#: The colour of each light: the last part of its word's key, and its class.
COLOURS = {
    Light.OK: "good",
    Light.BUSY: "busy",
    Light.ATTENTION: "warn",
    Light.STOPPED: "bad",
    Light.OFF: "off",
}
#: What names a variant by its key among a problem's parameters: only a page that looks it up can say its name.
_OF_A_VARIANT = "other"
#: What is put right on the first page itself, by a form.
_FORMS = {"import_paused": "import/resume", "incomplete": "overview/run"}


def written_day(text: str) -> str:
    """A moment of ISO as people here write it, in Prague's time; what is none stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day}. {moment.month}. {moment.year:04} {moment.hour}:{moment.minute:02}"


def read_day(text: str) -> str:
    """A day, a month and a year, the time behind them or not, as ISO has them; what is none stays as it is. The
    order is ours and not the browser's, which would be another one for each visitor."""
    found = _DAY.fullmatch(text.strip())
    if found is None:
        return text
    day, month, year, hour, minute = found.groups()
    return f"{year}-{month:0>2}-{day:0>2}T{hour or '0':0>2}:{minute or '00'}"


def read_date(text: str) -> date | None:
    """The day that *text* names, as people here write it or as ISO does; None if it is none."""
    try:
        return datetime.fromisoformat(read_day(text.strip())).date()
    except ValueError:
        return None


def written_date(day: date) -> str:
    """A day as people here write it, and as `read_date` reads it."""
    return f"{day.day}. {day.month}. {day.year:04}"


def first_heading(view: StartView, texts: Texts) -> str:
    """The state of the shop as the heading of the first page."""
    health = view.health
    if health.light is Light.STOPPED:
        return texts.get(f"ui.first.{'stopped' if health.at_a_standstill else 'partly_stopped'}")
    if view.next_step is not None:
        place, step = view.next_step
        return texts.get(
            "ui.setup.next", step=place, of=len(view.to_do), what=step_words(step.name, texts, view.systems)
        )
    if health.light is Light.ATTENTION:
        return texts.get("ui.first.attention")
    moving = [one for one in view.imports if one.moving]
    if moving:
        return texts.get(f"ui.first.{'importing_again' if any(one.again for one in moving) else 'importing'}")
    return texts.get(f"ui.first.{'busy' if health.busy else 'ok'}")


def step_words(name: str, texts: Texts, systems: Systems) -> str:
    """What a step of the set-up is called."""
    if name in systems.titles:
        return texts.get("ui.step.connected", system=systems.title(name))
    return texts.get(f"ui.step.{name}")


def alarm_words(one: News, health: ShopHealth, texts: Texts, systems: Systems) -> Advice:
    """A thing that stops flows, or keeps them waiting, in words."""
    words = news_words(one, health.shop, texts, systems)
    if one.reason == "stopped":
        by_shop = health.shop.state is ShopState.SUSPENDED and health.shop.reason == BY_SHOP
        action = texts.get("ui.pause.resume") if by_shop else ""
        return Advice(words, "bad", action, form="resume" if by_shop else None)
    form = _FORMS.get(one.reason)
    action = texts.get(f"ui.news_next.{one.reason}") if one.page or form else ""
    return Advice(words, COLOURS[one.light], action, one.page, form)


def notices(view: StartView, texts: Texts, systems: Systems) -> tuple[Advice, ...]:
    """All that is wrong, the gravest first: what stops flows, causes of problems, what else asks for a look."""
    health = view.health
    causes = [_cause(one, texts, systems) for one in view.causes]
    told = [alarm_words(one, health, texts, systems) for one in health.news]
    stopping = [notice for notice in told if notice.colour == "bad"]
    return (*stopping, *causes, *(notice for notice in told if notice.colour != "bad"))


def _cause(one: RankedProblem, texts: Texts, systems: Systems) -> Advice:
    """A cause of problems: in full where it is one problem, else what it is called, and of how many since when."""
    about = one.problem
    page, action = f"problems#{cause_id(about.key, one.target)}", texts.get("ui.news_next.problems")
    if one.number == 1:
        page, action = _decision(about, texts) or (page, action)
    if one.number == 1 and _OF_A_VARIANT not in about.params:
        named = about.kind in {"order", "shipment"} and about.entity != about.key
        words = problem_words(about, texts, systems)
        order = about.entity if named else None
        return Advice(f"{order}: {words}" if order else words, "warn", action, page, order=order)
    size = size_words(about.kind, one.number, texts)
    words = texts.get("ui.news.cause", cause=cause_words(about.key, texts), size=size, at=one.first)
    return Advice(words, "warn", action, page)


def _decision(about: OpenProblem, texts: Texts) -> tuple[str, str] | None:
    """The page on which a question is answered, and what leads to it; None for what is no question."""
    if is_guard(about.key):
        held = about.params.get("changed") or about.params.get("off") or 0
        return f"decision?id={about.id}", texts.get("ui.decision.open", count=held)
    if texts.has(f"ui.approve.{about.key}"):
        return f"question?id={about.id}", texts.get("ui.decision.look")
    return None


def cause_id(key: str, target: str) -> str:
    """Where a cause stands on the page of problems."""
    return f"{key.replace('.', '-')}-{target}"


def import_words(one: Import, texts: Texts) -> str:
    """How far one import is, in a sentence."""
    if one.spared:
        return texts.get("ui.import.spared")
    if one.run is None:
        return texts.get("ui.import.not_started")
    if one.finished:
        at = one.run.finished_at
        return (
            texts.get("ui.import.done_at", done=one.read, at=at)
            if at
            else texts.get("ui.import.done", done=one.read)
        )
    if one.run.total is None and not one.paused:
        return texts.get("ui.import.counting")
    if one.paused:
        return texts.get("ui.import.paused", done=one.done, total=one.run.total)
    return texts.get("ui.import.running", done=one.done, total=one.total)


def ends_words(view: StartView, texts: Texts, *, now: datetime) -> str:
    """How long the first import will take, as far as the call budget tells."""
    if view.health.shop.state is not ShopState.ACTIVE:
        return ""  # nothing moves, and the page says so above
    if any(one.paused for one in view.imports):
        return texts.get("ui.import.rests")
    moving = [one for one in view.imports if one.moving]
    if not moving or any(one.run is None or one.run.total is None for one in moving):
        return ""  # the number of pages is not known yet
    if view.import_ends_at is None:
        return texts.get("ui.import.ends_soon")
    left = view.import_ends_at - now
    if left < _SOON:
        return texts.get("ui.import.ends_in_a_minute")
    return texts.get("ui.import.ends_in", left=texts.duration(left), at=view.import_ends_at)


def problem_words(
    problem: OpenProblem | Problem, texts: Texts, systems: Systems, *, other: str | None = None
) -> str:
    """Cause and remedy in the reader's language; the operator's line where the catalogue has no sentence. *other*:
    what people call the variant that the problem names by its key."""
    key = f"problem.{problem.key}"
    if not texts.has(key):
        return problem.message
    values = {name: value for name, value in problem.params.items() if name != "count"}
    if isinstance(number := values.get("number"), int):
        values["count"] = number  # of the plural forms, where the sentence has some
    if problem.kind in {"right", "webhooks"}:
        values["service"] = texts.get(f"ui.service.{problem.entity}")
    if "differences" in values:
        values["differences"] = difference_words(
            str(values["differences"]), texts, str(values.get("currency") or "")
        )
    if "lines" in values:
        values["lines"] = line_words(str(values["lines"]), texts)
    if other is not None:
        values["other"] = other
    if problem.kind == "connection":
        values["system"] = systems.title(problem.entity)
    return texts.get(key, **values)


def reason_words(reason: str, texts: Texts) -> str:
    """Why an order is where it is: the rule that holds it, what it waits for, or the cause of its problem."""
    return texts.get(f"ui.why.{reason}") if texts.has(f"ui.why.{reason}") else cause_words(reason, texts)
