"""One person, planted with unusual words: found again on request, erased on request, and in clear nowhere."""

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import generate_latest
from sqlalchemy import text

from tests.support.connecting import connect_uphance
from tests.support.pages import ORIGIN, browser_of, pages_app
from tests.systems.uphance.write_back.connected_shop import ConnectedShop
from upbridge.core.errors import NotFound
from upbridge.domain.history import Way, What
from upbridge.operations.person import Receipt
from upbridge.settings import Settings
from upbridge.store import history
from upbridge.store.schema import metadata
from upbridge.systems.uphance.customer_mapping import customer_key
from upbridge.web.context import Pages
from upbridge.web.navigation import PLACES
from upbridge_sandbox.seed.plan import PASSWORD

#: Words that stand nowhere else here.
PERSON = {
    "email": "Zdislava.Plantova@zahrada-plantaz.example",
    "phone": "+420987612345",
    "code": "PLANTCODE-77",
    "firstname_invoice": "Zdislava",
    "surname_invoice": "Plantová",
    "street_invoice": "Plantážní ulička 13",
    "city_invoice": "Plantov nad Sázavou",
    "zip_invoice": "Z98-765Q",
    "customer_note": "Zvonit na Plantovou dvakrát",
    "customer_id": None,
}
#: An organisation of Uphance beside the shop's.
OTHER = 502
#: A voucher that this person was given.
VOUCHER = "PLANTVOUCHER-8"
WORDS = [value.casefold() for value in PERSON.values() if value]
WORDS += ["plantov", "plantcode", "plantvoucher", "zdislava"]


async def everything(connected: ConnectedShop) -> list[tuple[str, str]]:
    """Each row of each table as text, what is compressed unpacked; by the name of its table."""
    found: list[tuple[str, str]] = []
    tables = [*(table.name for table in metadata.sorted_tables), "procrastinate_jobs", "procrastinate_events"]
    async with connected.service.engine.connect() as tx:
        for name in tables:
            rows = (await tx.execute(text(f"SELECT * FROM {name}"))).mappings()
            found += [(name, "\n".join(map(_shown, row.values())).casefold()) for row in rows]
    return found


def _shown(value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return json.dumps(value, ensure_ascii=False, default=str)
    plain = bytes(value)
    with suppress(zlib.error):
        plain = zlib.decompress(plain)
    return plain.decode("utf-8", "replace")


async def leaks(connected: ConnectedShop) -> list[str]:
    """Where a word about the person stands in clear."""
    return [f"{table}: {word}" for table, row in await everything(connected) for word in WORDS if word in row]


async def order(connected: ConnectedShop) -> str:
    """An order of that person; returns its number."""
    return await connected.order((await connected.tracked())[0], customer=PERSON, voucher=VOUCHER)


class Echo(httpx.AsyncBaseTransport):
    """An Uphance that refuses what is to be created, and repeats in its answer all that it was sent."""

    def __init__(self, real: httpx.AsyncBaseTransport, status: int) -> None:
        self.real, self.status = real, status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST" or request.url.path not in ("/customers", "/sales_orders"):
            return await self.real.handle_async_request(request)
        said = json.dumps(json.loads(await request.aread()), ensure_ascii=False)
        return httpx.Response(self.status, json={"message": f"cannot take {said[:450]}"}, request=request)


async def pages_that_name_the_person(connected: ConnectedShop, number: str) -> AsyncIterator[str]:
    """The pages that show more than numbers of the person to who has asked for nothing."""
    service = connected.service
    pages = Pages.of(
        Settings(_env_file=None, public_url=ORIGIN),
        systems=service.systems,
        engine=service.engine,
        shops=service.shops,
        connections=service.connections,
        cipher=service.cipher,
        clock=service.clock,
        act=lambda: service.actions,
        webhook_address=lambda shop, system: f"{ORIGIN}/webhooks/{system}/{shop.id}",
    )
    async with browser_of(pages_app(pages)) as browser:
        home = (await browser.get(await pages.ticket_address(connected.shop_id, "cs"))).headers["location"]
        for place in ("", *PLACES, f"find?q={number}", f"order?number={number}", "orders.csv", "products.csv"):
            answer = await browser.get(home + place)
            if any(word in answer.text.casefold() for word in WORDS):
                yield place


def unreachable(request: httpx.Request) -> Exception | None:
    return httpx.ConnectError("no") if request.url.host == "uphance.test" else None


# --- nowhere in clear -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", ["delivered", "unreachable", "refused", "failing", "changed"])
async def test_a_person_stands_nowhere_in_clear(connected: ConnectedShop, situation: str) -> None:
    with structlog.testing.capture_logs() as logged:
        if situation == "unreachable":
            connected.network.lose = unreachable
        if situation in ("refused", "failing"):
            connected.network.uphance = Echo(connected.network.uphance, 422 if situation == "refused" else 500)
        number = await order(connected)
        if situation == "changed":
            made = connected.origin.orders[number]
            connected.edits.edit_order(
                connected.origin, made, {"customer": {**made["customer"], "street_invoice": "Plantov 9"}}
            )
            await connected.deliver_webhooks()
            await connected.work()

    rows = [table for table, _ in await everything(connected)]
    assert {"orders", "order_events"} <= {*rows}
    assert await leaks(connected) == []
    assert [word for word in WORDS if word in str(logged).casefold()] == []
    assert [word for word in WORDS if word in generate_latest().decode().casefold()] == []
    assert [page async for page in pages_that_name_the_person(connected, number)] == []
    if situation == "refused":
        refused = (await connected.service.problems.open(connected.shop_id))[-1]
        assert (refused.key, "cannot take" in refused.message) == ("order.refused", True)


async def test_no_secret_of_a_shop_stands_in_clear(connected: ConnectedShop) -> None:
    with structlog.testing.capture_logs() as logged:
        await order(connected)
        await connected.poll()

    access = connected.origin.access
    tokens = await connected.service.connections.vault(connected.shop_id, "uphance").tokens()
    assert access is not None
    assert tokens is not None
    held = [
        access.key,
        PASSWORD,
        *(value for value in tokens.values() if isinstance(value, str) and len(value) > 20),
    ]
    assert len(held) > 2
    stored = "\n".join(row for _, row in await everything(connected))
    told = (str(logged) + generate_latest().decode()).casefold()
    assert [secret[:3] for secret in held if secret.casefold() in stored or secret.casefold() in told] == []


async def test_who_looks_through_the_tables_would_find_a_person(connected: ConnectedShop) -> None:
    """The search of these tests finds what stands there in clear, also compressed."""
    await connected.rows("SELECT 1")
    async with connected.service.engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO order_events (shop_id, order_number, at, event, target, body)"
                " VALUES (:shop, '1', now(), 'read', 'upgates', :body)"
            ),
            {"shop": connected.shop_id, "body": zlib.compress(PERSON["email"].encode())},  # type: ignore[union-attr]
        )

    assert "order_events: zdislava.plantova@zahrada-plantaz.example" in await leaks(connected)


# --- what is held ---------------------------------------------------------------------------------------------


async def test_what_is_held_about_who_made_an_order_is_shown_opened(connected: ConnectedShop) -> None:
    connected.network.lose = unreachable
    number = await order(connected)

    found = await connected.service.person_records.look_up(await connected.shop(), order=number, email=None)

    assert {one.table for one in found.held} >= {"orders", "documents", "order_events"}
    [waiting] = [one for one in found.held if one.table == "documents"]
    assert waiting.personal
    assert waiting.content["shopper"]["email"] == PERSON["email"]


async def test_an_address_finds_what_waits_and_the_record_of_the_person(connected: ConnectedShop) -> None:
    await order(connected)
    connected.network.lose = unreachable
    waiting = await order(connected)

    found = await connected.service.person_records.look_up(
        await connected.shop(),
        order=None,
        email=f" {PERSON['email'].upper()} ",  # type: ignore[union-attr]
    )

    assert found.orders == (waiting,)
    reference = f"UPG-demo-{PERSON['email'].lower()}"  # type: ignore[union-attr]
    assert customer_key(reference) in {one.key for one in found.held}


async def test_of_an_unknown_person_nothing_is_held(connected: ConnectedShop) -> None:
    await order(connected)

    assert (
        await connected.service.person_records.look_up(await connected.shop(), order=None, email="no@no.example")
    ).held == ()
    with pytest.raises(NotFound):
        await connected.service.person_records.look_up(await connected.shop(), order="nothing", email=None)
    with pytest.raises(NotFound):
        await connected.service.person_records.erase(await connected.shop(), order="nothing", email=None)


# --- erasing --------------------------------------------------------------------------------------------------


async def erased(connected: ConnectedShop, **who: Any) -> Receipt:
    service = replace(connected.service, way=Way.CLI)
    return await service.person_records.erase(await connected.shop(), **{"order": None, "email": None, **who})


async def change(connected: ConnectedShop, number: str) -> None:
    """The person's number of telephone changes in the shop."""
    made = connected.origin.orders[number]
    connected.edits.edit_order(
        connected.origin, made, {"customer": {**made["customer"], "phone": "+420987600000"}}
    )
    await connected.deliver_webhooks()
    await connected.work()


async def personal(connected: ConnectedShop, number: str) -> list[str]:
    """The tables that hold something about who made the order."""
    found = await connected.service.person_records.look_up(await connected.shop(), order=number, email=None)
    return [one.table for one in found.held if one.personal]


async def test_what_waits_is_erased_and_never_sent(connected: ConnectedShop) -> None:
    connected.network.lose = unreachable
    number = await order(connected)

    receipt = await erased(connected, order=number)

    assert receipt.erased["documents"] == 1
    assert await personal(connected, number) == []
    connected.network.lose = lambda _: None
    connected.watch.move(hours=2)
    await connected.work()
    assert connected.organisation.orders == {}


async def test_what_was_sent_is_erased_and_not_sent_again(connected: ConnectedShop) -> None:
    number = await order(connected)
    assert await personal(connected, number) == ["links"]

    receipt = await erased(connected, order=number)

    assert await personal(connected, number) == []
    assert receipt.erased["links"] == 1
    assert receipt.erased["order_events"] >= 1
    assert ("uphance", "order", str(connected.sale(number)["id"])) in receipt.elsewhere
    assert ("upgates", "order", number) in receipt.elsewhere
    connected.watch.move(hours=2)
    await connected.work()
    connected.sale(number)  # one, and no more


@pytest.mark.parametrize("sent", [True, False])
async def test_an_erased_order_that_changes_in_the_shop_is_not_stored_again(
    connected: ConnectedShop, *, sent: bool
) -> None:
    connected.network.lose = (lambda _: None) if sent else unreachable
    number = await order(connected)
    await erased(connected, order=number)
    connected.network.lose = unreachable

    await change(connected, number)

    assert await personal(connected, number) == []
    waiting = await connected.rows("SELECT key FROM documents WHERE shop_id = :shop_id AND kind = 'order'")
    assert [row.key for row in waiting] == []
    known = await connected.rows(
        "SELECT number, outline FROM orders WHERE shop_id = :shop_id AND number = :n", n=number
    )
    assert [tuple(row) for row in known] == [(number, None)], "that it exists, and nothing that was bought"


@pytest.mark.parametrize("then", ["disconnected", "another account"])
async def test_an_erased_order_stays_erased_without_the_system_and_in_another_account(
    connected: ConnectedShop, then: str
) -> None:
    number = await order(connected)
    await erased(connected, order=number)
    await connected.service.connections.disconnect(connected.shop_id, "uphance", now=connected.watch())
    if then == "another account":
        other = await connect_uphance(
            connected.service,
            await connected.shop(),
            email="demo@uphance.test",
            password=PASSWORD,
            organisation=OTHER,
        )
        assert other.account == str(OTHER)

    await change(connected, number)

    assert await personal(connected, number) == []
    known = await connected.rows("SELECT outline FROM orders WHERE shop_id = :shop_id AND number = :n", n=number)
    assert [row.outline for row in known] == [None]
    assert connected.world.uphance.organisations[OTHER].orders == {}


async def test_what_is_shipped_later_still_comes_back(connected: ConnectedShop) -> None:
    number = await order(connected)
    await erased(connected, order=number)

    connected.confirm(number)
    connected.ship(connected.ticket(number))
    await connected.poll()

    assert connected.origin.orders[number]["tracking_code"] == "CZ1"


async def test_by_address_all_that_waits_goes_and_the_record_there_is_named(connected: ConnectedShop) -> None:
    await order(connected)
    connected.network.lose = unreachable
    waiting = [await order(connected), await order(connected)]

    receipt = await erased(connected, email=PERSON["email"])

    assert sorted(receipt.orders) == sorted(waiting)
    assert receipt.erased["documents"] == 2
    [customer] = connected.organisation.customers.values()
    assert ("uphance", "customer", str(customer["id"])) in receipt.elsewhere


async def test_another_persons_order_is_left_alone(connected: ConnectedShop) -> None:
    connected.network.lose = unreachable
    mine, other = await order(connected), await connected.order((await connected.tracked())[0])

    await erased(connected, order=mine)

    assert await personal(connected, other) == ["documents"]


async def test_the_history_and_the_log_tell_that_it_was_done_and_not_to_whom(connected: ConnectedShop) -> None:
    connected.network.lose = unreachable
    number = await order(connected)

    with structlog.testing.capture_logs() as logged:
        await erased(connected, order=number)

    async with connected.service.engine.connect() as tx:
        newest = (await history.latest(tx, connected.shop_id, limit=1))[0]
    assert (newest.way, newest.what, newest.details["documents"]) == (Way.CLI, What.PERSON_ERASED, 1)
    assert [one["event"] for one in logged] == ["person_erased"]
    assert [word for word in WORDS if word in str(logged).casefold()] == []
    assert await leaks(connected) == []
