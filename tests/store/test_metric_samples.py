"""Metrics of all processes together: sums never fall, gauges are counted where the things are."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import fill
from tests.support.shops import MakeShop
from upbridge.core.telemetry.metrics import REMOTE_CALLS, REMOTE_SECONDS, WEBHOOK_SECONDS
from upbridge.store import schema
from upbridge.store.metric_samples import keep_writing, merge_ended_processes, render, write_samples

#: What alarms and dashboards name.
NAMES = {
    "upbridge_webhook_deliveries_total": {"source", "outcome"},
    "upbridge_webhook_ack_seconds_bucket": {"le"},
    "upbridge_changes_pending": {"kind"},
    "upbridge_outbox_pending": {"target", "kind"},
    "upbridge_oldest_pending_seconds": {"stage"},
    "upbridge_remote_calls_total": {"system", "operation", "outcome"},
    "upbridge_remote_call_seconds_bucket": {"system", "operation", "le"},
    "upbridge_budget_waits_total": set(),
    "upbridge_problems_open": {"key"},
    "upbridge_shops": {"state"},
    "upbridge_jobs": {"status"},
}


async def scrape(engine: AsyncEngine) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample as Prometheus reads it."""
    families = text_string_to_metric_families(await render(engine, NOON))
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


async def test_every_promised_metric_is_there_without_a_shop_in_it(
    engine: AsyncEngine, make_shop: MakeShop
) -> None:
    await fill(engine, await make_shop(), now=NOON, dismissed_at=None)
    REMOTE_CALLS.labels(system="upp", operation="x", outcome="ok").inc()
    REMOTE_SECONDS.labels(system="upp", operation="x").observe(0.1)
    found: dict[str, set[str]] = {}
    async with engine.begin() as tx:
        await tx.execute(text("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('default', 'work')"))
    for name, pairs in await scrape(engine):
        found.setdefault(name, set()).update(key for key, _ in pairs)

    for name, labels in NAMES.items():
        if name != "upbridge_webhook_deliveries_total":  # counted by the first delivery
            assert found.get(name) == labels, name
    assert not any("shop" in label for labels in found.values() for label in labels)


async def test_gauges_count_what_waits(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await fill(engine, shop_id, now=NOON - timedelta(minutes=5), kind="order", target="upp", state="waiting")

    assert await value(engine, "upbridge_changes_pending", kind="order") == 1
    assert await value(engine, "upbridge_outbox_pending", target="upp", kind="order") == 1
    assert await value(engine, "upbridge_oldest_pending_seconds", stage="change") == 300
    assert await value(engine, "upbridge_oldest_pending_seconds", stage="document") == 300
    assert await value(engine, "upbridge_shops", state="active") == 1


async def test_what_is_parked_is_not_late_and_counted_apart(engine: AsyncEngine, make_shop: MakeShop) -> None:
    await fill(engine, await make_shop(), now=NOON - timedelta(days=5), target="upp", kind="order", state="parked")

    assert await value(engine, "upbridge_outbox_parked", target="upp", kind="order") == 1
    assert await value(engine, "upbridge_outbox_pending", target="upp", kind="order") == 0

    assert await value(engine, "upbridge_oldest_pending_seconds", stage="document") == 0


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
