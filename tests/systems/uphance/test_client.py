"""The login, the hidden organisation, and what an answer means."""

from datetime import timedelta

import httpx
import pytest

from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import BASE, FakeUphance
from upbridge.core.errors import Failed, LoginRefused, NotSent, Rejected, Throttled, Unreachable
from upbridge.systems.uphance.client import login
from upbridge.systems.uphance.errors import WrongOrganisation


@pytest.fixture
def uphance() -> FakeUphance:
    return FakeUphance(MovableClock(NOON))


class TestLogin:
    async def test_connecting_gives_tokens_and_the_organisations_to_choose_from(
        self, uphance: FakeUphance
    ) -> None:
        tokens, found = await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="right")

        assert [(one.id, one.name) for one in found] == [(5, "Hemline Ltd")]
        assert tokens.stored()["access_token"] in uphance.alive
        assert tokens.renew_at == NOON + timedelta(seconds=604_800 * 0.8)

    async def test_neither_password_nor_tokens_are_repeated(self, uphance: FakeUphance) -> None:
        with pytest.raises(LoginRefused) as refused:
            await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="hunter2")
        tokens, _ = await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="right")

        assert "hunter2" not in str(refused.value)
        assert tokens.access not in repr(tokens)
        assert "right" not in str(tokens.stored())

    async def test_a_failing_login_server_is_not_a_wrong_password(self, uphance: FakeUphance) -> None:
        uphance.before = lambda _: httpx.Response(500, json={"error": "echo: hunter2"})

        with pytest.raises(Unreachable) as unreachable:
            await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="hunter2")

        assert "hunter2" not in str(unreachable.value)

    async def test_a_short_life_is_renewed_a_minute_before_its_end(self, uphance: FakeUphance) -> None:
        uphance.life = 100

        tokens, _ = await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="right")

        assert tokens.renew_at == NOON + timedelta(seconds=40)

    async def test_a_life_beyond_any_calendar_is_a_year_or_so(self, uphance: FakeUphance) -> None:
        uphance.life = 10**15

        tokens, _ = await login(uphance.http(), BASE, uphance.clock, email="e@example.com", password="right")

        assert tokens.renew_at == NOON + timedelta(days=400 * 0.8)


class TestOrganisation:
    async def test_it_is_chosen_before_anything_else_even_with_a_token_that_was_stored(
        self, uphance: FakeUphance
    ) -> None:
        client = uphance.client()

        await client.get("/seasons")
        await client.get("/seasons")

        assert uphance.calls == ["POST /organisations/set_current_org", "GET /seasons", "GET /seasons"]

    async def test_who_only_reads_may_rely_on_what_was_chosen_and_who_writes_chooses_again(
        self, uphance: FakeUphance
    ) -> None:
        vault = uphance.vault()
        await uphance.client(vault).get("/seasons")
        del uphance.calls[:]

        await uphance.client(vault, relies=True).get("/seasons")
        await uphance.client(vault, relies=True).post("/customers", {"customer": {}})

        assert uphance.calls == ["GET /seasons", "POST /organisations/set_current_org", "POST /customers"]

    async def test_where_another_program_chose_another_one_it_is_chosen_and_read_again(
        self, uphance: FakeUphance
    ) -> None:
        vault = uphance.vault()
        await uphance.client(vault).get("/seasons")
        uphance.orders = [{"id": 1, "organisation_id": 6}]
        del uphance.calls[:]

        def chosen(request: httpx.Request) -> None:
            if "set_current_org" in request.url.path:
                uphance.orders = [{"id": 1, "organisation_id": 5}]

        uphance.before = chosen

        read = await uphance.client(vault, relies=True).get("/sales_orders")

        assert read["sales_orders"][0]["organisation_id"] == 5
        assert uphance.calls == [
            "GET /sales_orders",
            "POST /organisations/set_current_org",
            "GET /sales_orders",
        ]

    async def test_who_looks_before_making_a_thing_relies_on_nothing(self, uphance: FakeUphance) -> None:
        vault = uphance.vault()
        await uphance.client(vault).get("/seasons")

        await uphance.client(vault).get("/sales_orders")

        assert uphance.calls[2:] == ["POST /organisations/set_current_org", "GET /sales_orders"]

    async def test_it_is_chosen_again_for_a_renewed_token(self, uphance: FakeUphance) -> None:
        vault = uphance.vault()
        client = uphance.client(vault)
        await client.get("/seasons")
        uphance.clock.move(days=6)

        await client.get("/seasons")

        assert uphance.calls[2:] == ["POST /oauth/token", "POST /organisations/set_current_org", "GET /seasons"]
        assert vault.kept is not None
        assert vault.kept["access_token"] in uphance.alive

    async def test_an_answer_for_another_one_stops_everything(self, uphance: FakeUphance) -> None:
        uphance.orders = [{"id": 1, "organisation_id": 6}]

        with pytest.raises(WrongOrganisation):
            await uphance.client().get("/sales_orders")

    async def test_one_that_cannot_be_chosen_stops_everything(self, uphance: FakeUphance) -> None:
        def refuse(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(404, json={}) if "set_current_org" in request.url.path else None

        uphance.before = refuse

        with pytest.raises(WrongOrganisation):
            await uphance.client().get("/seasons")

    async def test_without_one_no_call_is_made(self, uphance: FakeUphance) -> None:
        with pytest.raises(WrongOrganisation):
            await uphance.client(organisation=None).get("/seasons")

        assert uphance.calls == []


class TestTokens:
    @pytest.mark.situation("token")
    async def test_a_refused_token_is_renewed_and_the_call_repeated_once(self, uphance: FakeUphance) -> None:
        uphance.alive = {"other": "refresh-0"}

        await uphance.client().get("/seasons")

        assert uphance.calls[-3:] == ["POST /oauth/token", "POST /organisations/set_current_org", "GET /seasons"]

    @pytest.mark.situation("token")
    async def test_a_refused_refresh_asks_for_the_password_again(self, uphance: FakeUphance) -> None:
        uphance.alive = {}

        with pytest.raises(LoginRefused):
            await uphance.client().get("/seasons")

        assert uphance.made("POST /oauth/token") == 1

    async def test_what_another_process_renewed_is_taken(self, uphance: FakeUphance) -> None:
        vault = uphance.vault()
        first, second = uphance.client(vault), uphance.client(vault)
        await second.get("/seasons")
        uphance.clock.move(days=6)
        await first.get("/seasons")

        await second.get("/seasons")

        assert uphance.made("POST /oauth/token") == 1

    async def test_only_our_own_token_is_revoked(self, uphance: FakeUphance) -> None:
        await uphance.client().revoke()

        assert uphance.bodies == [{"tokens": ["token-0"]}]

    async def test_revoking_a_dead_token_is_no_error(self, uphance: FakeUphance) -> None:
        uphance.alive = {}

        await uphance.client().revoke()

        assert uphance.calls == ["POST /oauth/revoke_tokens"]


class TestAnswers:
    @pytest.mark.parametrize(
        ("broken", "error"),
        [
            pytest.param(httpx.ReadTimeout("slow"), Unreachable, id="a time-out"),
            pytest.param(httpx.RemoteProtocolError("cut"), Unreachable, id="a cut connection"),
            pytest.param(httpx.ConnectError("down"), NotSent, id="no connection at all"),
            pytest.param(httpx.Response(500, json={}), Failed, id="a failure of theirs"),
            pytest.param(httpx.Response(503), Unreachable, id="a failure before theirs"),
            pytest.param(httpx.Response(200, text="<html>"), Unreachable, id="no JSON"),
            pytest.param(httpx.Response(422, json={"error": {"message": "no"}}), Rejected, id="a refusal"),
            pytest.param(httpx.Response(302), Rejected, id="a redirect"),
            pytest.param(httpx.Response(403), LoginRefused, id="no right"),
            pytest.param(httpx.Response(429, headers={"Retry-After": "7"}), Throttled, id="too many requests"),
        ],
    )
    async def test_every_answer_has_a_meaning_and_a_post_is_never_repeated(
        self, uphance: FakeUphance, broken: httpx.Response | Exception, error: type[Exception]
    ) -> None:
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: broken

        with pytest.raises(error):
            await client.post("/sales_orders", {})

        assert uphance.made("POST /sales_orders") == 1

    async def test_a_refusal_keeps_the_servers_words_and_status(self, uphance: FakeUphance) -> None:
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: httpx.Response(422, json={"error": {"message": "season is closed"}})

        with pytest.raises(Rejected, match="season is closed") as rejected:
            await client.post("/sales_orders", {})

        assert rejected.value.answered == 422

    async def test_a_short_pause_is_waited_out_when_reading(self, uphance: FakeUphance) -> None:
        client = uphance.client()
        await client.get("/seasons")
        answers = [httpx.Response(429, headers={"Retry-After": "7"})]
        uphance.before = lambda _: answers.pop() if answers else None

        assert (await client.get("/seasons"))["seasons"]
        assert uphance.clock() == NOON + timedelta(seconds=7)

    async def test_a_long_pause_is_handed_up_with_its_end(self, uphance: FakeUphance) -> None:
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: httpx.Response(429, headers={"Retry-After": "600"})

        with pytest.raises(Throttled) as throttled:
            await client.get("/seasons")

        assert throttled.value.until == NOON + timedelta(seconds=600)


class TestPages:
    async def test_every_page_is_read_in_turn(self, uphance: FakeUphance) -> None:
        uphance.orders, uphance.page = [{"id": number} for number in range(1, 8)], 3

        found = [
            row["id"] async for page in uphance.client().pages("/sales_orders", "sales_orders") for row in page
        ]

        assert found == list(range(1, 8))

    async def test_a_list_that_ends_early_is_no_complete_one(self, uphance: FakeUphance) -> None:
        short = {"sales_orders": [{"id": 1}], "meta": {"next_page": None, "total_pages": 1, "total_count": 2}}
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: httpx.Response(200, json=short)

        with pytest.raises(Unreachable, match="1 of 2"):
            [page async for page in client.pages("/sales_orders", "sales_orders")]

    @pytest.mark.parametrize("honours", [True, False])
    async def test_no_row_slips_when_one_goes_and_one_comes(self, uphance: FakeUphance, *, honours: bool) -> None:
        uphance.products, uphance.page = [{"id": number} for number in range(1, 31)], 10
        uphance.honours_since_id = honours
        seen: set[int] = set()

        async for page in uphance.client().pages("/products", "products"):
            if not seen:
                uphance.products = [*uphance.products[1:], {"id": 31}]
            seen |= {row["id"] for row in page}

        assert seen == set(range(1, 32))

    async def test_pages_that_run_in_a_circle_end(self, uphance: FakeUphance) -> None:
        circle = {"sales_orders": [{"id": 1}], "meta": {"next_page": 1, "total_pages": 9, "total_count": 900}}
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: httpx.Response(200, json=circle)

        with pytest.raises(Unreachable, match="do not end"):
            [page async for page in client.pages("/sales_orders", "sales_orders")]

    async def test_a_list_without_paging_is_one_page(self, uphance: FakeUphance) -> None:
        pages = [page async for page in uphance.client().pages("/channels", "channels")]

        assert len(pages) == 1

    async def test_an_answer_without_the_list_is_no_empty_list(self, uphance: FakeUphance) -> None:
        client = uphance.client()
        await client.get("/seasons")
        uphance.before = lambda _: httpx.Response(200, json={"error": "strange"})

        with pytest.raises(Unreachable):
            [page async for page in client.pages("/products", "products")]

    async def test_one_object_that_is_gone_is_none(self, uphance: FakeUphance) -> None:
        assert await uphance.client().one("/sales_orders/1", "sales_order") is None
