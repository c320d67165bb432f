"""Counters of all processes together, kept in Postgres. Gauges are counted at the scrape (`insights/gauges.py`).

A scrape reaches one web process only, while most remote calls are made by workers elsewhere. So every process
writes its counters down every few seconds, and a scrape adds them up.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import structlog
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.database_failure import reason_of
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.seldom import Seldom

log = structlog.get_logger(__name__)

WRITE_SECONDS = 5.0

#: This process among those that count.
PROCESS: UUID = uuid4()
#: Where the counts of processes that have ended are added up.
_RETIRED = UUID(int=0)
_OURS = "upbridge_"


#: A row of each process that counts no metric: when the process was last there, and how often it has written.
_ALIVE = {"process": PROCESS, "name": "alive", "labels": "{}"}


@dataclass(slots=True)
class _Written:
    """What one database has of this process's counts."""

    times: float = 0
    values: dict[tuple[str, str], float] = field(default_factory=dict)


_WRITTEN: WeakKeyDictionary[AsyncEngine, _Written] = WeakKeyDictionary()


async def write_samples(engine: AsyncEngine) -> None:
    """Keep this process's counts where a scrape of any web process finds them. Only what has changed is written:
    in the write-ahead log, and so in each replica and backup, an idle process leaves one row each time."""
    counts = {
        (sample.name, _labels(sample.labels)): sample.value
        for family in REGISTRY.collect()
        if family.name.startswith(_OURS)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    written = _WRITTEN.setdefault(engine, _Written())
    async with engine.begin() as tx:
        times = await tx.scalar(
            text(
                """
                INSERT INTO metric_samples (process, name, labels, value, at)
                VALUES (:process, :name, :labels, 1, now())
                ON CONFLICT (process, name, labels) DO UPDATE
                  SET value = metric_samples.value + 1, at = excluded.at
                RETURNING value
                """
            ),
            _ALIVE,
        )
        # Another number than ours: the database was put back to an earlier state and has lost what it had.
        known = written.values if times == written.times + 1 else {}
        changed = [
            (name, labels, value)
            for (name, labels), value in sorted(counts.items())
            if known.get((name, labels)) != value
        ]
        if changed:
            names, labels, values = map(list, zip(*changed, strict=True))
            await tx.execute(
                text(
                    """
                    INSERT INTO metric_samples (process, name, labels, value, at)
                    SELECT :process, name, labels, value, now()
                    FROM unnest(CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:values AS float8[]))
                      AS changed (name, labels, value)
                    ON CONFLICT (process, name, labels) DO UPDATE SET value = excluded.value, at = excluded.at
                    """
                ),
                {"process": PROCESS, "names": names, "labels": labels, "values": values},
            )
    _WRITTEN[engine] = _Written(times, counts)


async def keep_writing(engine: AsyncEngine, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Write the counts down every few seconds, until cancelled. Every process that counts does this: one that is
    silent for long is taken for ended (`merge_ended_processes`)."""
    seldom = Seldom()
    while True:
        await sleep(WRITE_SECONDS)
        try:
            await write_samples(engine)
        except (DBAPIError, PoolTimeout, OSError) as error:
            if not DATABASE.explains(error) and seldom.times(reason := reason_of(error)):
                log.warning("counts_not_written", reason=reason)
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
                WITH ended AS (
                  SELECT process FROM metric_samples WHERE process <> :retired
                  GROUP BY process HAVING max(at) < now() - :silent
                ), gone AS (
                  DELETE FROM metric_samples USING ended WHERE metric_samples.process = ended.process
                  RETURNING name, labels, value
                )
                INSERT INTO metric_samples (process, name, labels, value, at)
                SELECT :retired, name, labels, sum(value), now() FROM gone
                WHERE name <> :alive GROUP BY name, labels
                ON CONFLICT (process, name, labels) DO UPDATE SET
                  value = metric_samples.value + excluded.value, at = now()
                """
            ),
            {"retired": _RETIRED, "silent": silent, "alive": _ALIVE["name"]},
        )


async def render(engine: AsyncEngine, gauges: Sequence[Metric] = ()) -> str:
    """What all processes have counted, with the *gauges* beside it, as Prometheus reads it."""
    await write_samples(engine)
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT name, labels, sum(value) AS value FROM metric_samples GROUP BY 1, 2"))
        sums = {(row.name, row.labels): float(row.value) for row in rows}
    registry = CollectorRegistry()
    registry.register(_Given([*_counted(sums), *gauges]))
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


def _labels(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True)
