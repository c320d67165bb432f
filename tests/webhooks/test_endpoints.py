"""Receiving: 204 after a commit, 503 when it cannot be had in time, and never the same thing twice."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import Message
from structlog.testing import capture_logs

from tests.support.web_application import MakeClient, Site, forget_webhook_key
from upbridge.core.bounds import WEBHOOK
from upbridge.domain.shop_id import ShopId
from upbridge.store.database import Database, sqlalchemy_url
from upbridge.webhooks.addresses import WebhookAddresses

AT_ONCE = 10.0
"""Seconds: a request that waits for another session would wait for ever. How quick an answer is: `make bench`."""


async def accepted(work: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """The answer to a delivery, sent again as Upgates does while it is refused as not ready."""
    while (response := await work()).status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        pass
    return response


# --- addresses that were renewed ----------------------------------------------------------------------------


async def test_an_older_address_is_taken_until_the_shop_has_the_new_one(site: Site) -> None:
    body = {"orders": [{"order_number": "A-1"}]}
    old, new = (site.addresses.token(site.shop_id, "upgates", "Orders.create", number) for number in (0, 1))
    await site.run("UPDATE shops SET webhook_generation = 1 WHERE id = :id", id=site.shop_id)
    meanwhile = [(await site.post("Orders.create", body, token=one)).status_code for one in (old, new)]

    await site.run("UPDATE shops SET webhooks_taken_from = 1 WHERE id = :id", id=site.shop_id)
    afterwards = [(await site.post("Orders.create", body, token=one)).status_code for one in (old, new)]

    assert (meanwhile, afterwards) == ([204, 204], [404, 204])


# --- stored -------------------------------------------------------------------------------------------------


@pytest.mark.rule("R36")
@pytest.mark.situation("down")
async def test_a_delivery_is_committed_before_it_is_answered(site: Site) -> None:
    response = await site.post("Orders.create", {"orders": [{"order_number": "A-1"}]})

    assert (response.status_code, response.content) == (204, b"")
    assert await site.changes() == [("upgates", "order", "A-1")]
    [row] = await site.rows("SELECT source, event, records, shop_id FROM deliveries")
    assert row == ("upgates", "Orders.create", 1, site.shop_id)


async def test_the_first_change_after_a_quiet_time_is_due_at_once(site: Site) -> None:
    await site.post("Orders.create", {"orders": [{"order_number": "A-1"}]})

    [(due_at, origin)] = await site.rows("SELECT due_at, origin FROM changes")
    assert (due_at, origin) == (site.watch(), "webhook")


@pytest.mark.rule("R40")
async def test_a_delivery_that_comes_twice_is_one_change(site: Site) -> None:
    for _ in range(3):
        await site.post("Products.update", {"products": [{"product_id": 1}]})

    assert await site.changes() == [("upgates", "product", "1")]
    assert await site.deliveries() == 3


@pytest.mark.rule("R40")
async def test_ten_thousand_marks_about_one_product_are_one_row(site: Site) -> None:
    body = {"products": [{"product_id": 7}] * 5000}
    for _ in range(2):
        assert (await site.post("Products.update", body)).status_code == 204

    assert await site.changes() == [("upgates", "product", "7")]


@pytest.mark.rule("R36", "R39")
async def test_five_thousand_records_are_stored_at_once(site: Site) -> None:
    body = {"orders": [{"order_number": f"OBJ-{number}"} for number in range(5000)]}

    response = await site.post("Orders.update", body)

    assert response.status_code == 204
    assert len(await site.changes()) == 5000


@pytest.mark.rule("R44")
async def test_a_deletion_names_products_and_variants(site: Site) -> None:
    body = {"products": [{"product_id": 1}], "variants": [{"variant_id": 5}, {"variant_id": 6}]}

    await site.post("Products.delete", body)

    assert await site.changes() == [
        ("upgates", "product", "1"),
        ("upgates", "variant", "5"),
        ("upgates", "variant", "6"),
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b'{"order_statuses": []}'])
@pytest.mark.parametrize("event", ["OrderStatuses.update", "Languages.create", "Payments.delete"])
async def test_that_facts_changed_is_stored_with_any_body(site: Site, event: str, body: bytes) -> None:
    assert (await site.post(event, body)).status_code == 204

    assert await site.changes() == [("upgates", "facts", "facts")]


async def test_a_burst_is_stored_completely(site: Site) -> None:
    bodies = [{"orders": [{"order_number": str(number)}]} for number in range(60)]

    responses = await asyncio.gather(*(site.post("Orders.update", body) for body in bodies))

    assert {response.status_code for response in responses} == {204}
    assert len(await site.changes()) == await site.deliveries() == 60


@pytest.mark.rule("R40")
async def test_a_mark_about_what_is_being_read_survives_the_reading(site: Site) -> None:
    await site.post("Orders.update", {"orders": [{"order_number": "A"}]})
    [(before,)] = await site.rows("SELECT seq FROM changes")

    await site.post("Orders.update", {"orders": [{"order_number": "A"}]})

    [(after,)] = await site.rows("SELECT seq FROM changes")
    assert after > before


async def test_uphance_tells_at_one_address(site: Site) -> None:
    response = await site.uphance({"event": "product_update", "product": {"id": 1}})

    assert response.status_code == 204
    assert await site.changes() == [("uphance", "catalogue", "catalogue")]


async def test_no_customer_is_named_in_what_is_kept(site: Site) -> None:
    """Only the events of orders, products and lists are taken: none of them holds personal data (R43-R46)."""
    for event in ("Customers.create", "Invoices.create"):
        response = await site.post(event, {"customers": [{"customer_id": 1, "email": "jana@example.cz"}]})
        assert response.status_code == 404
    assert await site.deliveries() == 0


# --- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status"), [("active", 204), ("suspended", 204), ("uninstalling", 404), ("uninstalled", 404)]
)
async def test_a_shop_that_left_listens_no_more(site: Site, state: str, status: int) -> None:
    shop_id = ShopId(await site.make_shop(state=state))

    response = await site.post("Orders.create", {"orders": [{"order_number": "A"}]}, shop_id=shop_id)

    assert response.status_code == status
    assert len(await site.changes()) == await site.deliveries() == (1 if status == 204 else 0)


async def test_a_token_of_a_shop_that_was_erased_is_not_found(site: Site) -> None:
    response = await site.post("Orders.create", {"orders": []}, shop_id=ShopId(uuid4()))

    assert response.status_code == 404


@pytest.mark.deadline
@pytest.mark.rule("R41")
async def test_an_unknown_address_is_refused_without_asking_the_database(
    make_client: MakeClient, site: Site
) -> None:
    """Proved by a database that is not there: what needs it is a 503, what does not is a 404."""
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    engine = create_async_engine(sqlalchemy_url(nowhere))
    app, client = await make_client(Database(engine=engine, conninfo=nowhere, embedded=None))
    app.state.container.addresses.set(site.addresses)
    stranger = WebhookAddresses(b"x" * 32)
    body = {"orders": [{"order_number": "A"}]}

    for addresses, status in ((stranger, 404), (site.addresses, 503)):
        token = addresses.token(site.shop_id, "upgates", "Orders.create")
        response = await client.post(f"/webhooks/upgates/Orders.create/{token}", json=body)
        assert response.status_code == status
        assert set(response.json()) == {"error", "detail"}


async def test_until_the_key_is_known_deliveries_are_asked_to_come_again(site: Site) -> None:
    forget_webhook_key(site)

    response = await site.post("Orders.create", {"orders": [{"order_number": "A"}]})

    assert response.status_code == 503
    assert response.json()["error"] == "not_ready"


# --- bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b'{"orders": [{}]}', 400),
        (b" " * (WEBHOOK.bytes + 1), 413),
        (b'{"orders": [' + b",".join([b'{"order_number": 1}'] * 5001) + b"]}", 413),
    ],
    ids=["empty", "not json", "a list", "only bad records", "too many bytes", "too many records"],
)
async def test_what_cannot_be_read_is_refused_and_not_kept(site: Site, body: bytes, status: int) -> None:
    response = await site.post("Orders.update", body)

    assert response.status_code == status
    assert set(response.json()) == {"error", "detail"}
    assert (await site.deliveries(), await site.changes()) == (0, [])


async def test_a_body_that_lies_about_its_length_is_stopped_too(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    token = site.addresses.token(site.shop_id, "upgates", "Orders.update")
    response = await site.client.post(f"/webhooks/upgates/Orders.update/{token}", content=endless())

    assert response.status_code == 413


async def test_a_delivery_that_its_sender_breaks_off_is_refused_and_no_alarm(site: Site) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b'{"orders": [', "more_body": True}]
    answered = []

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    path = f"/webhooks/upgates/Orders.update/{site.addresses.token(site.shop_id, 'upgates', 'Orders.update')}"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "scheme": "https"}
    with capture_logs() as logs:
        await site.app(scope, receive, send)

    assert [one["status"] for one in answered if one["type"] == "http.response.start"] == [400]
    assert [(one["event"], one["outcome"]) for one in logs] == [("webhook_refused", "bad_request")]
    assert (await site.deliveries(), await site.changes()) == (0, [])


async def test_only_posts_are_deliveries(site: Site) -> None:
    token = site.addresses.token(site.shop_id, "upgates", "Orders.update")
    for method in ("GET", "PUT", "DELETE"):
        response = await site.client.request(method, f"/webhooks/upgates/Orders.update/{token}")
        assert response.status_code == 405


# --- too slow -------------------------------------------------------------------------------------------------


_STILL_TRYING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'
"""


ONE = {"products": [{"product_id": 1}]}


async def late(site: Site, *statements: str) -> None:
    """A delivery while another session holds what *statements* took: 503 in time, and nothing is stored."""
    async with site.engine.connect() as holder:
        for statement in statements:
            await holder.execute(text(statement))
        started = time.perf_counter()
        response = await site.post("Products.update", ONE)
        seconds = time.perf_counter() - started
        # The attempt ends by itself, at its own time-out; let go before that, and it may still succeed.
        while await site.rows(_STILL_TRYING):  # noqa: ASYNC110 - another session's end is no event here
            await asyncio.sleep(0.01)
        await holder.rollback()
    assert response.status_code == 503
    assert response.json()["error"] == "not_ready"
    assert seconds < AT_ONCE


@pytest.mark.deadline
@pytest.mark.rule("R37")
async def test_a_locked_table_is_a_503_in_time_and_nothing_is_stored_twice(site: Site) -> None:
    await late(site, "LOCK TABLE changes IN ACCESS EXCLUSIVE MODE")
    assert await site.deliveries() == 0

    assert (await accepted(lambda: site.post("Products.update", ONE))).status_code == 204
    assert await site.changes() == [("upgates", "product", "1")]


@pytest.mark.deadline
@pytest.mark.rule("R37")
async def test_a_long_transaction_on_the_same_product_is_a_503_in_time(site: Site) -> None:
    await accepted(lambda: site.post("Products.update", ONE))
    before = await site.deliveries()

    await late(site, "SELECT FROM changes WHERE key = '1' FOR UPDATE")

    assert await site.deliveries() == before
    assert (await accepted(lambda: site.post("Products.update", ONE))).status_code == 204


@pytest.mark.deadline
async def test_a_shop_whose_rows_are_locked_keeps_no_other_waiting(site: Site) -> None:
    await accepted(lambda: site.post("Products.update", ONE))
    other = ShopId(await site.make_shop())
    async with site.engine.connect() as holder:
        await holder.execute(text("SELECT FROM changes FOR UPDATE"))
        stuck = asyncio.create_task(site.post("Products.update", ONE))
        response = await accepted(lambda: site.post("Products.update", ONE, shop_id=other))
        assert response.status_code == 204
        assert (await stuck).status_code == 503
        await holder.rollback()


# --- logged ---------------------------------------------------------------------------------------------------


@pytest.mark.rule("R41")
async def test_a_token_is_never_logged(site: Site) -> None:
    token = site.addresses.token(site.shop_id, "upgates", "Orders.create")
    with capture_logs() as logs:
        await site.post("Orders.create", {"orders": [{"order_number": "A"}]})
        await site.post("Orders.create", b"x")
        await site.post("Orders.create", {"orders": []}, token=f"A{token[1:]}")

    assert [(entry["event"], entry["outcome"]) for entry in logs if "outcome" in entry] == [
        ("webhook_received", "stored"),
        ("webhook_refused", "bad_request"),
        ("webhook_refused", "not_found"),
    ]
    assert token not in str(logs)
    assert token[1:] not in str(logs)


async def test_what_strangers_send_is_a_line_and_not_one_each(site: Site) -> None:
    token = site.addresses.token(site.shop_id, "upgates", "Orders.create")
    with capture_logs() as logs:
        for number in range(50):
            await site.post("Orders.create", {"orders": []}, token=f"{number}{token[2:]}")
            await site.post("Orders.create", b"x")

    assert [(entry["outcome"], entry["times"]) for entry in logs] == [("not_found", 1), ("bad_request", 1)]
    assert logs[0]["shop_id"] is None
