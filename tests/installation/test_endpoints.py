"""The four calls as Upgates makes them: statuses, bodies, and what is stored."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.installation.outside import Call, Outside, Rows, client_of, settings
from tests.installation.signing import API_URL, SHORT, Upgates
from tests.support.clock import NOON, expired
from tests.support.postgres import wait_for_lock
from tests.support.shops import MakeShop
from upbridge.app import create_app
from upbridge.core.i18n import Texts
from upbridge.domain.lane import Lane
from upbridge.domain.shop import ShopState
from upbridge.installation.keys import LOOKS
from upbridge.installation.service import InstallationService
from upbridge.store.shops import Shops

ENDPOINTS = ("install", "open", "uninstall", "version")
OK = {"error": False, "message": ""}


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """What was logged."""
    with structlog.testing.capture_logs() as entries:
        yield entries


async def marks(rows: Rows) -> set[tuple[str, str, str]]:
    return {(row["source"], row["kind"], row["key"]) for row in await rows("changes")}


class TestInstall:
    @pytest.mark.rule("R1", "R12", "R32", "R35")
    async def test_stores_the_shop_and_has_its_facts_and_webhooks_read(
        self, call: Call, upgates: Upgates, shops: Shops, rows: Rows, outside: Outside
    ) -> None:
        response = await call("install", upgates.install(apiKey="first-key", version="7"))

        assert (response.status_code, response.json()) == (200, OK)
        shop = await shops.by_token("shop-1")
        assert (shop.state, shop.key, shop.version, shop.language) == (ShopState.ACTIVE, "shop", 7, "cs")
        assert shop.signed_at == NOON
        credentials = await shops.credentials(shop.id)
        assert credentials is not None
        assert (credentials.api_url, credentials.api_key) == (API_URL, "first-key")
        assert await marks(rows) == {("upgates", "facts", "facts"), ("upgates", "webhooks", "webhooks")}
        assert outside.woken == [Lane.pull(shop.id, "upgates")]

    @pytest.mark.rule("R10")
    async def test_seals_the_api_key(self, call: Call, upgates: Upgates, rows: Rows) -> None:
        await call("install", upgates.install(apiKey="hunter2"))

        stored = [row for table in ("shops", "signatures", "changes") for row in await rows(table)]
        assert stored
        assert "hunter2" not in str(stored)
        assert all(b"hunter2" not in value for row in stored for value in row.values() if isinstance(value, bytes))

    @pytest.mark.rule("R14")
    async def test_again_renews_the_credentials_of_the_same_shop(
        self, call: Call, upgates: Upgates, shops: Shops, rows: Rows
    ) -> None:
        await call("install", upgates.install(apiKey="first"))
        await call("install", upgates.install(apiKey="second", at=NOON + timedelta(minutes=1)))

        credentials = await shops.credentials((await shops.by_token("shop-1")).id)
        assert credentials is not None
        assert credentials.api_key == "second"
        assert len(await rows("shops")) == 1

    @pytest.mark.rule("R14")
    async def test_of_the_very_same_call_twice_at_once_makes_one_shop(
        self, call: Call, upgates: Upgates, rows: Rows
    ) -> None:
        body = upgates.install()

        responses = await asyncio.gather(*(call("install", body) for _ in range(8)))

        assert {response.status_code for response in responses} == {200}
        assert len(await rows("shops")) == 1

    async def test_of_many_shops_at_once_gives_each_its_own_key(
        self, call: Call, upgates: Upgates, rows: Rows
    ) -> None:
        await asyncio.gather(*(call("install", upgates.install(f"shop-{number}")) for number in range(8)))

        keys = {row["key"] for row in await rows("shops")}
        assert keys == {"shop", *(f"shop-{number}" for number in range(2, 9))}

    async def test_older_than_the_newest_accepted_one_is_forbidden_and_changes_nothing(
        self, call: Call, upgates: Upgates, shops: Shops, rows: Rows
    ) -> None:
        await call("install", upgates.install(apiKey="new"))

        response = await call("install", upgates.install(apiKey="old", at=NOON - timedelta(seconds=1)))

        assert response.status_code == 403
        credentials = await shops.credentials((await shops.by_token("shop-1")).id)
        assert credentials is not None
        assert credentials.api_key == "new"
        assert len(await rows("signatures")) == 1

    @pytest.mark.rule("R12", "R13")
    async def test_from_a_foreign_address_is_refused_in_the_admin_s_language(
        self, call: Call, upgates: Upgates, rows: Rows
    ) -> None:
        words = {}
        for language in ("cs", "sk", "en", "de"):
            body = upgates.install(apiUrl="https://evil.example/api/v2", current_admin_language=language)
            response = await call("install", body)
            assert response.status_code == 200
            assert response.json()["error"] is True
            words[language] = response.json()["message"]

        assert len(set(words.values())) == 3
        assert words["de"] == words["en"]
        assert await rows("shops") == await rows("signatures") == []

    @pytest.mark.parametrize(
        "address",
        [
            pytest.param("https://shop.upgates.com:8443/api/v2", id="a port of its own"),
            pytest.param("https://user:word@shop.upgates.com/api/v2", id="credentials"),
            pytest.param("https://127.0.0.1/api/v2", id="this machine"),
            pytest.param("shop.upgates.com", id="no address"),
            pytest.param("https://" + "a" * 5000 + ".upgates.com/api/v2", id="endless"),
        ],
    )
    @pytest.mark.rule("R12")
    async def test_that_is_genuine_is_answered_200_with_any_address(
        self, call: Call, upgates: Upgates, rows: Rows, address: str
    ) -> None:
        response = await call("install", upgates.install(apiUrl=address))

        assert (response.status_code, response.json()["error"]) == (200, True)
        assert await rows("shops") == await rows("signatures") == []

    @pytest.mark.rule("R11", "R12")
    async def test_while_the_key_cannot_be_had_asks_to_try_again_and_stores_nothing(
        self, call: Call, upgates: Upgates, rows: Rows, outside: Outside
    ) -> None:
        outside.key_status = 503

        response = await call("install", upgates.install(current_admin_language="en"))

        assert response.status_code == 200
        assert response.json()["error"] is True
        assert response.json()["message"] == Texts("en").get("error.try_again")
        assert await rows("shops") == []

    @pytest.mark.rule("R6")
    async def test_after_a_change_of_upgates_key_is_accepted(
        self, call: Call, upgates: Upgates, outside: Outside
    ) -> None:
        assert (await call("install", upgates.install())).status_code == 200
        successor = Upgates()
        outside.key_pem = successor.pem

        assert (await call("install", successor.install())).status_code == 200
        assert (await call("install", upgates.install())).status_code == 200

    async def test_a_change_of_the_key_is_followed_among_bad_signatures(
        self, call: Call, upgates: Upgates, outside: Outside, rows: Rows
    ) -> None:
        stranger, successor = Upgates(), Upgates()
        bad = [await call("install", stranger.install(token=f"x{number}")) for number in range(LOOKS + 5)]
        outside.key_pem = successor.pem
        opened = await call("open", stranger.open(token="x"))
        genuine = await call("install", successor.install())

        assert {one.status_code for one in (*bad, opened)} == {403}, "bad, however many there are"
        assert (genuine.status_code, genuine.json()["error"]) == (200, False)
        assert [row["token"] for row in await rows("shops")] == ["shop-1"]

    async def test_that_ended_is_not_brought_back_by_the_same_call(
        self, call: Call, upgates: Upgates, shops: Shops
    ) -> None:
        body = upgates.install()
        await call("install", body)
        await call("uninstall", upgates.uninstall(at=NOON + timedelta(seconds=5)))

        assert (await call("install", body)).status_code == 403
        assert (await shops.by_token("shop-1")).state is ShopState.UNINSTALLING

    @pytest.mark.rule("R11")
    async def test_answers_in_time_while_the_database_is_stuck(
        self,
        call: Call,
        upgates: Upgates,
        engine: AsyncEngine,
        rows: Rows,
    ) -> None:
        async with engine.begin() as blocker:
            await blocker.execute(text("LOCK TABLE shops IN ACCESS EXCLUSIVE MODE"))
            response = await expired(call("install", upgates.install()), lambda: wait_for_lock(engine))

        assert (response.status_code, response.json()["error"]) == (200, True)
        assert await rows("shops") == await rows("signatures") == []
        assert (await call("install", upgates.install())).json() == OK


class TestOpen:
    @pytest.mark.rule("R1", "R17")
    async def test_answers_the_address_of_the_pages(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, outside: Outside
    ) -> None:
        shop_id = await make_shop(token="shop-1")

        response = await call("open", upgates.open(current_admin_language="sk"))

        assert response.status_code == 200
        assert response.json() == {"url": "https://upbridge.example/ui/open/ticket", "type": "iframe"}
        assert response.headers["cache-control"] == "no-store"
        assert outside.issued == [(shop_id, "sk")]

    @pytest.mark.rule("R26")
    async def test_opens_once_with_one_call(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, outside: Outside
    ) -> None:
        await make_shop(token="shop-1")
        body, later = upgates.open(), upgates.open(at=NOON + timedelta(seconds=1))

        assert [(await call("open", one)).status_code for one in (body, body, later)] == [200, 403, 200]
        assert len(outside.issued) == 2

    async def test_does_not_open_with_a_call_that_was_made_for_another(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, outside: Outside
    ) -> None:
        await make_shop(token="shop-1")
        deactivation = upgates.open()
        await call("uninstall", deactivation)

        assert (await call("open", deactivation)).status_code == 403
        assert outside.issued == []

    @pytest.mark.rule("R19")
    async def test_remembers_the_language_and_falls_back_to_the_last_one(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, outside: Outside
    ) -> None:
        await make_shop(token="shop-1")

        await call("open", upgates.open(current_admin_language="sk"))
        await call("open", upgates.open(current_admin_language=None, at=NOON + timedelta(seconds=1)))
        await call("open", upgates.open(current_admin_language="de", at=NOON + timedelta(seconds=2)))

        assert [language for _, language in outside.issued] == ["sk", "sk", "en"]

    async def test_of_an_unknown_shop_is_not_found_and_does_not_repeat_its_token(
        self, call: Call, upgates: Upgates, outside: Outside
    ) -> None:
        response = await call("open", upgates.open("secret-token"))

        assert response.status_code == 404
        assert "secret-token" not in response.text
        assert outside.issued == []

    @pytest.mark.rule("R18")
    @pytest.mark.parametrize("state", list(ShopState))
    async def test_works_in_every_state_of_a_known_shop(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, state: ShopState
    ) -> None:
        await make_shop(token="shop-1", state=state)

        assert (await call("open", upgates.open())).status_code == 200

    async def test_while_the_key_cannot_be_had_is_unavailable(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, outside: Outside
    ) -> None:
        await make_shop(token="shop-1")
        outside.key_status = 500

        assert (await call("open", upgates.open())).status_code == 503


class TestUninstall:
    @pytest.mark.rule("R1", "R29")
    async def test_stops_the_shop_and_asks_one_question(
        self, *, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops, rows: Rows, outside: Outside
    ) -> None:
        shop_id = await make_shop(token="shop-1")

        response = await call("uninstall", upgates.uninstall())

        assert (response.status_code, response.json()) == (200, OK)
        assert (await shops.get(shop_id)).state is ShopState.UNINSTALLING
        assert await shops.credentials(shop_id) is not None
        assert await marks(rows) == {("upgates", "probe", "probe")}
        assert outside.woken == [Lane.pull(shop_id, "upgates")]

    @pytest.mark.rule("R8")
    async def test_with_a_signature_seen_at_opening_stops_nothing_but_asks(
        self, *, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops, rows: Rows, said: list[Any]
    ) -> None:
        shop_id = await make_shop(token="shop-1")
        opening = upgates.open()
        await call("open", opening)

        response = await call("uninstall", opening)

        assert (response.status_code, response.json()) == (200, OK)
        assert (await shops.get(shop_id)).state is ShopState.ACTIVE
        assert await marks(rows) == {("upgates", "probe", "probe")}
        assert [entry["seen_on"] for entry in said if entry["event"] == "uninstall_may_be_a_replay"] == ["open"]

    @pytest.mark.rule("R8")
    async def test_with_a_signature_seen_at_an_earlier_uninstallation_stops_nothing_but_asks(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
    ) -> None:
        shop_id = await make_shop(token="shop-1")
        body = upgates.uninstall()
        await call("uninstall", body)
        await call("install", upgates.install(at=NOON + timedelta(seconds=9)))

        await call("uninstall", body)

        assert (await shops.get(shop_id)).state is ShopState.ACTIVE

    @pytest.mark.rule("R8")
    async def test_signed_before_the_last_installation_stops_nothing_but_asks(
        self, call: Call, upgates: Upgates, shops: Shops, rows: Rows
    ) -> None:
        await call("install", upgates.install())

        await call("uninstall", upgates.uninstall(at=NOON - timedelta(seconds=1)))

        assert (await shops.by_token("shop-1")).state is ShopState.ACTIVE
        assert ("upgates", "probe", "probe") in await marks(rows)

    async def test_twice_is_the_same_as_once(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops, rows: Rows
    ) -> None:
        shop_id = await make_shop(token="shop-1")

        for second in range(3):
            await call("uninstall", upgates.uninstall(at=NOON + timedelta(seconds=second)))

        assert (await shops.get(shop_id)).state is ShopState.UNINSTALLING
        assert len(await rows("changes")) == 1

    @pytest.mark.rule("R28")
    async def test_of_an_uninstalled_shop_asks_nothing(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, rows: Rows
    ) -> None:
        await make_shop(token="shop-1", state="uninstalled", api_key=None)

        assert (await call("uninstall", upgates.uninstall())).json() == OK
        assert await rows("changes") == []

    async def test_keeps_an_operator_s_reason_for_the_case_that_it_is_not_true(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
    ) -> None:
        shop_id = await make_shop(token="shop-1", state="suspended", reason="operator")

        await call("uninstall", upgates.uninstall())

        shop = await shops.get(shop_id)
        assert (shop.state, shop.reason) == (ShopState.UNINSTALLING, "operator")

    @pytest.mark.rule("R28")
    async def test_of_an_unknown_shop_is_harmless(self, call: Call, upgates: Upgates, rows: Rows) -> None:
        response = await call("uninstall", upgates.uninstall("nobody"))

        assert (response.status_code, response.json()) == (200, OK)
        assert await rows("changes") == await rows("shops") == []


class TestVersion:
    @pytest.mark.rule("R1", "R31", "R32")
    async def test_is_noted_and_rights_and_webhooks_are_read_again(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops, rows: Rows
    ) -> None:
        shop_id = await make_shop(token="shop-1", version=1)

        response = await call("version", upgates.version())

        assert (response.status_code, response.json()) == (200, OK)
        assert (await shops.get(shop_id)).version == 2
        assert await marks(rows) == {("upgates", "facts", "facts"), ("upgates", "webhooks", "webhooks")}

    async def test_brings_new_credentials_if_they_were_signed(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
    ) -> None:
        shop_id = await make_shop(token="shop-1", state="suspended", reason="refused")

        await call("version", upgates.version(apiUser="2", apiKey="second", apiUrl=API_URL))

        credentials = await shops.credentials(shop_id)
        assert credentials is not None
        assert credentials.api_key == "second"
        shop = await shops.get(shop_id)
        assert (shop.state, shop.version) == (ShopState.ACTIVE, 2)

    async def test_does_not_bring_credentials_that_were_not_signed(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
    ) -> None:
        shop_id = await make_shop(token="shop-1")
        planted = {**upgates.version(), "apiUser": "2", "apiKey": "planted", "apiUrl": API_URL}

        assert (await call("version", planted)).json() == OK

        credentials = await shops.credentials(shop_id)
        assert credentials is not None
        assert credentials.api_key == "api-key"

    @pytest.mark.rule("R31")
    async def test_without_a_version_keeps_the_old_one(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops
    ) -> None:
        shop_id = await make_shop(token="shop-1", version=5)

        await call("version", upgates.version(version=""))

        assert (await shops.get(shop_id)).version == 5

    async def test_with_a_foreign_address_is_refused(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, rows: Rows
    ) -> None:
        await make_shop(token="shop-1")
        body = upgates.version(apiUser="2", apiKey="second", apiUrl="https://evil.example/api/v2")

        response = await call("version", body)

        assert (response.status_code, response.json()["error"]) == (200, True)
        assert await rows("changes") == []

    @pytest.mark.parametrize("state", ["uninstalling", "uninstalled"])
    async def test_does_not_bring_a_stopped_shop_back(
        self, *, call: Call, upgates: Upgates, make_shop: MakeShop, shops: Shops, rows: Rows, state: str
    ) -> None:
        shop_id = await make_shop(token="shop-1", state=state)

        response = await call("version", upgates.version(apiUser="2", apiKey="3", apiUrl=API_URL))

        assert response.json() == OK
        assert (await shops.get(shop_id)).state == state
        assert await rows("changes") == []

    async def test_of_an_unknown_shop_is_harmless(self, call: Call, upgates: Upgates) -> None:
        assert (await call("version", upgates.version("nobody"))).json() == OK

    @pytest.mark.rule("R10")
    async def test_logs_the_names_of_what_it_got_and_no_value(
        self, call: Call, upgates: Upgates, make_shop: MakeShop, said: list[Any]
    ) -> None:
        await make_shop(token="shop-1")

        await call("version", upgates.version(surprise="a secret value"))

        entry = next(entry for entry in said if entry["event"] == "version_call")
        assert entry["fields"] == ["signature_v2", "surprise", "time", "token", "version"]
        assert "a secret value" not in str(said)


class TestEveryEndpoint:
    @pytest.mark.rule("R9")
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    async def test_answers_503_without_a_signature_token(
        self, endpoint: str, upgates: Upgates, service: InstallationService
    ) -> None:
        body = upgates.sign(upgates.install(), SHORT, token="")

        async with client_of(replace(service, signature_token="")) as client:
            response = await client.post(f"/addon/{endpoint}", json=body)

        assert response.status_code == 503
        assert set(response.json()) == {"error", "detail"}

    @pytest.mark.rule("R2")
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda body: {**body, "token": "other"}, id="a changed value"),
            pytest.param(lambda body: {**body, "signature_v2": "AAAA"}, id="a wrong signature"),
            pytest.param(lambda body: {**body, "signature_v2": None, "signature": "AAAA"}, id="legacy only"),
            pytest.param(lambda body: {}, id="nothing"),
        ],
    )
    async def test_forbids_what_upgates_did_not_sign_and_stores_nothing(
        self, *, endpoint: str, spoil: Any, call: Call, upgates: Upgates, rows: Rows, make_shop: MakeShop
    ) -> None:
        await make_shop(token="shop-1")
        before = await rows("shops")

        response = await call(endpoint, spoil(getattr(upgates, endpoint)()))

        assert response.status_code == 403
        assert set(response.json()) == {"error", "detail"}
        assert await rows("shops") == before
        assert await rows("changes") == await rows("signatures") == []

    @pytest.mark.rule("R8")
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("seconds", [-901, 86_401])
    async def test_forbids_a_time_outside_the_window(
        self, *, endpoint: str, seconds: int, call: Call, upgates: Upgates, rows: Rows, make_shop: MakeShop
    ) -> None:
        await make_shop(token="shop-1")

        response = await call(endpoint, getattr(upgates, endpoint)(at=NOON + timedelta(seconds=seconds)))

        assert response.status_code == 403
        assert await rows("signatures") == []

    @pytest.mark.rule("R9", "R10")
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    async def test_logs_why_a_call_is_refused_and_nothing_of_it(
        self, endpoint: str, call: Call, upgates: Upgates, said: list[Any]
    ) -> None:
        body = {**getattr(upgates, endpoint)("shop-secret"), "hunter2": "hunter2", "signature_v2": "QUJD"}

        for _ in range(20):
            await call(endpoint, body)

        lines = [entry for entry in said if entry["event"] == "signed_call_refused"]
        assert [(entry["endpoint"], entry["times"]) for entry in lines] == [(endpoint, 1)]
        for secret in ("shop-secret", "hunter2", "QUJD"):
            assert secret not in str(said)

    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            pytest.param(b"", 400, id="empty"),
            pytest.param(b"{", 400, id="cut"),
            pytest.param(b"[]", 400, id="a list"),
            pytest.param(b"null", 400, id="null"),
            pytest.param(b'"\xff"', 400, id="not UTF-8"),
            pytest.param(b'{"a": NaN}', 400, id="NaN"),
            pytest.param(b"[" * 60_000, 400, id="deep"),
            pytest.param(b'{"a": ' + b"9" * 60_000 + b"}", 400, id="a long number"),
            pytest.param(b'{"a": "' + b"x" * 70_000 + b'"}', 413, id="oversized"),
            pytest.param(
                b'{"token": "\\ud800", "time": "\\u0000", "signature_v2": "\\udfff"}', 403, id="odd text"
            ),
        ],
    )
    async def test_answers_bad_bodies_with_4xx(
        self, endpoint: str, body: bytes, status: int, client: httpx.AsyncClient
    ) -> None:
        response = await client.post(f"/addon/{endpoint}", content=body)

        assert response.status_code == status
        assert set(response.json()) == {"error", "detail"}

    @pytest.mark.rule("R16")
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize("offer", ["compress, exi", "gzip, br, zstd", "*"])
    async def test_answers_in_plain_in_every_encoding_that_is_offered(
        self, endpoint: str, offer: str, upgates: Upgates, service: InstallationService
    ) -> None:
        app = create_app(settings())
        app.state.container = SimpleNamespace(installation=service)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://upbridge.example") as whole:
            body = getattr(upgates, endpoint)()
            response = await whole.post(f"/addon/{endpoint}", json=body, headers={"Accept-Encoding": offer})

        assert response.headers.get("content-encoding", "identity") == "identity"
        assert json.loads(response.content)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
plain = st.characters(codec="utf-8")
names = st.sampled_from(
    [
        "token",
        "apiUser",
        "apiKey",
        "apiUrl",
        "time",
        "signature_v2",
        "signature",
        "version",
        "current_admin_language",
    ]
)
shared = how(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class TestAnyInput:
    @shared
    @given(
        endpoint=st.sampled_from(ENDPOINTS),
        body=json_values | st.dictionaries(names | st.text(max_size=10), json_values),
    )
    async def test_that_is_json_never_breaks_an_endpoint(
        self, client: httpx.AsyncClient, endpoint: str, body: Any
    ) -> None:
        response = await client.post(f"/addon/{endpoint}", content=json.dumps(body).encode())

        assert 400 <= response.status_code < 500

    @shared
    @given(endpoint=st.sampled_from(ENDPOINTS), body=st.binary(max_size=200))
    async def test_that_is_not_json_never_breaks_an_endpoint(
        self, client: httpx.AsyncClient, endpoint: str, body: bytes
    ) -> None:
        response = await client.post(f"/addon/{endpoint}", content=body)

        assert 400 <= response.status_code < 500

    @shared
    @given(
        endpoint=st.sampled_from(ENDPOINTS),
        token=st.text(plain, min_size=1, max_size=30),
        access=st.fixed_dictionaries(
            {},
            optional={
                "apiUser": st.text(plain, max_size=20),
                "apiKey": st.text(plain, max_size=20),
                "apiUrl": st.sampled_from(
                    [API_URL, "https://evil.example/api/v2", "https://[", "", "http://x:y@z"]
                ),
            },
        ),
        unsigned=st.dictionaries(st.sampled_from(["version", "current_admin_language"]), json_values),
    )
    async def test_that_upgates_signed_never_breaks_an_endpoint(
        self,
        *,
        client: httpx.AsyncClient,
        upgates: Upgates,
        endpoint: str,
        token: str,
        access: dict[str, str],
        unsigned: dict[str, Any],
    ) -> None:
        body = getattr(upgates, endpoint)(token, **access)

        response = await client.post(f"/addon/{endpoint}", content=json.dumps({**body, **unsigned}).encode())

        assert response.status_code in {200, 403, 404}
