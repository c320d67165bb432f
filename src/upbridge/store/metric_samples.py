"""Metrics of all processes together. Counters of each process are kept in Postgres, gauges are counted there.

A scrape reaches one web process only, while most remote calls are made by workers elsewhere. So every process
writes its counters down every few seconds, and a scrape adds them up.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import CompoundSelect, DateTime, Select, bindparam, text, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.store import change_queries, document_queries, problems, shops

log = structlog.get_logger(__name__)

WRITE_SECONDS = 5.0

#: This process among those that count.
PROCESS: UUID = uuid4()
#: Where the counts of processes that have ended are added up.
_RETIRED = UUID(int=0)
_OURS = "upbridge_"


async def write_samples(engine: AsyncEngine) -> None:
    """Keep this process's counts where a scrape of any web process finds them."""
    rows = [
        {"process": PROCESS, "name": sample.name, "labels": _labels(sample.labels), "value": sample.value}
        for family in REGISTRY.collect()
        if family.name.startswith(_OURS)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]
    if not rows:
        return
    async with engine.begin() as tx:
        await tx.execute(
            text(
                """
                INSERT INTO metric_samples (process, name, labels, value, at)
                VALUES (:process, :name, :labels, :value, now())
                ON CONFLICT (process, name, labels) DO UPDATE SET value = excluded.value, at = excluded.at
                """
            ),
            sorted(rows, key=lambda row: (str(row["name"]), str(row["labels"]))),
        )


async def keep_writing(engine: AsyncEngine, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Write the counts down every few seconds, until cancelled. Every process that counts does this: one that is
    silent for long is taken for ended (`merge_ended_processes`)."""
    while True:
        await sleep(WRITE_SECONDS)
        try:
            await write_samples(engine)
        except (DBAPIError, PoolTimeout, OSError) as error:
            if not DATABASE.explains(error):
                log.warning("counts_not_written", reason=type(error).__name__)
        else:
            DATABASE.over()


async def merge_ended_processes(engine: AsyncEngine, *, silent: timedelta) -> None:
    """Add the counts of processes that have been *silent* for so long to one row, so that sums never fall.

    By the database's own time: it wrote down when each was heard of, wherever that runs.
    """
    async with engine.begin() as tx:
        await tx.execute(
            text(
                """
                WITH gone AS (
                  DELETE FROM metric_samples WHERE process <> :retired AND at < now() - :silent
                  RETURNING name, labels, value
                )
                INSERT INTO metric_samples (process, name, labels, value, at)
                SELECT :retired, name, labels, sum(value), now() FROM gone GROUP BY name, labels
                ON CONFLICT (process, name, labels) DO UPDATE SET
                  value = metric_samples.value + excluded.value, at = now()
                """
            ),
            {"retired": _RETIRED, "silent": silent},
        )


async def render(engine: AsyncEngine, now: datetime, more: Sequence[Metric] = ()) -> str:
    """Everything as Prometheus reads it, with what others have found."""
    await write_samples(engine)
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT name, labels, sum(value) AS value FROM metric_samples GROUP BY 1, 2"))
        sums = {(row.name, row.labels): float(row.value) for row in rows}
        families = [*_counted(sums), *more]
        for name, help_, labels, query in _GAUGES:
            gauge = GaugeMetricFamily(name, help_, labels=labels)
            statement = text(query) if isinstance(query, str) else query
            for row in await tx.execute(statement, {"now": now} if ":now" in str(query) else {}):
                *values, number = row
                gauge.add_metric([str(value) for value in values], float(number))
            families.append(gauge)
    registry = CollectorRegistry()
    registry.register(_Given(families))
    return generate_latest(registry).decode()


class _Given(Collector):
    """Metrics that are known already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(sums: Mapping[tuple[str, str], float]) -> Iterator[Metric]:
    """Our counters and histograms with the sums of all processes in them."""
    for family in REGISTRY.collect():
        if not family.name.startswith(_OURS):
            continue
        total = Metric(family.name, family.documentation, family.type)
        names = {sample.name for sample in family.samples} | {f"{family.name}{end}" for end in _ENDS[family.type]}
        samples = [(name, json.loads(labels), value) for (name, labels), value in sums.items() if name in names]
        for name, labels, value in sorted(samples, key=_order):
            total.add_sample(name, labels, value)
        yield total


def _order(sample: tuple[str, dict[str, str], float]) -> tuple[object, ...]:
    """Series together, buckets in the order of their limits."""
    name, labels, _value = sample
    rest = sorted((key, value) for key, value in labels.items() if key != "le")
    return name, rest, float(labels.get("le", "0"))


_ENDS: Mapping[str, tuple[str, ...]] = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}

_NOW = bindparam("now", type_=DateTime(timezone=True))
_GAUGES: tuple[tuple[str, str, tuple[str, ...], str | Select[Any] | CompoundSelect[Any]], ...] = (
    (
        "upbridge_changes_pending",
        "Changes that wait to be read.",
        ("kind",),
        change_queries.count_by_kind(),
    ),
    (
        "upbridge_outbox_pending",
        "Documents that wait to be delivered.",
        ("target", "kind"),
        document_queries.count_by_kind(parked=False),
    ),
    (
        "upbridge_outbox_parked",
        "Documents that wait for a mapping or a person.",
        ("target", "kind"),
        document_queries.count_by_kind(parked=True),
    ),
    (
        "upbridge_oldest_pending_seconds",
        "Age of the oldest thing that waits.",
        ("stage",),
        union_all(change_queries.oldest_seconds(_NOW), document_queries.oldest_seconds(_NOW)),
    ),
    (
        "upbridge_problems_open",
        "Open problems.",
        ("key",),
        problems.open_by_key(),
    ),
    ("upbridge_shops", "Shops.", ("state",), shops.count_by_state()),
    (
        "upbridge_jobs",
        "Jobs of the job library.",
        ("status",),
        "SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY status",
    ),
)


def _labels(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True)
