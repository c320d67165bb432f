"""What machines ask of the web side, and what they get for asking wrongly."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from structlog.testing import capture_logs

from tests.support.clock import expired
from tests.support.engine import settings
from tests.support.postgres import wait_for_lock
from tests.support.web_application import MakeClient, Site, forget_webhook_key, with_addresses, with_settings
from upbridge import __version__
from upbridge.store.database import Database, sqlalchemy_url
from upbridge.store.schema import HEAD
from upbridge.webhooks.addresses import Recognised, WebhookAddresses


async def get(site: Site, path: str, **headers: str) -> httpx.Response:
    return await site.client.get(path, headers=headers)


async def test_the_front_says_what_this_is_and_nothing_about_shops(site: Site) -> None:
    response = await get(site, "/")

    assert response.status_code == 200
    assert response.json().keys() == {"name", "version", "docs"}
    assert response.json()["version"] == __version__


async def test_live_and_ready(site: Site) -> None:
    assert (await get(site, "/livez")).json() == {"status": "ok"}
    assert (await get(site, "/readyz")).json() == {"status": "ok"}


async def test_not_ready_while_the_key_is_not_loaded(site: Site) -> None:
    forget_webhook_key(site)

    response = await get(site, "/readyz")

    assert (response.status_code, response.json()["status"]) == (503, "starting")


async def test_not_ready_while_the_schema_is_another(site: Site) -> None:
    async with site.engine.begin() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    try:
        response = await get(site, "/readyz")
    finally:
        async with site.engine.begin() as tx:
            await tx.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})

    assert response.status_code == 503
    assert (await get(site, "/livez")).status_code == 200


@pytest.mark.parametrize(("oldest", "status"), [(None, 200), (HEAD, 200), ("9999", 503)])
async def test_ready_on_a_newer_schema_unless_that_says_no(site: Site, oldest: str | None, status: int) -> None:
    await site.run("UPDATE alembic_version SET version_num = '9999'")
    await site.run("DELETE FROM compatibility")
    if oldest is not None:
        await site.run("INSERT INTO compatibility (oldest) VALUES (:oldest)", oldest=oldest)
    try:
        response = await get(site, "/readyz")
    finally:
        await site.run("UPDATE alembic_version SET version_num = :head", head=HEAD)

    assert response.status_code == status


async def test_alive_but_not_ready_without_a_database(make_client: MakeClient) -> None:
    nowhere = "postgresql://nobody:hush@127.0.0.1:1/none"
    database = Database(engine=create_async_engine(sqlalchemy_url(nowhere)), conninfo=nowhere, embedded=None)
    _app, client = await make_client(database)

    live, ready = await client.get("/livez"), await client.get("/readyz")

    assert (live.status_code, ready.status_code) == (200, 503)
    assert "hush" not in ready.text


async def test_a_database_that_does_not_answer_is_none(site: Site) -> None:
    async def locked() -> None:
        await wait_for_lock(site.engine)

    with_settings(site, settings(allow_insecure=True))
    async with site.engine.begin() as other:
        await other.execute(text("LOCK TABLE alembic_version, shops IN ACCESS EXCLUSIVE MODE"))
        ready, metrics = [await expired(get(site, path), locked) for path in ("/readyz", "/metrics")]

    assert (ready.status_code, metrics.status_code) == (503, 503)
    assert metrics.json()["error"] == "not_ready"


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz"])
async def test_a_load_balancer_may_ask_without_wanting_the_body(site: Site, path: str) -> None:
    response = await site.client.head(path)

    assert (response.status_code, response.content) == (200, b"")


# --- metrics ------------------------------------------------------------------------------------------------


async def test_there_are_no_metrics_where_no_token_was_set(site: Site) -> None:
    response = await get(site, "/metrics")

    assert response.status_code == 404
    assert response.json().keys() == {"error", "detail"}


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("Basic hush", 401),
        ("hush", 401),
        ("Bearer hush", 200),
        ("bearer hush", 200),
    ],
)
async def test_metrics_are_for_those_who_hold_the_token(site: Site, header: str | None, status: int) -> None:
    with_settings(site, settings(metrics_token=SecretStr("hush")))

    response = await get(site, "/metrics", **({} if header is None else {"Authorization": header}))

    assert response.status_code == status
    assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert "hush" not in response.text


async def test_metrics_are_open_where_insecure_things_are_allowed(site: Site) -> None:
    with_settings(site, settings(allow_insecure=True))

    response = await get(site, "/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE upbridge_shops gauge" in response.text


# --- bad input ----------------------------------------------------------------------------------------------

ROUTES = [
    ("POST", "/addon/install"),
    ("POST", "/addon/open"),
    ("POST", "/addon/uninstall"),
    ("POST", "/addon/version"),
    ("POST", "/webhooks/upgates/Orders.create/{text}"),
    ("POST", "/webhooks/upgates/{text}/{text}"),
    ("POST", "/webhooks/uphance/{text}"),
    ("GET", "/{text}"),
    ("GET", "/metrics"),
    ("DELETE", "/livez"),
    ("PATCH", "/addon/install"),
]
NAMES = st.sampled_from(["token", "time", "signatureV2", "signature", "apiUrl", "apiLogin", "apiKey", "version"])
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=3)
BODIES = st.binary(max_size=100) | st.dictionaries(NAMES, VALUES).map(lambda one: json.dumps(one).encode())


def proper(response: httpx.Response) -> None:
    """A refusal in JSON, or an answer; nothing that says how we are built."""
    assert response.status_code < 500 or (response.status_code, response.json()["error"]) == (503, "not_ready")
    if response.status_code >= 400:
        assert response.json().keys() == {"error", "detail"}
    for word in ("Traceback", "sqlalchemy", "psycopg", "/src/"):
        assert word not in response.text


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(route=st.sampled_from(ROUTES), text_=st.text(min_size=1, max_size=30), body=BODIES)
async def test_whichever_request_comes_in_the_answer_is_proper(
    site: Site, route: tuple[str, str], text_: str, body: bytes
) -> None:
    method, path = route
    path = path.replace("{text}", "".join(f"%{byte:02X}" for byte in text_.encode("utf-8", "replace")))

    response = await site.client.request(method, path, content=body, headers={"Content-Type": "application/json"})

    proper(response)


async def test_the_answer_to_a_method_that_is_not_allowed_names_those_that_are(site: Site) -> None:
    response = await site.client.put("/addon/install")

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    proper(response)


async def test_an_address_is_exact_and_leads_nowhere_else(site: Site) -> None:
    response = await site.client.get("/livez/", headers={"Host": "elsewhere.example"})

    assert response.status_code == 404
    assert "location" not in response.headers
    proper(response)


@pytest.mark.parametrize(
    "path",
    ["/addon/install", "/addon/version", "/webhooks/uphance/x"],
)
@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"token": ' + b"9" * 5000 + b"}", b"x" * 5_000_000],
    ids=["empty", "cut", "list", "null", "bytes", "deep", "number", "huge"],
)
async def test_a_broken_body_is_refused(site: Site, path: str, content: bytes) -> None:
    response = await site.client.post(path, content=content)

    assert 400 <= response.status_code < 504
    proper(response)


class DefectiveAddresses(WebhookAddresses):
    """Has a defect of ours."""

    def shop(self, token: str, source: str, event: str) -> Recognised | None:
        raise ZeroDivisionError("a secret of ours")


async def test_a_defect_of_ours_is_a_500_that_tells_nothing(site: Site) -> None:
    with_addresses(site, DefectiveAddresses(b"key"))

    with capture_logs() as logs:
        response = await site.post("Orders.create", {"orders": []}, token="x")

    assert "request_failed" in [entry["event"] for entry in logs]
    assert response.status_code == 500
    assert response.json() == {"error": "internal", "detail": "something unexpected happened; it was logged"}
