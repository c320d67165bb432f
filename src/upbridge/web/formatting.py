"""View models in words: what a page says in one language, and the parts of it that move by themselves."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from upbridge.core.i18n import Texts
from upbridge.domain.shop import ShopState
from upbridge.store.problems import OpenProblem
from upbridge.systems.base import Systems
from upbridge.web.queries.start import Import, StartView

_SOON = timedelta(minutes=1)


def live(view: StartView, texts: Texts, *, now: datetime) -> dict[str, Any]:
    """The moving parts of the start page: texts and bars by the id of their element.

    The page is made from this and the polling endpoint answers with it, so that both always say the same.
    """
    refused = [view.systems.title(name) for name in view.refused]
    words = {
        "state": texts.get(f"ui.state.{view.state}", systems=refused),
        "updated": texts.get("ui.updated", at=texts.moment(now, seconds=True)),
    }
    bars = {}
    for one in view.imports:
        words[f"import-{one.kind}"] = import_words(one, texts)
        bars[f"bar-{one.kind}"] = {"value": one.done, "max": one.total}
    for step in view.steps:
        words[f"step-{step.name}"] = texts.get(f"ui.step_state.{step.state}")
    words["import-ends"] = ends_words(view, texts, now=now)
    words |= backlog_words(view, texts)
    return {"texts": words, "bars": bars, "settled": view.settled}


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
    if view.shop.state is not ShopState.ACTIVE:
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


def backlog_words(view: StartView, texts: Texts) -> Mapping[str, str]:
    """What waits, a sentence per row."""
    nothing = texts.get("ui.waiting.nothing")
    backlog = view.backlog
    words = {
        "waiting-changes": nothing,
        "waiting-parked": nothing,
        **{f"waiting-{name}": nothing for name in view.systems.titles},
    }
    if backlog.changes:
        words["waiting-changes"] = texts.get("ui.waiting.changes", count=backlog.changes)
    words["problems-count"] = texts.get("ui.problems.none")
    if view.for_you:
        words["waiting-parked"] = texts.get("ui.waiting.parked", count=view.for_you)
        words["problems-count"] = texts.get("ui.waiting.parked", count=view.for_you)
    for target in view.systems.titles:
        if backlog.documents[target]:
            words[f"waiting-{target}"] = texts.get("ui.waiting.documents", count=backlog.documents[target])
    return words


def problem_words(problem: OpenProblem, texts: Texts, systems: Systems) -> str:
    """Cause and cure in the reader's language; the operator's line where the catalogue has no sentence."""
    key = f"problem.{problem.key}"
    if not texts.has(key):
        return problem.message
    values = {name: value for name, value in problem.params.items() if name != "count"}
    if problem.kind in {"right", "webhooks"}:
        values["service"] = texts.get(f"ui.service.{problem.entity}")
    if problem.kind == "connection":
        values["system"] = systems.title(problem.entity)
    return texts.get(key, **values)


def cause_words(key: str, texts: Texts) -> str:
    """What a problem's cause is called."""
    return texts.get(f"ui.cause.{key}") if texts.has(f"ui.cause.{key}") else texts.get("ui.problems.other")
