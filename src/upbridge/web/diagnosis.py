"""What support has to know of a shop, as plain text in the merchant's language, to be read before it is sent.

States, counts and moments, and the names that our own code has for them. Nothing of what a shop, a system or a
person has typed comes into it: no name, number, address or message, and no secret.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from upbridge import __version__
from upbridge.core.i18n import Texts
from upbridge.domain.shop_profile import ShopProfile
from upbridge.insights.webhook_coverage import Coverage
from upbridge.insights.words import cause_words
from upbridge.store.connections import ConnectionState
from upbridge.store.problem_queries import RankedProblem
from upbridge.store.runs import Run
from upbridge.systems.base import Systems
from upbridge.web.formatting import COLOURS
from upbridge.web.queries.health import ShopHealth

#: What Upgates may say of a right.
_RIGHTS = frozenset({"deny", "readonly", "all"})
_NAME = re.compile(r"[a-z][a-z_-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What there is to tell of a shop at one moment. *heard*: when each system that sends webhooks last did."""

    health: ShopHealth
    causes: Sequence[RankedProblem]
    coverage: Coverage
    heard: Mapping[str, datetime | None]
    at: datetime


def report(found: Diagnosis, texts: Texts, systems: Systems) -> str:
    """*found* as lines of text; each part has its heading, a part with nothing to tell says so."""
    t, shop = texts.get, found.health.shop
    parts = (
        ("connections", _connections(found, texts, systems)),
        ("flows", _flows(found, texts, systems)),
        ("problems", _problems(found, texts, systems)),
        ("waiting", _waiting(found, texts, systems)),
        ("rights", _rights(found)),
        ("webhooks", _webhooks(found, texts, systems)),
        ("runs", _runs(found, texts)),
    )
    lines = [
        f"Upbridge {__version__}, {texts.moment(found.at)}",
        t("ui.report.shop", shop=shop.key, version=shop.version),
        t("ui.report.state", state=t(f"ui.history.state.{shop.state}"), at=shop.state_since),
    ]
    for name, told in parts:
        lines += ["", t(f"ui.report.{name}"), *(f"- {line}" for line in list(told) or [t("ui.report.nothing")])]
    # A blank that breaks no line is none to those who search a mail for what they read.
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ") + "\n"


def _connections(found: Diagnosis, texts: Texts, systems: Systems) -> Iterator[str]:
    for system in systems.connected:
        row = found.health.rows.get(system.name)
        if row is None:
            state = texts.get("ui.connection.none")
        elif row.state is ConnectionState.CONNECTED:
            state = texts.get("ui.connection.connected", since=row.connected_at)
        else:
            state = texts.get(f"ui.connection.{'elsewhere' if row.leads_elsewhere else 'broken'}")
        yield f"{system.title}: {state}"


def _flows(found: Diagnosis, texts: Texts, systems: Systems) -> Iterator[str]:
    for flow in found.health.flows:
        system = systems.title(flow.system)
        name = texts.get(f"ui.flow.{flow.kind}", system=system)
        light = texts.get(f"ui.light.{COLOURS[flow.light]}")
        why = texts.get(f"ui.flow_reason.{flow.reason}", count=flow.count, at=flow.at, system=system)
        yield f"{name}: {light} [{flow.reason}]. {why}"


def _problems(found: Diagnosis, texts: Texts, systems: Systems) -> Iterator[str]:
    for one in found.causes:
        cause = f"{cause_words(one.problem.key, texts)} [{one.problem.key} → {systems.title(one.target)}]"
        yield texts.get("ui.report.problem", cause=cause, number=one.number, at=one.first)


def _waiting(found: Diagnosis, texts: Texts, systems: Systems) -> Iterator[str]:
    seen = found.health.seen
    for unread in seen.unread:
        what = f"{systems.title(unread.source)} → {unread.kind}"
        yield texts.get("ui.report.unread", what=what, number=unread.count, at=unread.since)
    for sent in seen.outbox:
        what = f"{sent.kind} → {systems.title(sent.target)}"
        yield texts.get("ui.report.unsent", what=what, number=sent.open, parked=sent.parked, at=sent.since)


def _rights(found: Diagnosis) -> Iterator[str]:
    facts = found.health.shop.facts
    rights = ShopProfile.model_validate(facts).rights if facts else {}
    for service, right in sorted(rights.items()):
        if _NAME.fullmatch(service):
            yield f"{service}: {right if right in _RIGHTS else '?'}"


def _webhooks(found: Diagnosis, texts: Texts, systems: Systems) -> Iterator[str]:
    for kind in sorted(found.health.seen.inactive):
        yield texts.get("ui.report.inactive", kind=texts.get(f"ui.kind.{kind}"))
    one = found.coverage
    yield texts.get("ui.report.coverage", days=one.days, announced=one.announced, found=one.found)
    for system, at in found.heard.items():
        yield texts.get("ui.report.heard", system=systems.title(system), at=at)


def _runs(found: Diagnosis, texts: Texts) -> Iterator[str]:
    seen = found.health.seen
    for purpose, runs in (("import", seen.imports), ("safety_net", seen.nets)):
        for kind, run in sorted(runs.items()):
            yield _run(texts.get(f"ui.report.{purpose}", kind=texts.get(f"ui.kind.{kind}")), run, texts)


def _run(name: str, run: Run, texts: Texts) -> str:
    done = texts.get(
        "ui.report.run",
        name=name,
        done=run.done,
        total="-" if run.total is None else texts.number(run.total),
        started=run.started_at,
        finished=run.finished_at,
    )
    return f"{done} [{run.state}]"
