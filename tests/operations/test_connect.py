"""Connecting: tested first, stored sealed, named so that two shops never mix; and what a setting's change does."""

import asyncio
import itertools
import json
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from tests.operations.connecting import (
    SECRET,
    change,
    connected,
    make_unconnected,
    parked,
    states,
    uphance,
    uphance_of,
    upp,
)
from tests.support.connecting import connect_upp
from tests.support.engine import Engine, MakeEngine
from tests.support.fake_upp import Upp
from tests.support.postgres import wait_for_lock
from tests.support.simulated import FACTS, answering
from tests.support.upp import make_order, make_product, make_variant
from upbridge.core.errors import BadRequest, Conflict, LoginRefused
from upbridge.domain.lane import SLICE_SECONDS, Lane
from upbridge.domain.shop import ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.engine import lanes
from upbridge.store import schema
from upbridge.store.changes import Kind
from upbridge.store.problems import NewProblem, Stage, raise_problems
from upbridge.store.runs import RunPurpose, RunState, latest_runs


@pytest.fixture
async def machine(make_engine: MakeEngine) -> Engine:
    """A shop that is connected to nothing, with both other systems at hand."""
    return await make_unconnected(make_engine)


async def second_shop(machine: Engine, key: str = "other") -> ShopId:
    """Another shop, which the machine works for from now on."""
    machine.shop_id = ShopId(await machine.make_shop(key=key, facts=FACTS))
    return machine.shop_id


# --- Upp ----------------------------------------------------------------------------------------------------


async def test_a_connection_that_works_is_stored_encrypted_and_imports_by_itself(machine: Engine) -> None:
    row = await upp(machine)

    assert (row.system, str(row.state), row.account, row.prefix) == ("upp", "connected", "tenant", "")
    stored = await machine.value("SELECT secret FROM connections")
    assert SECRET.encode() not in bytes(stored)
    vault = machine.service.connections.vault(machine.shop_id, "upp")
    assert await vault.secret() == {"client_id": "tenant", "client_secret": SECRET}
    assert SECRET not in repr(row)
    runs = await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT)
    assert {kind: run.state for kind, run in runs.items()} == {
        "product": RunState.RUNNING,
        "order": RunState.RUNNING,
    }


async def test_credentials_that_do_not_work_leave_nothing(machine: Engine) -> None:
    server = Upp()
    server.token_reply = httpx.Response(401, json={"error": "invalid_client"})
    machine.upgates.others["svc.upp.ai"] = server

    with pytest.raises(LoginRefused) as caught:
        await upp(machine)

    assert SECRET not in str(caught.value)
    assert await machine.service.connections.of(machine.shop_id) == {}
    assert await machine.changes() == []


@pytest.mark.parametrize("state", [ShopState.UNINSTALLING, ShopState.UNINSTALLED])
async def test_a_shop_that_left_cannot_be_connected(machine: Engine, state: ShopState) -> None:
    await machine.service.shops.move(machine.shop_id, to=state, among=[ShopState.ACTIVE], now=machine.watch())

    with pytest.raises(Conflict):
        await upp(machine)


async def test_connecting_again_repairs_and_sends_what_waited(machine: Engine) -> None:
    await upp(machine)
    await machine.service.connections.break_off(machine.shop_id, "upp", "401", now=machine.watch())
    problem = NewProblem(
        stage=Stage.PUSH,
        key="connection.refused",
        target="upp",
        kind="connection",
        entity="upp",
        parent="upp",
        params={},
    )
    async with machine.db.begin() as tx:
        await raise_problems(tx, machine.shop_id, [problem], now=machine.watch())
    await lanes.block(machine.db, Lane.push(machine.shop_id, "upp"), reason="401", now=machine.watch())
    await machine.settle(make_product())
    await machine.run("UPDATE documents SET state = 'parked'")
    await machine.run("DELETE FROM changes")
    machine.watch.move(days=3)

    row = await upp(machine)

    assert str(row.state) == "connected"
    assert row.connected_at == machine.watch() - timedelta(days=3)
    assert await machine.problems() == []
    assert await machine.lane("push:upp") is None
    assert [one["state"] for one in (await machine.documents()).values()] == ["waiting"]
    assert await machine.changes() == []  # it has all that was imported the first time


@pytest.mark.situation("refused.login")
@pytest.mark.parametrize("alone", [True, False])
async def test_what_happens_while_the_login_is_refused_waits_for_the_next(machine: Engine, *, alone: bool) -> None:
    """Neither the hint nor a safety net comes a second time, and another system's share of it is no reason."""
    await upp(machine)
    if not alone:
        await uphance(machine)
    await machine.run("DELETE FROM changes")
    await machine.service.connections.break_off(machine.shop_id, "upp", "401", now=machine.watch())
    machine.upgates.order("A-1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.pull()
    waiting = await machine.documents("upp")
    machine.watch.move(days=3)

    await upp(machine)

    assert [*waiting] == ["A-1"]
    assert await machine.documents("upp") == waiting
    assert Lane.push(machine.shop_id, "upp") in await lanes.due(
        machine.db, machine.service.systems, now=machine.watch()
    )


async def test_what_was_queued_by_a_reader_that_did_not_know_of_the_disconnection_is_read_again(
    machine: Engine,
) -> None:
    await upp(machine)
    await machine.settle(make_product())
    queued = await machine.rows("SELECT * FROM documents")
    await machine.service.connection_editor.disconnect(await machine.shop(), "upp")
    async with machine.db.begin() as tx:
        await tx.execute(schema.documents.insert(), queued)

    await upp(machine)

    assert await machine.documents() == {}
    assert ("product", "12") in await machine.change_keys()


# --- two shops, one tenant ----------------------------------------------------------------------------------


@pytest.mark.situation("two.tenants")
async def test_the_second_shop_of_a_tenant_gets_a_prefix_and_keeps_it(machine: Engine) -> None:
    await upp(machine)
    await second_shop(machine)

    assert (await upp(machine)).prefix == "other-"
    assert (await upp(machine)).prefix == "other-"
    await machine.service.connections.disconnect(machine.shop_id, "upp", now=machine.watch())
    assert (await upp(machine)).prefix == "other-"


async def test_the_first_shop_of_a_tenant_keeps_its_bare_names_when_it_returns(machine: Engine) -> None:
    first = machine.shop_id
    await upp(machine)
    await machine.service.connections.disconnect(first, "upp", now=machine.watch())
    await second_shop(machine)

    assert (await upp(machine)).prefix == "other-", "the first one's copies are still there under bare names"
    machine.shop_id = first
    assert (await upp(machine)).prefix == ""


async def test_another_tenant_needs_no_prefix(machine: Engine) -> None:
    await upp(machine)
    await second_shop(machine)

    assert (await upp(machine, "another")).prefix == ""


async def test_two_shops_that_connect_at_once_do_not_both_get_bare_names(machine: Engine) -> None:

    shops = [await machine.shop(), await machine.service.shops.get(await second_shop(machine))]

    rows = await asyncio.gather(
        *(connect_upp(machine.service, shop, client_id="tenant", client_secret=SECRET) for shop in shops)
    )

    assert min(row.prefix for row in rows) == ""
    assert len({row.prefix for row in rows}) == 2


@pytest.mark.parametrize("leave", [False, True])
async def test_another_account_gets_everything_from_the_beginning(machine: Engine, *, leave: bool) -> None:
    await upp(machine)
    await machine.settle(make_product())
    await machine.push()
    assert len(await machine.links()) == 1
    await machine.run("DELETE FROM changes")
    if leave:
        await machine.service.connections.disconnect(machine.shop_id, "upp", now=machine.watch())

    await upp(machine, "another")

    assert await machine.links() == {}
    assert [kind for kind, _ in await machine.change_keys()] == ["orders.page", "products.page"]
    assert await machine.settle(make_product()) == {"12"}


async def test_what_waits_under_another_account_s_names_is_read_again_for_the_new_one(machine: Engine) -> None:
    """Else goods would be in the new account twice, and there is no way to delete them there."""
    await upp(machine)
    await second_shop(machine)
    assert (await upp(machine)).prefix == "other-"
    await machine.settle(make_product())
    await machine.settle(make_order(), kind="order")
    waiting = await machine.documents()
    await machine.run("UPDATE connections SET state = 'broken'")

    assert (await upp(machine, "another")).prefix == ""

    assert len(waiting) == 2
    assert await machine.documents() == {}
    parents = {(row["kind"], row["parent"]) for row in waiting.values()}
    assert parents <= set(await machine.change_keys())


async def test_what_waits_under_the_same_names_waits_on(machine: Engine) -> None:
    await upp(machine)
    await machine.settle(make_product())

    await upp(machine, "another")

    assert len(await machine.documents()) == 1


async def test_who_returns_to_the_same_account_sends_only_what_differs(machine: Engine) -> None:
    await upp(machine)
    await machine.settle(make_product(make_variant(1), make_variant(2)))
    await machine.push()
    await machine.service.connections.disconnect(machine.shop_id, "upp", now=machine.watch())
    assert await machine.documents() == {}

    await upp(machine)
    await machine.settle(make_product(make_variant(1), make_variant(2, code="new")))

    assert [*await machine.documents()] == ["v-2"]


async def test_disconnecting_forgets_secrets_and_what_waits(machine: Engine) -> None:
    await upp(machine)
    await machine.settle(make_product())
    await lanes.block(machine.db, Lane.push(machine.shop_id, "upp"), reason="x", now=machine.watch())

    await machine.service.connections.disconnect(machine.shop_id, "upp", now=machine.watch())

    assert await machine.documents() == {}
    assert await machine.lane("push:upp") is None
    assert await machine.value("SELECT count(*) FROM connections") == 0
    assert await machine.service.connections.vault(machine.shop_id, "upp").secret() == {}


# --- while a worker is at it --------------------------------------------------------------------------------


async def test_what_is_still_delivered_to_the_old_account_is_not_taken_for_the_new_one_s(machine: Engine) -> None:
    await upp(machine)
    await machine.settle(make_product())

    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")) as guard:
        assert guard is not None
        connecting = asyncio.create_task(upp(machine, "another"))
        await wait_for_lock(machine.db)
        await machine.service.pusher.push(Lane.push(machine.shop_id, "upp"), guard)
        assert [*await machine.links()] == ["v-4711"]
        assert not connecting.done()

    assert (await connecting).account == "another"
    assert await machine.links() == {}
    assert await machine.settle(make_product()) == {"12"}


async def test_a_refused_old_login_does_not_break_the_connection_that_replaces_it(machine: Engine) -> None:
    await upp(machine)
    shop = await machine.shop()

    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")):
        connecting = asyncio.create_task(upp(machine))
        await wait_for_lock(machine.db)
        await machine.service.logins.refused_by_target(shop, "upp", LoginRefused("401"))

    assert str((await connecting).state) == "connected"
    assert await machine.problems() == []


async def test_who_disconnects_waits_for_what_is_on_its_way_and_leaves_no_problem(machine: Engine) -> None:
    await upp(machine)
    shop = await machine.shop()

    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")):
        leaving = asyncio.create_task(machine.service.connection_editor.disconnect(shop, "upp"))
        await wait_for_lock(machine.db)
        await machine.service.logins.refused_by_target(shop, "upp", LoginRefused("401"))

    await leaving
    assert await machine.service.connections.of(machine.shop_id) == {}
    assert await machine.problems() == []


async def test_a_shop_that_leaves_while_a_worker_is_waited_for_is_not_connected(machine: Engine) -> None:
    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "upp")):
        connecting = asyncio.create_task(upp(machine))
        await wait_for_lock(machine.db)
        await machine.run("UPDATE shops SET state = 'uninstalled'")

    with pytest.raises(Conflict):
        await connecting
    assert await machine.service.connections.of(machine.shop_id) == {}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("wins", [False, True])
async def test_who_gives_up_keeps_the_lane_from_no_worker(machine: Engine, *, wins: bool) -> None:
    """While waiting for it, or at the moment in which it is his."""
    await upp(machine)
    shop, lane = await machine.shop(), Lane.push(machine.shop_id, "upp")

    async with lanes.exclusive(machine.db, lane):
        leaving = asyncio.create_task(machine.service.connection_editor.disconnect(shop, "upp"))
        await wait_for_lock(machine.db)
        if not wins:
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
    if wins:
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving

    async with lanes.exclusive(machine.db, lane, wait=True) as guard:  # its session may be ending yet
        assert guard is not None
    assert "upp" in await machine.service.connections.of(machine.shop_id)


# --- Uphance ------------------------------------------------------------------------------------------------


async def test_uphance_keeps_tokens_facts_and_never_the_password(machine: Engine) -> None:
    row = await uphance(machine)

    assert (row.account, row.prefix) == ("5", "")
    assert row.facts["channels"] == [{"id": 3, "name": "Web CZ", "currency": "CZK"}]
    tokens = await machine.service.connections.vault(machine.shop_id, "uphance").tokens()
    assert tokens is not None
    raw = await machine.rows("SELECT secret, tokens FROM connections")
    assert raw[0]["secret"] is None
    assert "right" not in json.dumps(dict(tokens))
    assert [row["key"] for row in await machine.changes("uphance")] == ["catalogue"]


async def test_uphance_imports_products_but_no_history_of_orders(machine: Engine) -> None:
    await uphance(machine)

    assert [*await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT)] == ["product"]


async def test_uphance_takes_a_catalogue_that_was_read_for_another_target(machine: Engine) -> None:
    await upp(machine)
    await machine.drain()
    calls = len(machine.upgates.requests)

    await uphance(machine)
    await machine.pull()

    assert machine.upgates.paths()[calls:] == []


async def test_a_wrong_password_leaves_nothing(machine: Engine) -> None:
    with pytest.raises(LoginRefused) as caught:
        await uphance(machine, password="wrong-password")

    assert "wrong-password" not in str(caught.value)
    assert await machine.service.connections.of(machine.shop_id) == {}


async def test_an_organisation_that_is_not_there_is_answered_by_those_that_are(machine: Engine) -> None:
    with pytest.raises(BadRequest, match=r"5 \(Hemline Ltd; products 0; last order none\)"):
        await uphance(machine, organisation=77)


@pytest.mark.situation("again")
async def test_orders_that_are_there_already_are_recognised(machine: Engine) -> None:
    server = uphance_of(machine)
    server.orders = [
        {"id": 41, "purchase_order_ref": "UPG-shop-OBJ-1", "order_number": "S41", "status": "draft"},
        {"id": 42, "purchase_order_ref": "UPG-other-OBJ-2", "order_number": "S42", "status": "draft"},
        {"id": 43, "purchase_order_ref": "by hand", "order_number": "S43", "status": "draft"},
    ]

    await uphance(machine)

    links = await machine.links("uphance")
    assert {key: (row["remote_id"], row["hash"]) for key, row in links.items()} == {"OBJ-1": ("41", None)}


@pytest.mark.situation("two.shops")
async def test_orders_of_a_shop_whose_key_begins_like_ours_are_not_taken_for_ours(machine: Engine) -> None:
    uphance_of(machine).orders = [
        {"id": 41, "purchase_order_ref": "UPG-shop-1", "order_number": "S41", "status": "draft"},
        {"id": 42, "purchase_order_ref": "UPG-shop-2-1", "order_number": "S42", "status": "draft"},
    ]
    ours = machine.shop_id
    await second_shop(machine, "shop-2")
    machine.shop_id = ours

    await uphance(machine)

    assert [*await machine.links("uphance")] == ["1"]


@pytest.mark.situation("two.shops")
async def test_two_shops_of_one_organisation_know_their_own_orders_only(machine: Engine) -> None:
    uphance_of(machine).orders = [
        {"id": 41, "purchase_order_ref": "UPG-shop-1", "order_number": "S41", "status": "draft"},
        {"id": 42, "purchase_order_ref": "UPG-other-1", "order_number": "S42", "status": "draft"},
    ]

    first = await uphance(machine)
    ours = await machine.links("uphance")
    await second_shop(machine)
    second = await uphance(machine)
    theirs = await machine.links("uphance")

    assert (first.account, first.prefix) == (second.account, second.prefix) == ("5", "")
    assert (ours["1"]["remote_id"], theirs["1"]["remote_id"]) == ("41", "42")


@pytest.mark.situation("leave")
async def test_disconnecting_revokes_our_own_token_and_no_other(machine: Engine) -> None:
    server = uphance_of(machine)
    await uphance(machine)
    kept = await machine.service.connections.vault(machine.shop_id, "uphance").tokens()
    assert kept is not None

    await machine.service.connection_editor.disconnect(await machine.shop(), "uphance")

    assert server.dead == {kept["access_token"]}
    assert await machine.service.connections.of(machine.shop_id) == {}


async def test_an_uphance_that_is_away_does_not_keep_a_connection(machine: Engine) -> None:
    await uphance(machine)
    uphance_of(machine).before = lambda _: httpx.ConnectError("down")

    await machine.service.connection_editor.disconnect(await machine.shop(), "uphance")

    assert await machine.service.connections.of(machine.shop_id) == {}


@pytest.mark.situation("leave")
async def test_a_shop_that_is_gone_gives_up_its_login_and_keeps_its_links(machine: Engine) -> None:
    server = uphance_of(machine)
    server.orders = [{"id": 41, "purchase_order_ref": "UPG-shop-1", "order_number": "S41", "status": "draft"}]
    await uphance(machine)
    machine.upgates.judges.append(answering(401))
    await machine.service.shops.move(
        machine.shop_id, to=ShopState.UNINSTALLING, among=[ShopState.ACTIVE], now=machine.watch()
    )
    await machine.mark(Kind.PROBE, "probe")

    await machine.pull()
    await machine.service.scheduler.run_once()

    row = (await machine.service.connections.of(machine.shop_id))["uphance"]
    assert (row.account, str(row.state)) == ("5", "broken")
    assert await machine.service.connections.vault(machine.shop_id, "uphance").tokens() is None
    assert [body for body in server.bodies if body and "revoke_all" in body] == []
    assert len(server.dead) == 1
    assert [*await machine.links("uphance")] == ["1"]


async def test_a_login_in_use_is_given_up_when_its_user_has_ended(machine: Engine) -> None:
    """A renewal of the tokens under way would write down new ones after the old are forgotten."""
    server = uphance_of(machine)
    await uphance(machine)
    await machine.run("UPDATE shops SET state = 'uninstalled'")

    async with lanes.exclusive(machine.db, Lane.push(machine.shop_id, "uphance")):
        await machine.service.scheduler.run_once()
        assert server.dead == set()
    await machine.service.scheduler.run_once()
    await machine.service.scheduler.run_once()

    assert len(server.dead) == 1
    assert await machine.service.connections.still_open() == []


async def test_a_shop_that_came_back_meanwhile_keeps_its_login(machine: Engine) -> None:
    server = uphance_of(machine)
    await uphance(machine)

    await machine.service.logins.give_up(machine.shop_id)

    assert server.dead == set()
    assert await machine.service.connections.vault(machine.shop_id, "uphance").tokens() is not None


@pytest.mark.situation("organisation")
async def test_another_company_behind_the_login_stops_the_connection_and_says_so(machine: Engine) -> None:
    server = uphance_of(machine)
    await uphance(machine)
    server.products = [{"id": 1, "organisation_id": 6, "variations": []}]

    await machine.pull("uphance")

    row = (await machine.service.connections.of(machine.shop_id))["uphance"]
    assert str(row.state) == "broken"
    assert row.leads_elsewhere
    assert [problem.key for problem in await machine.problems()] == ["connection.wrong_organisation"]
    told = await machine.value(
        "SELECT count(*) FROM history WHERE shop_id = :shop_id AND what = 'login_elsewhere'"
    )
    assert told == 1


@pytest.mark.situation("currency")
async def test_a_channel_that_is_new_in_uphance_is_known_the_day_after(machine: Engine) -> None:
    server = uphance_of(machine)
    await upp(machine)
    await uphance(machine)
    await machine.pull("uphance")
    await parked(machine)
    server.channels = [*server.channels, {"channel_ID": 4, "channel_name": "Web SK", "currency": "EUR"}]

    for expected in (1, 2):
        await machine.run("DELETE FROM changes")
        await machine.mark(Kind.CATALOGUE, "catalogue", source="uphance")
        await machine.pull("uphance")
        row = (await machine.service.connections.of(machine.shop_id))["uphance"]
        assert len(row.facts["channels"]) == expected
        machine.watch.move(days=1)

    assert await states(machine) == ["waiting"]


async def test_a_target_that_is_connected_during_an_import_gets_the_pages_before_it_too(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))
    await uphance(machine)
    while len(machine.upgates.asked("/products")) < 1:
        looks = itertools.count(step=SLICE_SECONDS / 2)  # so that a slice has time for one look
        await machine.pull(monotonic=looks.__next__)

    await upp(machine)
    await machine.drain()

    assert len(machine.target.times()) == 30


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.situation("currency", "season", "customer")
async def test_a_mapping_releases_what_waited_for_it_without_a_call(machine: Engine) -> None:
    await connected(machine)
    await parked(machine)

    await change(machine, uphance__channels="cs/CZK:3")

    assert await states(machine) == ["waiting"]
    assert await machine.changes() == []


async def test_a_change_that_dies_halfway_is_none_so_that_saving_again_releases(machine: Engine) -> None:
    await connected(machine)
    await parked(machine)
    async with machine.db.begin() as tx:
        await tx.execute(text("SELECT FROM documents FOR UPDATE"))
        saving = asyncio.create_task(change(machine, uphance__channels="cs/CZK:3"))
        await wait_for_lock(machine.db)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving

    assert (await machine.shop()).settings.get("uphance.channels") == {}
    await change(machine, uphance__channels="cs/CZK:3")
    assert await states(machine) == ["waiting"]


async def test_a_setting_of_another_target_releases_nothing(machine: Engine) -> None:
    await connected(machine)
    await parked(machine)

    await change(machine, upp__origins="frontend,admin")

    assert await states(machine) == ["parked"]


async def test_a_setting_that_changes_what_is_sent_reads_again(machine: Engine) -> None:
    await connected(machine)

    await change(machine, upp__sku_from="ean")

    assert [kind for kind, _ in await machine.change_keys()] == ["orders.page", "products.page"]


async def test_a_setting_that_changes_products_only_reads_products_only(machine: Engine) -> None:
    await connected(machine)

    await change(machine, upp__variant_titles="true")

    assert [kind for kind, _ in await machine.change_keys()] == ["products.page"]


@pytest.mark.parametrize("texts", [{"uphance__send_orders": "true"}, {"uphance__order_statuses": "1"}])
async def test_orders_that_a_setting_has_held_since_uphance_was_connected_are_read_again(
    machine: Engine, texts: dict[str, str]
) -> None:
    row = await uphance(machine)
    machine.watch.move(days=2)
    await change(machine, uphance__send_orders="false")
    assert "order" not in await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT)

    await change(machine, **{"uphance__send_orders": "true", **texts})

    runs = await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT)
    assert runs["order"].since == row.connected_at


async def test_saving_what_holds_already_does_nothing(machine: Engine) -> None:
    await connected(machine)

    await change(machine, upp__sku_from="code", upp__send="true", uphance__channels="")

    assert await machine.changes() == []


async def test_a_run_under_way_begins_again_with_the_new_settings(machine: Engine) -> None:
    machine.upgates.page_size = 10
    machine.upgates.sell(*range(1, 31))
    await upp(machine)
    [before] = [key for kind, key in await machine.change_keys() if kind == "products.page"]

    await change(machine, upp__sku_from="ean")
    await machine.drain()

    runs = await latest_runs(machine.db, machine.shop_id, RunPurpose.IMPORT)
    assert runs["product"].id != int(before.partition(":")[0])
    assert (runs["product"].state, runs["product"].done) == (RunState.DONE, 30)
    assert await machine.value("SELECT count(*) FROM runs WHERE state = 'running'") == 0


async def test_a_setting_of_a_system_that_is_not_connected_waits_for_it(machine: Engine) -> None:
    await change(machine, upp__sku_from="ean")

    assert await machine.changes() == []
    assert (await machine.shop()).settings.text("upp.sku_from") == "ean"


async def test_a_tariff_becomes_the_budget_at_once(machine: Engine) -> None:
    await change(machine, budget__tariff="bronze", budget__packages="1")

    snapshot = await machine.service.ledger.snapshot(machine.shop_id)
    assert snapshot.limits is not None
    without = 10
    assert snapshot.limits.hour > without
    await change(machine, budget__tariff="")
    assert (await machine.service.ledger.snapshot(machine.shop_id)).limits is None


async def test_one_wrong_setting_changes_none(machine: Engine) -> None:
    with pytest.raises(BadRequest) as caught:
        await machine.service.settings_editor.change(
            await machine.shop(),
            {"upp.sku_from": "ean", "upp.order_days": "many", "no.such": "1"},
        )

    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["upp.order_days", "no.such"]
    assert (await machine.shop()).settings.chosen == {}


async def test_orders_of_uphance_from_a_chosen_day_are_read(machine: Engine) -> None:
    await connected(machine)

    await change(machine, uphance__orders_from="2026-11-01")

    assert (Kind.ORDERS_PAGE.value in [kind for kind, _ in await machine.change_keys()]) is True
