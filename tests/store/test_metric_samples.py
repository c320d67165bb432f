"""Counters of all processes together: sums never fall, and what has not changed is not written."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS, WEBHOOK_SECONDS
from upbridge.store import schema
from upbridge.store.metric_samples import PROCESS, keep_writing, merge_ended_processes, render, write_samples

#: What alarms and dashboards name.
NAMES = {
    "upbridge_webhook_ack_seconds_bucket": {"le"},
    "upbridge_remote_calls_total": {"system", "operation", "outcome"},
    "upbridge_remote_call_seconds_bucket": {"system", "operation", "le"},
    "upbridge_budget_waits_total": set(),
}


async def scrape(engine: AsyncEngine) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample as Prometheus reads it."""
    families = text_string_to_metric_families(await render(engine))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def value(engine: AsyncEngine, name: str, **labels: str) -> float:
    return (await scrape(engine)).get((name, frozenset(labels.items())), 0.0)


async def count(engine: AsyncEngine, number: float, process: UUID) -> None:
    """Another process that has made so many calls."""
    labels = '{"operation": "other", "outcome": "ok", "system": "elsewhere"}'
    row = {"process": process, "name": "upbridge_remote_calls_total", "labels": labels, "value": number}
    async with engine.begin() as tx:
        await tx.execute(insert(schema.metric_samples).values(row))


ELSEWHERE = {"system": "elsewhere", "operation": "other", "outcome": "ok"}


async def test_what_was_counted_has_its_labels_and_no_shop(engine: AsyncEngine) -> None:
    REMOTE_CALLS.labels(system="upp", operation="x", outcome="ok").inc()
    REMOTE_SECONDS.labels(system="upp", operation="x").observe(0.1)
    found: dict[str, set[str]] = {}
    for name, pairs in await scrape(engine):
        found.setdefault(name, set()).update(key for key, _ in pairs)

    for name, labels in NAMES.items():
        assert found.get(name) == labels, name
    assert not any("shop" in label for labels in found.values() for label in labels)


async def test_counts_of_all_processes_are_added_up(engine: AsyncEngine) -> None:
    await count(engine, 3, uuid4())
    await count(engine, 4, uuid4())

    assert await value(engine, "upbridge_remote_calls_total", **ELSEWHERE) == 7


async def test_writing_twice_counts_once(engine: AsyncEngine) -> None:
    labels = {"system": "twice", "operation": "x", "outcome": "ok"}
    REMOTE_CALLS.labels(**labels).inc(2)
    for _ in range(2):
        await write_samples(engine)

    assert await value(engine, "upbridge_remote_calls_total", **labels) == 2


async def versions(engine: AsyncEngine) -> dict[tuple[str, str], str]:
    """The transaction that wrote each count last."""
    async with engine.connect() as tx:
        rows = await tx.execute(text("SELECT name, labels, xmin::text AS version FROM metric_samples"))
        return {(row.name, row.labels): row.version for row in rows if row.name.startswith("upbridge_")}


async def test_what_has_not_changed_is_not_written_again(engine: AsyncEngine) -> None:
    REMOTE_CALLS.labels(system="still", operation="x", outcome="ok").inc()
    REMOTE_CALLS.labels(system="moving", operation="x", outcome="ok").inc()
    await write_samples(engine)
    before = await versions(engine)
    REMOTE_CALLS.labels(system="moving", operation="x", outcome="ok").inc()

    await write_samples(engine)

    after = await versions(engine)
    changed = {labels for (name, labels), version in after.items() if before[name, labels] != version}
    assert changed == {'{"operation": "x", "outcome": "ok", "system": "moving"}'}


async def test_an_idle_process_is_not_taken_for_ended(engine: AsyncEngine) -> None:
    labels = {"system": "idle", "operation": "x", "outcome": "ok"}
    REMOTE_CALLS.labels(**labels).inc()
    await write_samples(engine)
    async with engine.begin() as tx:
        await tx.execute(text("UPDATE metric_samples SET at = now() - make_interval(hours => 2)"))
    await write_samples(engine)

    await merge_ended_processes(engine, silent=timedelta(hours=1))

    async with engine.connect() as tx:
        left = await tx.scalar(
            text("SELECT count(*) FROM metric_samples WHERE process = :process AND labels LIKE '%idle%'"),
            {"process": PROCESS},
        )
    assert left == 1
    assert await value(engine, "upbridge_remote_calls_total", **labels) == 1


async def test_a_database_that_was_put_back_learns_everything_again(engine: AsyncEngine) -> None:
    labels = {"system": "restored", "operation": "x", "outcome": "ok"}
    await write_samples(engine)
    async with engine.connect() as tx:
        rows = (await tx.execute(select(schema.metric_samples))).mappings().all()
    REMOTE_CALLS.labels(**labels).inc(3)
    await write_samples(engine)
    async with engine.begin() as tx:
        await tx.execute(delete(schema.metric_samples))
        await tx.execute(insert(schema.metric_samples), [dict(row) for row in rows])

    assert await value(engine, "upbridge_remote_calls_total", **labels) == 3


async def test_a_sum_does_not_fall_when_a_process_ends(engine: AsyncEngine) -> None:
    for number in (3, 4):
        await count(engine, number, uuid4())
        async with engine.begin() as tx:
            await tx.execute(text("UPDATE metric_samples SET at = now() - make_interval(hours => 2)"))
        await merge_ended_processes(engine, silent=timedelta(hours=1))

    assert await value(engine, "upbridge_remote_calls_total", **ELSEWHERE) == 7
    async with engine.connect() as tx:
        left = await tx.scalar(text("SELECT count(*) FROM metric_samples WHERE labels LIKE '%elsewhere%'"))
    assert left == 1


async def test_a_living_process_writes_by_itself(engine: AsyncEngine) -> None:
    """A worker is never scraped, and a web process that is not would be taken for ended and counted twice."""
    slept: list[float] = []
    written = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if slept:
            written.set()
            await asyncio.Event().wait()
        slept.append(seconds)

    REMOTE_CALLS.labels(system="worker", operation="x", outcome="ok").inc()
    writing = asyncio.create_task(keep_writing(engine, sleep=sleep))
    await written.wait()
    async with engine.connect() as tx:
        assert await tx.scalar(text("SELECT count(*) FROM metric_samples WHERE labels LIKE '%worker%'"))
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_buckets_are_cumulative_and_end_with_all(engine: AsyncEngine) -> None:
    WEBHOOK_SECONDS.observe(0.02)
    WEBHOOK_SECONDS.observe(7)
    found = await scrape(engine)
    buckets = {
        float(dict(labels)["le"]): number
        for (name, labels), number in found.items()
        if name == "upbridge_webhook_ack_seconds_bucket"
    }

    ordered = [buckets[limit] for limit in sorted(buckets)]
    assert ordered == sorted(ordered)
    assert buckets[float("inf")] == found["upbridge_webhook_ack_seconds_count", frozenset()]
