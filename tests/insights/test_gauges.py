"""The gauges of a scrape: what is zero says 0, and nothing is counted twice."""

from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client.core import Metric
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.rows import change_row, document_row, insert_rows
from tests.support.shops import MakeShop
from upbridge import __version__
from upbridge.core.i18n import keys
from upbridge.domain.shop_id import ShopId
from upbridge.insights.flow_lights import Light
from upbridge.insights.gauges import gauges
from upbridge.store.changes import Kind
from upbridge.systems.registry import SYSTEMS

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def counted(engine: AsyncEngine) -> Samples:
    """Every gauge of an installation without a shop."""
    return samples(await gauges(engine, SYSTEMS, Counter(), now=NOON, revision="abc1234"))


def samples(families: list[Metric]) -> Samples:
    """Every sample, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def only(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


async def test_what_is_zero_says_so(engine: AsyncEngine) -> None:
    found = await counted(engine)

    assert {only(found, "upbridge_changes_pending", kind=kind) for kind in Kind} == {0}
    for state in ("active", "suspended", "uninstalling", "uninstalled"):
        assert only(found, "upbridge_shops", state=state) == 0
    for target, kind in (("upp", "order"), ("uphance", "order"), ("upgates", "stock")):
        assert only(found, "upbridge_outbox_pending", target=target, kind=kind) == 0
        assert only(found, "upbridge_outbox_parked", target=target, kind=kind) == 0
    assert only(found, "upbridge_jobs", status="todo") == 0
    assert only(found, "upbridge_problems_open", key="order.no_channel") == 0
    for stage in ("change", "document"):
        assert only(found, "upbridge_oldest_pending_seconds", stage=stage) == 0
    assert {only(found, "upbridge_flows", light=light) for light in Light} == {0}
    assert {only(found, "upbridge_lanes_blocked", system=system.name) for system in SYSTEMS.all} == {0}


async def test_every_cause_of_a_problem_has_a_series(engine: AsyncEngine) -> None:
    found = await counted(engine)

    causes = {dict(labels)["key"] for name, labels in found if name == "upbridge_problems_open"}
    assert causes == {key.removeprefix("problem.") for key in keys("en") if key.startswith("problem.")}


async def test_what_was_never_declared_is_counted_all_the_same(engine: AsyncEngine, make_shop: MakeShop) -> None:
    """A system that was taken out of the registry may have left documents behind."""
    await insert_rows(engine, document_row(ShopId(await make_shop()), "former", "1", kind="parcel"))

    assert only(await counted(engine), "upbridge_outbox_pending", target="former", kind="parcel") == 1


async def test_a_worker_counts_while_its_heartbeat_is_fresh(engine: AsyncEngine) -> None:
    assert only(await counted(engine), "upbridge_workers") == 0
    async with engine.begin() as tx:
        for _queue in SYSTEMS.all:
            await tx.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
        await tx.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(mins => 1))")
        )

    assert only(await counted(engine), "upbridge_workers") == 1


async def test_the_build_is_named(engine: AsyncEngine) -> None:
    found = await counted(engine)

    assert only(found, "upbridge_build_info", version=__version__, revision="abc1234") == 1


async def test_nothing_is_missed_where_nothing_changed(engine: AsyncEngine) -> None:
    assert only(await counted(engine), "upbridge_webhook_coverage_ratio") == 1


async def test_what_waits_is_counted_with_its_age(engine: AsyncEngine, make_shop: MakeShop) -> None:
    shop_id, since = ShopId(await make_shop()), NOON - timedelta(minutes=5)
    await insert_rows(engine, change_row(shop_id, "order", "1", marked_at=since, due_at=since))
    await insert_rows(engine, document_row(shop_id, "upp", "1", since=since, due_at=since))

    found = await counted(engine)

    assert only(found, "upbridge_changes_pending", kind="order") == 1
    assert only(found, "upbridge_outbox_pending", target="upp", kind="order") == 1
    assert only(found, "upbridge_oldest_pending_seconds", stage="change") == 300
    assert only(found, "upbridge_oldest_pending_seconds", stage="document") == 300
    assert only(found, "upbridge_shops", state="active") == 1


@pytest.mark.parametrize(("state", "pending", "parked"), [("waiting", 1, 0), ("parked", 0, 1)])
async def test_what_waits_for_a_person_is_counted_apart(
    engine: AsyncEngine, make_shop: MakeShop, state: str, pending: int, parked: int
) -> None:
    since = NOON - timedelta(days=5)
    row = document_row(ShopId(await make_shop()), "upp", "1", since=since, due_at=since, state=state)
    await insert_rows(engine, row)

    found = await counted(engine)

    assert only(found, "upbridge_outbox_pending", target="upp", kind="order") == pending
    assert only(found, "upbridge_outbox_parked", target="upp", kind="order") == parked
    if parked:  # what waits for a person is not late
        assert only(found, "upbridge_oldest_pending_seconds", stage="document") == 0
