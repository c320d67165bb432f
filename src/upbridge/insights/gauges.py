"""What a scrape counts where the things are, over all shops, as Prometheus reads it. No label for the shop.

A series that is known is there from the start: a gauge that vanishes at zero cannot be told from one that failed,
and an alert on it never ends.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeAlias

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import CompoundSelect, DateTime, Select, bindparam, union_all
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge import __version__
from upbridge.core.i18n import FALLBACK, keys
from upbridge.domain.shop import ShopState
from upbridge.insights.flow_lights import Light
from upbridge.insights.webhook_coverage import coverage
from upbridge.store import change_queries, document_queries, job_library, problem_queries, shop_queries
from upbridge.store.changes import Kind
from upbridge.store.lanes import blocks_of
from upbridge.systems.base import Systems

_Series: TypeAlias = Iterable[tuple[str, ...]]
"""The values of the labels of each series that is known."""
_Query: TypeAlias = Select[Any] | Select[str, int] | CompoundSelect[Any]

_Gauge: TypeAlias = tuple[str, str, tuple[str, ...], _Query, Callable[[Systems], _Series]]
"""Name, help, labels, the rows (values of the labels, then the number), and the series that are there at zero."""

_PROBLEM = "problem."
_NOW = bindparam("now", type_=DateTime(timezone=True))


def _outbox(systems: Systems) -> _Series:
    return [(systems.target_of(system, flow), flow.kind) for system, flow in systems.flows]


def _causes(_systems: Systems) -> _Series:
    return [(key.removeprefix(_PROBLEM),) for key in sorted(keys(FALLBACK)) if key.startswith(_PROBLEM)]


_COUNTED: tuple[_Gauge, ...] = (
    (
        "upbridge_changes_pending",
        "Changes that wait to be read.",
        ("kind",),
        change_queries.count_by_kind(),
        lambda _: [(kind,) for kind in Kind],
    ),
    (
        "upbridge_outbox_pending",
        "Documents that wait to be delivered.",
        ("target", "kind"),
        document_queries.count_by_kind(parked=False),
        _outbox,
    ),
    (
        "upbridge_outbox_parked",
        "Documents that wait for a mapping or a person.",
        ("target", "kind"),
        document_queries.count_by_kind(parked=True),
        _outbox,
    ),
    (
        "upbridge_oldest_pending_seconds",
        "Age of the oldest thing that waits.",
        ("stage",),
        union_all(change_queries.oldest_seconds(_NOW), document_queries.oldest_seconds(_NOW)),
        lambda _: [("change",), ("document",)],
    ),
    ("upbridge_problems_open", "Open problems.", ("key",), problem_queries.open_by_key(), _causes),
    (
        "upbridge_shops",
        "Shops.",
        ("state",),
        shop_queries.count_by_state(),
        lambda _: [(state,) for state in ShopState],
    ),
    (
        "upbridge_jobs",
        "Jobs of the job library.",
        ("status",),
        job_library.count_by_status(),
        lambda _: [(status,) for status in job_library.STATUSES],
    ),
)


async def gauges(
    engine: AsyncEngine, systems: Systems, shining: Counter[Light], *, now: datetime, revision: str
) -> list[Metric]:
    """What waits, what is open, who works; the lights of all flows (*shining*), the lanes that wait, the part of
    changes that webhooks announced; and which build this is."""
    lights = GaugeMetricFamily("upbridge_flows", "Flows of all shops.", labels=("light",))
    for light in Light:
        lights.add_metric([light], shining[light])
    async with engine.connect() as tx:
        waiting = Counter(lane.system for lane in await blocks_of(tx, None, now=now))
        counted = [await _count(tx, gauge, systems, now=now) for gauge in _COUNTED]
        working = await tx.scalar(job_library.count_workers(len(systems.all)))
    workers = GaugeMetricFamily("upbridge_workers", "Workers that live.", labels=())
    workers.add_metric([], working)
    blocked = GaugeMetricFamily("upbridge_lanes_blocked", "Lanes that have to wait.", labels=("system",))
    for system in systems.all:
        blocked.add_metric([system.name], waiting[system.name])
    announced = GaugeMetricFamily(
        "upbridge_webhook_coverage_ratio",
        "The part of the last days' changes that webhooks announced; 1 where nothing changed.",
        labels=(),
    )
    share = (await coverage(engine, None, now=now)).share
    announced.add_metric([], 1 if share is None else share)
    build = GaugeMetricFamily(
        "upbridge_build_info", "Always 1: the version that answers.", labels=("version", "revision")
    )
    build.add_metric([__version__, revision], 1)
    return [*counted, workers, lights, blocked, announced, build]


async def _count(tx: AsyncConnection, gauge: _Gauge, systems: Systems, *, now: datetime) -> Metric:
    """One gauge: the rows of its query, and 0 for what is known and has none."""
    name, words, labels, query, known = gauge
    found = dict.fromkeys(known(systems), 0.0)
    values = {_NOW.key: now} if _NOW.key in query.compile().params else {}
    rows: list[tuple[Any, ...]] = [tuple(row) for row in await tx.execute(query, values)]
    for row in rows:
        found[tuple(map(str, row[:-1]))] = float(row[-1])
    family = GaugeMetricFamily(name, words, labels=labels)
    for series, total in found.items():
        family.add_metric(series, total)
    return family
