"""The shop itself: its facts, its webhooks, and what a probe makes of a shop that is silent or gone."""

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import event, text
from structlog.testing import capture_logs

from tests.support.engine import Engine
from tests.support.simulated import answering
from upbridge.domain.lane import Lane
from upbridge.domain.shop import BY_OPERATOR, BY_UPGATES, ShopState
from upbridge.engine import lanes
from upbridge.engine.parameters import PARAMETERS
from upbridge.store.changes import Kind, Origin

# --- facts and webhooks -------------------------------------------------------------------------------------


@pytest.mark.rule("R52")
async def test_a_webhook_about_facts_does_not_ask_for_the_owner_again(machine: Engine) -> None:
    await machine.mark(Kind.FACTS, "facts", origin=Origin.WEBHOOK)

    await machine.pull()

    assert "/owner" not in machine.upgates.paths()
    assert (await machine.shop()).name == "Dílna"


async def test_renewed_facts_release_what_was_parked(machine: Engine) -> None:
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    await machine.run("UPDATE documents SET state = 'parked'")
    await machine.mark(Kind.FACTS, "facts")

    await machine.pull()

    assert (await machine.documents())["A-1"]["state"] == "waiting"


async def test_the_webhooks_are_subscribed_once(machine: Engine) -> None:
    for _ in range(2):
        await machine.mark(Kind.WEBHOOKS, "webhooks")
        await machine.pull()

    assert [hook["event"] for hook in machine.upgates.hooks] == [
        "Orders.create",
        "Orders.update",
        "Products.delete",
    ]
    assert (await machine.shop()).subscribed_at == machine.watch()


@pytest.mark.rule("R45")
async def test_last_calls_that_failed_are_kept_until_the_next_comparison_finds_none(machine: Engine) -> None:
    await machine.mark(Kind.WEBHOOKS, "webhooks")
    await machine.pull()
    hook = machine.upgates.hooks[0]
    at = machine.watch().isoformat()
    found = []

    for status in (503, None):
        hook.update(last_error_call=at if status else None, last_error_call_status=status)
        await machine.mark(Kind.WEBHOOKS, "webhooks")
        await machine.pull()
        async with machine.service.engine.connect() as tx:
            found.append(await tx.scalar(text("SELECT webhook_failures FROM shops")))

    assert found == [[{"event": hook["event"], "at": at, "status": 503}], None]


# --- refused by Upgates -------------------------------------------------------------------------------------


@pytest.mark.rule("R56")
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_login_suspends_the_shop_and_keeps_everything(machine: Engine, status: int) -> None:
    machine.upgates.judges.append(answering(status))
    await machine.mark(Kind.ORDER, "A-1")

    assert await machine.pull() is False

    shop = await machine.shop()
    assert (shop.state, shop.reason) == (ShopState.SUSPENDED, BY_UPGATES)
    assert await machine.change_keys() == [("order", "A-1"), ("probe", "probe")]
    assert await machine.service.shops.credentials(machine.shop_id) is not None


@pytest.mark.rule("R14", "R56")
async def test_the_old_login_s_refusal_stops_no_shop_that_was_installed_again_meanwhile(machine: Engine) -> None:
    """A call is on its way with credentials that a second activation replaces."""
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    installed = [machine.watch() - timedelta(days=1), machine.watch()]

    async def old_login(request: httpx.Request) -> httpx.Response:
        if installed:
            await machine.run("UPDATE shops SET signed_at = :at WHERE id = :shop_id", at=installed.pop())
            return httpx.Response(401, json={})
        return machine.upgates(request)

    await machine.run("UPDATE shops SET signed_at = :at WHERE id = :shop_id", at=installed.pop(0))
    machine.upgates.others["shop.admin.s1.upgates.com"] = old_login

    await machine.pull()
    assert (await machine.shop()).state is ShopState.ACTIVE
    assert await machine.change_keys() == [("order", "A-1")]

    await machine.pull()
    assert [*await machine.documents()] == ["A-1"]


@pytest.mark.rule("R56")
async def test_a_suspended_shop_is_asked_once_an_hour_and_nothing_else(machine: Engine) -> None:
    machine.upgates.judges.append(answering(401))
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    machine.upgates.requests.clear()

    for _ in range(3):
        await machine.pull()
    assert machine.upgates.requests == []
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == []

    machine.watch.move(hours=1)
    assert await lanes.due(machine.db, machine.service.systems, now=machine.watch()) == [
        Lane.pull(machine.shop_id, "upgates")
    ]
    for _ in range(3):
        await machine.pull()

    assert machine.upgates.paths() == ["/status"]
    assert (await machine.shop()).state is ShopState.SUSPENDED


@pytest.mark.rule("R56")
async def test_a_probe_asked_for_while_one_is_under_way_is_not_made_within_the_hour(machine: Engine) -> None:
    """The schedules of two processes strike at once, one of them after the other's probe has begun."""
    machine.upgates.judges.append(answering(401))
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    machine.watch.move(hours=1)
    await machine.pull()
    machine.upgates.requests.clear()

    await machine.mark(Kind.PROBE, "probe")
    for _ in range(2):
        await machine.pull()
    assert (machine.upgates.requests, await machine.change_keys()) == ([], [("order", "A-1")])

    machine.watch.move(hours=1)
    await machine.mark(Kind.PROBE, "probe")
    await machine.pull()
    assert machine.upgates.paths() == ["/status"]


async def test_a_probe_that_is_answered_resumes_the_shop_and_its_work(machine: Engine) -> None:
    machine.upgates.order("A-1")
    machine.upgates.judges.append(answering(401, times=1))
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    machine.watch.move(hours=1)

    await machine.pull()
    await machine.pull()

    assert (await machine.shop()).state is ShopState.ACTIVE
    assert [*await machine.documents()] == ["A-1"]


async def test_a_probe_does_not_resume_what_an_operator_suspended(machine: Engine) -> None:
    await machine.service.shops.move(
        machine.shop_id, to=ShopState.SUSPENDED, among=[ShopState.ACTIVE], now=machine.watch(), reason=BY_OPERATOR
    )
    await machine.mark(Kind.PROBE, "probe")

    await machine.pull()

    assert (await machine.shop()).state is ShopState.SUSPENDED


async def uninstall(machine: Engine) -> None:
    await machine.service.shops.move(
        machine.shop_id, to=ShopState.UNINSTALLING, among=[ShopState.ACTIVE], now=machine.watch()
    )
    await machine.mark(Kind.PROBE, "probe")


async def test_a_deactivated_shop_that_answers_401_loses_its_credentials(machine: Engine) -> None:
    machine.upgates.judges.append(answering(401))
    await uninstall(machine)

    await machine.pull()

    assert (await machine.shop()).state is ShopState.UNINSTALLED
    assert await machine.service.shops.credentials(machine.shop_id) is None
    assert machine.upgates.paths() == ["/status"]


@pytest.mark.rule("R14")
@pytest.mark.parametrize(
    ("state", "status"), [(ShopState.ACTIVE, 401), (ShopState.ACTIVE, 403), (ShopState.UNINSTALLING, 401)]
)
async def test_a_probe_of_the_old_login_takes_nothing_from_a_shop_installed_at_its_last_moment(
    machine: Engine, database_url: str, state: ShopState, status: int
) -> None:
    """The installation is accepted between the last look at the shop and what follows from the probe."""
    machine.upgates.judges.append(answering(status))
    await machine.run("UPDATE shops SET signed_at = :at, state = :state", at=machine.watch(), state=state)
    await machine.mark(Kind.PROBE, "probe")
    installed: list[str] = []

    def installed_first(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "SELECT shops.state" in statement and "FOR UPDATE" in statement and not installed:
            installed.append(statement)
            with psycopg.connect(database_url, autocommit=True) as tx:
                later = machine.watch() + timedelta(seconds=1)
                tx.execute("UPDATE shops SET signed_at = %s, state = 'active'", (later,))

    event.listen(machine.db.sync_engine, "before_cursor_execute", installed_first)
    try:
        await machine.pull()
    finally:
        event.remove(machine.db.sync_engine, "before_cursor_execute", installed_first)

    assert installed
    assert (await machine.shop()).state is ShopState.ACTIVE
    assert await machine.service.shops.credentials(machine.shop_id) is not None


async def test_a_deactivated_shop_whose_answer_proves_nothing_keeps_its_credentials(machine: Engine) -> None:
    """403 is also the answer to an address that is locked or to a missing right: a replay must not use that."""
    machine.upgates.judges.append(answering(403))
    await uninstall(machine)

    await machine.pull()

    assert (await machine.shop()).state is ShopState.UNINSTALLING
    assert await machine.service.shops.credentials(machine.shop_id) is not None


async def test_a_deactivated_shop_that_still_answers_was_replayed_and_goes_on(machine: Engine) -> None:
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    await uninstall(machine)

    with capture_logs() as logs:
        await machine.pull()

    assert "uninstall_was_a_replay" in [entry["event"] for entry in logs]
    assert (await machine.shop()).state is ShopState.ACTIVE
    await machine.pull()
    assert [*await machine.documents()] == ["A-1"]


@pytest.mark.rule("R29")
async def test_a_deactivated_shop_is_never_called_but_for_the_one_question(machine: Engine) -> None:
    machine.upgates.judges.append(answering(500, "/status"))
    await machine.mark(Kind.ORDER, "A-1")
    await machine.mark(Kind.FACTS, "facts")
    await uninstall(machine)

    for _ in range(3):
        await machine.pull()
        machine.watch.move(minutes=20)

    assert machine.upgates.paths() == ["/status"]
    assert (await machine.shop()).state is ShopState.UNINSTALLING


async def test_a_shop_whose_credentials_are_gone_is_not_called(machine: Engine) -> None:
    await machine.run("UPDATE shops SET api_key = NULL")
    await machine.mark(Kind.ORDER, "A-1")

    await machine.pull()

    assert machine.upgates.requests == []
    assert (await machine.shop()).state is ShopState.SUSPENDED


async def test_who_connects_uphance_has_the_names_of_parameters_read_and_nothing_else(machine: Engine) -> None:
    await machine.connect("uphance")
    machine.upgates.rare["/products/parameters"] = {"products": []}
    read_at = await machine.value("SELECT facts_at FROM shops WHERE id = :shop_id")

    await machine.mark(Kind.FACTS, PARAMETERS, origin=Origin.SETTINGS)
    await machine.pull()

    assert machine.upgates.paths() == ["/products/parameters"]
    assert await machine.value("SELECT facts_at FROM shops WHERE id = :shop_id") == read_at
