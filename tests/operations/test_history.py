"""Who did what to a shop, and when: written with the change, by whichever way it came."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.clock import NOON
from tests.support.engine import Engine
from tests.support.simulated import accept
from tests.support.upp import make_product, make_variant
from upbridge.core.errors import BadRequest
from upbridge.domain.delivery import Document, Issue, Parked
from upbridge.domain.history import Way, What
from upbridge.domain.shop import ShopState
from upbridge.store import history
from upbridge.store.history import Entry
from upbridge.store.problems import NewProblem, Stage, raise_problems


async def told(machine: Engine, **how: Any) -> list[Entry]:
    """The history of the shop, oldest first."""
    async with machine.db.connect() as tx:
        return list(reversed(await history.latest(tx, machine.shop_id, **{"limit": 100, **how})))


def by_page(machine: Engine) -> Engine:
    """The same machinery, called by a form of the pages."""
    return replace(machine, service=replace(machine.service, way=Way.PAGE))


def short(entry: Entry) -> tuple[Any, ...]:
    return (entry.way, entry.what, entry.subject, entry.old, entry.new)


async def test_a_changed_setting_says_what_it_was_and_what_it_is(machine: Engine) -> None:
    page = by_page(machine)

    await page.service.settings_editor.change(await page.shop(), {"stock.safety": "3", "upp.order_days": "30"})
    await machine.service.settings_editor.change(await machine.shop(), {"stock.safety": ""})

    assert [short(one) for one in await told(machine)] == [
        (Way.PAGE, What.SETTING, "stock.safety", "0", "3"),
        (Way.PROGRAM, What.SETTING, "stock.safety", "3", "0"),
    ]


async def test_what_is_refused_leaves_no_trace(machine: Engine) -> None:
    with pytest.raises(BadRequest):
        await machine.service.settings_editor.change(await machine.shop(), {"stock.safety": "3", "nonsense": "1"})

    assert await told(machine) == []


async def test_a_change_that_is_taken_back_takes_its_line_with_it(machine: Engine) -> None:
    """One transaction: a history that tells of what never happened is worse than none."""
    async with machine.db.connect() as tx:
        await machine.service.shops.change_settings(
            tx, machine.shop_id, {"stock.safety": "3"}, now=machine.watch()
        )
        await tx.rollback()

    assert await told(machine) == []


async def test_states_say_who_moved_the_shop(machine: Engine) -> None:
    shops = replace(machine.service, way=Way.CLI).shops
    now = machine.watch()

    await shops.move(machine.shop_id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=now, reason="operator")
    await shops.move(machine.shop_id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=now)
    await shops.move(machine.shop_id, to=ShopState.ACTIVE, among=[ShopState.SUSPENDED], now=now)

    assert [(one.way, one.what, one.old, one.new, one.details) for one in await told(machine)] == [
        (Way.CLI, What.STATE, "active", "suspended", {"reason": "operator"}),
        (Way.CLI, What.STATE, "suspended", "active", {}),
    ]


async def parked(machine: Engine) -> int:
    """A product that Upp refused; returns the number of its problem."""

    async def refuse(documents: Sequence[Document]) -> Any:
        yield [(one, Parked(Issue("upp.rejected", {"said": "no"}))) for one in documents]

    machine.target.script = refuse
    await machine.settle(make_product(make_variant(1)))
    await machine.push()
    machine.target.script = accept
    [problem] = await machine.problems()
    return problem.id


async def test_a_problem_that_is_tried_again_or_handled_is_listed(machine: Engine) -> None:
    number = await parked(machine)

    await by_page(machine).service.problem_actions.retry(number)
    await machine.service.problem_actions.dismiss(number)

    released, handled = await told(machine)
    assert short(released)[:3] == (Way.PAGE, What.RELEASED, "upp.rejected")
    assert released.details == {"kind": "product", "entity": "v-1", "target": "upp"}
    assert short(handled)[:3] == (Way.PROGRAM, What.HANDLED, "upp.rejected")


async def test_what_can_not_be_tried_again_was_not_tried(machine: Engine) -> None:
    new = NewProblem(
        stage=Stage.PUSH,
        key="connection.refused",
        target="upp",
        kind="connection",
        entity="upp",
        parent="upp",
        params={},
    )
    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [new], now=machine.watch())
    [problem] = await machine.problems()

    await machine.service.problem_actions.retry(problem.id)

    assert await told(machine) == []


async def test_a_connection_that_ends_is_listed_and_so_is_a_login_that_works_again(machine: Engine) -> None:
    await machine.service.connections.break_off(machine.shop_id, "upp", "no", now=machine.watch())
    await machine.service.connections.break_off(machine.shop_id, "upp", "no", now=machine.watch())
    await machine.service.connection_editor.restore(await machine.shop(), "upp")
    await by_page(machine).service.connection_editor.disconnect(await machine.shop(), "upp")

    assert [short(one)[:3] for one in await told(machine)] == [
        (Way.PROGRAM, What.LOGIN_REFUSED, "upp"),
        (Way.PROGRAM, What.LOGIN_RESTORED, "upp"),
        (Way.PAGE, What.DISCONNECTED, "upp"),
    ]


async def test_renewed_addresses_and_ended_sessions_are_listed(machine: Engine) -> None:
    await machine.service.secret_renewal.renew(await machine.shop(), webhooks=True, sessions=True)

    assert [short(one)[1] for one in await told(machine)] == [What.WEBHOOKS_RENEWED, What.SESSIONS_ENDED]


async def test_the_newest_come_first_and_the_rest_page_by_page(machine: Engine) -> None:
    for number in range(1, 6):
        machine.watch.move(minutes=1)
        await machine.service.settings_editor.change(await machine.shop(), {"stock.safety": str(number)})

    async with machine.db.connect() as tx:
        first = await history.latest(tx, machine.shop_id, limit=2)
        second = await history.latest(tx, machine.shop_id, limit=2, before=first[-1].id)
        recent = await history.latest(tx, machine.shop_id, limit=9, since=machine.watch() - timedelta(minutes=1))

    assert [one.new for one in first] == ["5", "4"]
    assert [one.new for one in second] == ["3", "2"]
    assert [one.new for one in recent] == ["5", "4"]


async def test_what_is_longer_than_a_line_is_cut(machine: Engine) -> None:
    async with machine.db.begin() as tx:
        entry = history.NewEntry(What.SETTING, "x", old=None, new="long" * 1_000)
        await history.record(tx, machine.shop_id, Way.CLI, [entry], now=NOON)

    [one] = await told(machine)
    assert one.new is not None
    assert len(one.new) == history.LONGEST


async def test_another_shops_history_is_not_told(machine: Engine) -> None:
    other = await machine.make_shop()
    async with machine.db.begin() as tx:
        await history.record(tx, other, Way.CLI, [history.NewEntry(What.CONNECTED, "upp")], now=machine.watch())

    assert await told(machine) == []
    assert await machine.value("SELECT count(*) FROM history") == 1


async def test_a_line_that_is_written_by_hand_still_reads(machine: Engine) -> None:
    """A newer version may know words that this one does not: both run side by side."""
    async with machine.db.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO history (shop_id, at, way, what, subject) VALUES (:shop, :now, 'pigeon', 'flown', '')"
            ),
            {"shop": machine.shop_id, "now": machine.watch()},
        )

    [one] = await told(machine)
    assert (one.way, one.what) == ("pigeon", "flown")
