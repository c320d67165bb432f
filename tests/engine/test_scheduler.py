"""What the clock asks for: neither too often nor too seldom, and only where it helps."""

import random
from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.clock import NOON
from tests.support.engine import Engine, MakeEngine
from tests.support.upgates import raw_product
from tests.support.upp import make_order
from upbridge.domain.shop import BY_OPERATOR, BY_UPGATES, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine.scheduler import Tick
from upbridge.store.changes import Kind
from upbridge.store.runs import RunPurpose, is_catching_up, latest_runs


@pytest.fixture
async def machine(make_engine: MakeEngine) -> Engine:
    """A shop about which everything is known and of which nothing is due."""
    made = await make_engine()
    await made.run(
        "UPDATE shops SET facts_at = :now, subscribed_at = :now, reconciled_at = :now, state_since = :now",
        now=made.watch(),
    )
    return made


async def kinds(machine: Engine, source: str = "upgates") -> list[str]:
    return [row["kind"] for row in await machine.changes(source)]


@pytest.mark.rule("R48")
async def test_nothing_is_due_in_a_quiet_hour(machine: Engine) -> None:
    for _ in range(6):
        await machine.service.scheduler.run_once()
        machine.watch.move(minutes=10)

    assert await kinds(machine) == []


@pytest.mark.rule("R45")
async def test_webhooks_are_compared_once_a_day(machine: Engine) -> None:
    machine.watch.move(hours=23)
    await machine.service.scheduler.run_once()
    assert "webhooks" not in await kinds(machine)

    machine.watch.move(hours=2)
    await machine.service.scheduler.run_once()
    assert "webhooks" in await kinds(machine)
    await machine.pull()
    await machine.service.scheduler.run_once()
    assert "webhooks" not in await kinds(machine)


@pytest.mark.rule("R52")
async def test_facts_are_renewed_once_a_day(machine: Engine) -> None:
    machine.watch.move(hours=23)
    await machine.service.scheduler.run_once()
    assert "facts" not in await kinds(machine)

    machine.watch.move(hours=2)
    await machine.service.scheduler.run_once()
    assert "facts" in await kinds(machine)


async def test_a_shop_of_which_nothing_is_known_is_asked_at_once(make_engine: MakeEngine) -> None:
    machine = await make_engine(connected=False, facts=None)

    await machine.service.scheduler.run_once()

    assert await kinds(machine) == ["facts", "webhooks"]


# --- the safety net -----------------------------------------------------------------------------------------


@pytest.mark.rule("R38")
async def test_the_net_is_cast_once_a_period(machine: Engine) -> None:
    for _ in range(3):
        machine.watch.move(hours=25)
        await machine.service.scheduler.run_once()
        await machine.service.scheduler.run_once()
        await machine.drain()

    assert await machine.value("SELECT count(*) FROM runs WHERE purpose = 'safety_net' AND kind = 'order'") == 3


@pytest.mark.rule("R54")
async def test_a_net_that_is_out_for_a_whole_period_is_given_up_for_the_next(machine: Engine) -> None:
    machine.watch.move(hours=25)
    await machine.service.scheduler.run_once()
    machine.watch.move(hours=23)
    await machine.service.scheduler.run_once()
    assert await machine.value("SELECT count(*) FROM runs") == 2
    machine.watch.move(hours=2)

    await machine.service.scheduler.run_once()

    states = await machine.rows("SELECT kind, state, complete, since FROM runs ORDER BY kind, id")
    assert [(row["state"], row["complete"]) for row in states] == [("done", False), ("running", True)] * 2
    assert len({row["since"] for row in states}) == 1


async def test_a_shop_without_a_target_needs_no_net(make_engine: MakeEngine) -> None:
    machine = await make_engine(connected=False)
    machine.watch.move(hours=50)

    await machine.service.scheduler.run_once()

    assert await latest_runs(machine.db, machine.shop_id, RunPurpose.SAFETY_NET) == {}


@pytest.mark.rule("R51")
async def test_the_shops_are_spread_over_the_period(make_engine: MakeEngine) -> None:
    """Forty shops that were installed in the same minute do not come in the same hour."""
    machine = await make_engine()
    for _ in range(39):
        shop_id = ShopId(await machine.make_shop(facts={}, installed_at=machine.watch()))
        await machine.connect("upp", shop_id, account="client")
    per_slot = []
    seen = 0
    for _ in range(13):  # the last shop's moment may be the last of the day
        for _ in range(12):
            machine.watch.move(minutes=10)
            await machine.service.scheduler.run_once()
        now = int(await machine.value("SELECT count(*) FROM shops WHERE reconciled_at IS NOT NULL"))
        per_slot.append(now - seen)
        seen = now

    assert seen == 40
    assert max(per_slot) < 12


@pytest.mark.rule("R51")
@pytest.mark.parametrize("minutes_away", [0, 60])
def test_the_busiest_minute_of_ten_thousand_shops_is_half_as_busy_again_as_the_mean(minutes_away: int) -> None:
    """Each shop has its turn at a moment of its own; what piled up in an hour's standstill is spread."""
    shops_there, day, tick = 10_000, timedelta(hours=24), timedelta(seconds=10)
    turns = sorted(NOON + day * random.Random(number).random() for number in range(shops_there))
    now, done, per_minute = NOON + timedelta(minutes=minutes_away), 0, Counter[int]()
    last: datetime | None = None
    while done < shops_there:
        due = bisect_right(turns, now) - done
        begun = min(due, Tick.of(last, now).room(shops_there, day))
        per_minute[(now - NOON) // timedelta(minutes=1)] += begun
        done, last, now = done + begun, now, now + tick

    assert max(per_minute.values()) <= 1.5 * shops_there / (24 * 60)
    assert now < NOON + day * 1.01


@pytest.mark.rule("R51")
async def test_what_waits_already_takes_no_room(make_engine: MakeEngine) -> None:
    """Polls that piled up begin one after the other, and those that are under way are not begun again."""
    machine = await make_engine()
    for _ in range(11):
        shop_id = ShopId(await machine.make_shop(facts={}, installed_at=machine.watch()))
        await machine.connect("uphance", shop_id, account="5")
    await machine.run("UPDATE connections SET polled_at = :now", now=machine.watch())
    machine.watch.move(hours=1)
    begun = []

    for _ in range(13):
        await machine.service.scheduler.run_once()
        begun.append(await waiting(machine))
        machine.watch.move(seconds=12)

    assert begun == [*range(1, 12), 11, 11]


async def waiting(machine: Engine) -> int:
    return int(await machine.value("SELECT count(*) FROM changes WHERE source = 'uphance' AND kind = 'catalogue'"))


# --- catching up --------------------------------------------------------------------------------------------


async def nets(machine: Engine) -> int:
    return int(await machine.value("SELECT count(*) FROM runs WHERE purpose = 'safety_net' AND kind = 'order'"))


@pytest.mark.situation("restored")
async def test_a_database_that_was_put_back_under_the_workers_is_caught_up_with_at_once(machine: Engine) -> None:
    await machine.service.scheduler.run_once()
    [beat] = await machine.rows("SELECT * FROM heartbeat")
    machine.watch.move(hours=1)
    await machine.service.scheduler.run_once()
    assert await nets(machine) == 0

    await machine.run("UPDATE heartbeat SET at = :at", at=beat["at"])
    machine.watch.move(seconds=10)
    await machine.service.scheduler.run_once()
    await machine.service.scheduler.run_once()

    assert await nets(machine) == 1
    assert "webhooks" in await kinds(machine)


async def test_a_replica_that_took_over_is_caught_up_with_at_once(machine: Engine) -> None:
    await machine.service.scheduler.run_once()
    await machine.run("UPDATE heartbeat SET identity = '7/00000001/5'")
    machine.watch.move(seconds=10)

    await machine.service.scheduler.run_once()
    await machine.service.scheduler.run_once()

    assert await nets(machine) == 1


@pytest.mark.situation("restored")
@pytest.mark.parametrize(("minutes", "expected"), [(2, 0), (11, 1)])
async def test_a_worker_that_starts_after_a_long_pause_catches_up(
    machine: Engine, minutes: int, expected: int
) -> None:
    await machine.service.scheduler.run_once()
    machine.watch.move(minutes=minutes)
    machine.service.last_beat.at = None  # another process

    await machine.service.scheduler.run_once()

    assert await nets(machine) == expected


async def test_a_net_that_was_under_way_in_the_backup_is_begun_again(machine: Engine) -> None:
    machine.watch.move(hours=25)
    await machine.service.scheduler.run_once()
    assert await nets(machine) == 1
    machine.watch.move(hours=1)
    machine.service.last_beat.at = None

    await machine.service.scheduler.run_once()

    assert await nets(machine) == 2
    assert await machine.value("SELECT count(*) FROM runs WHERE state = 'running' AND kind = 'order'") == 1
    await machine.drain()
    assert await machine.value("SELECT count(*) FROM runs WHERE state = 'running'") == 0


async def test_no_stock_is_right_before_the_forgotten_orders_are_read(machine: Engine) -> None:
    await machine.service.scheduler.run_once()
    await machine.run("UPDATE heartbeat SET identity = '7/00000001/5'")
    machine.watch.move(seconds=10)
    await machine.service.scheduler.run_once()
    async with machine.db.connect() as tx:
        assert await is_catching_up(tx, machine.shop_id, "upgates")

    await machine.drain()

    async with machine.db.connect() as tx:
        assert not await is_catching_up(tx, machine.shop_id, "upgates")


async def put_back(machine: Engine) -> None:
    """The worker finds that the database is another one."""
    await machine.service.scheduler.run_once()
    await machine.run("UPDATE heartbeat SET identity = '7/00000001/5'")
    machine.watch.move(seconds=10)
    await machine.service.scheduler.run_once()


async def test_what_waited_in_the_backup_is_not_sent_before_the_forgotten_orders_are_read(machine: Engine) -> None:
    await machine.settle(make_order(order_number="OLD"))
    await put_back(machine)
    await machine.push()
    assert machine.target.received == []

    await machine.settle(make_order(order_number="NEW"))
    await machine.push()
    assert [document.key for document in machine.target.received] == ["NEW"]

    await machine.drain()
    await machine.push()
    assert [document.key for document in machine.target.received] == ["NEW", "OLD"]


@pytest.mark.situation("restored.back")
async def test_what_changed_since_the_backup_is_sent_again_even_if_it_is_as_it_was(machine: Engine) -> None:
    def shown(product_id: int, hours: int) -> dict[str, Any]:
        changed_at = machine.watch() - timedelta(hours=hours)
        return raw_product(product_id=product_id, stock=4, last_update_time=changed_at.isoformat())

    machine.upgates.products = {7: shown(7, 9), 8: shown(8, 9)}
    await machine.mark(Kind.PRODUCT, "7", "8")
    await machine.drain()
    await machine.service.scheduler.run_once()
    machine.watch.move(hours=3)
    machine.upgates.products[7] = shown(7, 1)  # after another state, which was sent and is forgotten
    await machine.run("UPDATE heartbeat SET identity = '7/00000001/5'")
    await machine.service.scheduler.run_once()
    machine.target.received.clear()
    await machine.drain()

    assert machine.target.times() == {"p-7": 1}
    assert await machine.value("SELECT sum(found) FROM runs") == 0, "it is no change that no webhook announced"
    machine.watch.move(hours=25)
    await machine.service.scheduler.run_once()
    await machine.drain()
    assert machine.target.times() == {"p-7": 1}


async def test_what_waited_in_the_backup_waits_an_hour_for_a_shop_that_does_not_answer(machine: Engine) -> None:
    await machine.settle(make_order(order_number="OLD"))
    await put_back(machine)
    machine.watch.move(minutes=61)

    await machine.push()

    assert [document.key for document in machine.target.received] == ["OLD"]


# --- probes -------------------------------------------------------------------------------------------------


async def move(machine: Engine, state: ShopState, reason: str | None = None) -> None:
    await machine.service.shops.move(
        machine.shop_id, to=state, among=[ShopState.ACTIVE], now=machine.watch(), reason=reason
    )
    await machine.run("UPDATE shops SET state_since = :now", now=machine.watch())


@pytest.mark.rule("R56")
@pytest.mark.parametrize(("state", "reason"), [(ShopState.SUSPENDED, BY_UPGATES), (ShopState.UNINSTALLING, None)])
async def test_a_silent_shop_is_asked_once_an_hour(machine: Engine, state: ShopState, reason: str | None) -> None:
    await move(machine, state, reason)
    asked = 0
    for _ in range(12):
        machine.watch.move(minutes=15)
        await machine.service.scheduler.run_once()
        if "probe" in await kinds(machine):
            asked += 1
            await machine.run("DELETE FROM changes")
            await machine.service.shops.mark(machine.shop_id, "probed_at", now=machine.watch())

    assert asked == 2


@pytest.mark.rule("R29")
@pytest.mark.parametrize(("state", "reason"), [(ShopState.SUSPENDED, BY_OPERATOR), (ShopState.UNINSTALLED, None)])
async def test_a_shop_that_was_stopped_is_never_asked(
    machine: Engine, state: ShopState, reason: str | None
) -> None:
    await move(machine, state, reason)
    machine.watch.move(days=30)

    await machine.service.scheduler.run_once()

    assert await kinds(machine) == []


async def test_a_deactivated_shop_that_never_answers_is_taken_at_its_word(machine: Engine) -> None:
    await move(machine, ShopState.UNINSTALLING)
    machine.watch.move(hours=23)
    await machine.service.shops.mark(machine.shop_id, "probed_at", now=machine.watch())
    await machine.service.scheduler.run_once()
    assert (await machine.shop()).state is ShopState.UNINSTALLING

    machine.watch.move(hours=2)
    await machine.service.scheduler.run_once()

    assert (await machine.shop()).state is ShopState.UNINSTALLED
    assert await machine.service.shops.credentials(machine.shop_id) is None


async def test_a_worker_that_was_away_asks_before_it_takes_a_deactivation_at_its_word(machine: Engine) -> None:
    await move(machine, ShopState.UNINSTALLING)
    machine.watch.move(days=3)

    await machine.service.scheduler.run_once()

    assert (await machine.shop()).state is ShopState.UNINSTALLING
    assert "probe" in await kinds(machine)


# --- Uphance ------------------------------------------------------------------------------------------------


async def test_stock_is_read_every_quarter_of_an_hour_where_uphance_is_connected(machine: Engine) -> None:
    await machine.service.scheduler.run_once()
    assert await kinds(machine, "uphance") == []
    await machine.connect("uphance")

    await machine.service.scheduler.run_once()
    assert "catalogue" in await kinds(machine, "uphance")
    await machine.run("DELETE FROM changes")
    await machine.run("UPDATE connections SET polled_at = :now", now=machine.watch())
    machine.watch.move(minutes=14)
    await machine.service.scheduler.run_once()
    assert "catalogue" not in await kinds(machine, "uphance")
    machine.watch.move(minutes=2)
    await machine.service.scheduler.run_once()
    assert "catalogue" in await kinds(machine, "uphance")


async def test_a_broken_connection_is_not_read(machine: Engine) -> None:
    await machine.connect("uphance", state="broken")

    await machine.service.scheduler.run_once()

    assert await kinds(machine, "uphance") == []


async def test_only_one_of_many_workers_does_what_the_clock_asks_for(machine: Engine) -> None:
    machine.watch.move(hours=48)
    async with machine.db.begin() as tx:
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('upbridge.schedule'))"))
        await machine.service.scheduler.run_once()
        assert await kinds(machine) == []

    await machine.service.scheduler.run_once()
    assert await kinds(machine) != []
