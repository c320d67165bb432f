"""One shop's webhooks take what is theirs of a process, and lose nothing where they would take more."""

import asyncio
from collections import Counter
from uuid import uuid4
from weakref import WeakSet

import pytest
from sqlalchemy import text

from tests.support.web_application import Site
from upbridge.domain.shop_id import ShopId
from upbridge.webhooks.quotas import EFFORT, LONGEST_WAIT, RECORDS, Quotas, ShopQuota

SHOP = ShopId(uuid4())
BULK = 5_000, 500_000
"""The records and bytes of the largest bulk edit that Upgates announces in one call."""


class Seconds:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def quota(clock: Seconds) -> ShopQuota:
    return Quotas(seconds=clock).of(SHOP)


def taken(quota: ShopQuota, *, records: int, size: int) -> bool:
    """Whether a delivery is read record by record."""
    if quota.arrives(size) is None:
        return False
    quota.read(records)
    return True


def test_a_bulk_edit_of_a_large_shop_is_read_record_by_record(quota: ShopQuota, clock: Seconds) -> None:
    records, size = BULK
    for _ in range(int(RECORDS.burst) // records):
        assert taken(quota, records=records, size=size)
        clock.now += 0.2  # Upgates waits for the answer


def test_all_calls_of_a_day_may_be_announced_in_that_day(quota: ShopQuota, clock: Seconds) -> None:
    calls, records = 60_000, 100
    for _ in range(calls // 50):
        assert taken(quota, records=50 * records, size=50 * records * 100)
        clock.now += 86_400 / calls * 50


def test_a_busy_shop_never_waits(quota: ShopQuota, clock: Seconds) -> None:
    for _ in range(30_000):
        assert quota.arrives(200) == 0
        quota.read(1)
        clock.now += 1 / 50


def test_three_thousand_small_webhooks_a_second_are_within_the_quota_of_one_shop(
    quota: ShopQuota, clock: Seconds
) -> None:
    for _ in range(60 * 3_000):
        assert quota.arrives(400) == 0
        quota.read(1)
        clock.now += 1 / 3_000


@pytest.mark.parametrize(
    ("size", "rate"), [pytest.param(200, 20_000, id="small"), pytest.param(2**22, 100, id="4 MiB")]
)
def test_a_flood_gets_no_more_than_its_effort_and_the_rest_is_left_to_the_net(
    quota: ShopQuota, clock: Seconds, size: int, rate: int
) -> None:
    waits = Counter[bool]()
    for _ in range(10 * rate):
        wait = quota.arrives(size)
        waits[wait is None] += 1
        if wait is not None:
            assert wait <= LONGEST_WAIT
        clock.now += 1 / rate
    effort = 1 / 8 + size / 16_384
    assert waits[False] * effort <= EFFORT.burst + EFFORT.rate * (10 + LONGEST_WAIT) + effort
    assert waits[True]


def test_a_shop_that_was_flooded_recovers_at_once_when_the_flood_is_over(quota: ShopQuota, clock: Seconds) -> None:
    while taken(quota, records=1, size=4_000_000):
        pass
    for _ in range(100_000):
        assert quota.arrives(4_000_000) is None
    clock.now += 10

    assert quota.arrives(200) == 0


def test_a_flood_fills_no_disk(quota: ShopQuota, clock: Seconds) -> None:
    rows = keys = 0
    for _ in range(7 * 24 * 60):
        for _ in range(100):
            kept, named = quota.keeps(5_000)
            rows += kept
            keys += 5_000 * named
        clock.now += 60
    assert rows < 7 * 86_400 + 50_001
    assert keys < 70 * 86_400 + 200_001


def test_one_shop_takes_nothing_from_another(clock: Seconds) -> None:
    quotas = Quotas(seconds=clock)
    while taken(quotas.of(SHOP), records=5_000, size=500_000):
        pass

    assert taken(quotas.of(ShopId(uuid4())), records=5_000, size=500_000)


def test_shops_that_send_nothing_any_more_are_forgotten(clock: Seconds) -> None:
    quotas = Quotas(seconds=clock)
    remembered: WeakSet[ShopQuota] = WeakSet()
    for _ in range(30_000):
        remembered.add(quota := quotas.of(ShopId(uuid4())))
        taken(quota, records=1, size=200)
        clock.now += 1

    assert len(remembered) <= 10_000


# --- where they hold ----------------------------------------------------------------------------------------


async def flooded(site: Site) -> None:
    """The shop has sent more than is read record by record."""
    site.app.state.container.inbox.quotas.of(site.shop_id).read(int(RECORDS.burst) + 100_000)


async def test_what_is_over_the_quota_is_stored_as_one_mark_for_the_safety_net(site: Site) -> None:
    await flooded(site)

    answers = await asyncio.gather(
        *(site.post("Orders.update", {"orders": [{"order_number": f"A-{number}"}]}) for number in range(30))
    )

    assert {answer.status_code for answer in answers} == {204}
    assert await site.changes() == [("upgates", "everything", "everything")]
    assert await site.deliveries() <= 3


async def test_a_body_over_the_quota_is_not_parsed(site: Site) -> None:
    await flooded(site)

    assert (await site.post("Orders.update", b"no JSON")).status_code == 204
    assert (await site.post("Orders.update", b"x" * 5_000_000)).status_code == 413


async def test_another_shop_s_webhooks_are_read_as_ever(site: Site) -> None:
    await flooded(site)
    other = ShopId(await site.make_shop())

    answer = await site.post("Orders.update", {"orders": [{"order_number": "A-1"}]}, shop_id=other)

    assert answer.status_code == 204
    assert await site.changes() == [("upgates", "order", "A-1")]


async def test_the_address_of_a_shop_that_is_gone_stays_unknown_over_the_quota(site: Site) -> None:
    await site.run("UPDATE shops SET state = 'uninstalled' WHERE id = :id", id=site.shop_id)
    await flooded(site)

    assert (await site.post("Orders.update", {"orders": [{"order_number": "A-1"}]})).status_code == 404


async def test_a_connected_system_s_webhooks_over_the_quota_become_its_polls(site: Site) -> None:
    await flooded(site)

    answer = await site.uphance({"type": "pick_ticket"})

    assert answer.status_code == 204
    assert await site.changes() == [("uphance", "catalogue", "catalogue")]


async def test_a_flood_of_deliveries_is_not_written_down_for_diagnosis(site: Site) -> None:
    quota = site.app.state.container.inbox.quotas.of(site.shop_id)
    while quota.keeps(5_000)[1]:
        pass
    await site.post("Orders.update", {"orders": [{"order_number": "A-1"}]})
    [named] = await site.rows("SELECT keys FROM deliveries")
    while quota.keeps(1)[0]:
        pass
    await site.post("Orders.update", {"orders": [{"order_number": "A-2"}]})

    assert await site.deliveries() == 1
    assert named == ([],)
    assert len(await site.changes()) == 2, "what is to be read is kept all the same"


@pytest.mark.deadline
async def test_who_waits_for_a_turn_is_answered_within_half_a_second_all_the_same(site: Site) -> None:
    await site.post("Orders.update", {"orders": [{"order_number": "A-1"}]})
    async with site.engine.connect() as holder:
        await holder.execute(text("SELECT FROM changes FOR UPDATE"))
        quota = site.app.state.container.inbox.quotas.of(site.shop_id)
        while quota.arrives(0) == 0:
            pass
        for _ in range(300):
            quota.arrives(0)
        answer = await site.post("Orders.update", {"orders": [{"order_number": "A-1"}]})
        await holder.rollback()

    assert answer.status_code == 503
