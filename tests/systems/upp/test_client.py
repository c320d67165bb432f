"""The calls to Upp, faked at the transport."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import httpx
import pytest

from tests.support.clock import NOON
from tests.support.fake_upp import Reply, Upp
from tests.support.upp import MemoryVault
from upbridge.core.errors import LoginRefused, Rejected, RemoteError, Throttled, Unreachable

ACCEPTED = httpx.Response(202)


def bearers(requests: Sequence[httpx.Request]) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in requests]


class TestWhatIsSent:
    async def test_the_token_is_asked_for_by_form_with_client_credentials(self) -> None:
        upp = Upp()
        async with upp.client() as client:
            await client.test_login("ours", "s3cr&t")

        (request,) = upp.requests
        assert str(request.url) == "https://svc.upp.example/auth/oauth/token"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert parse_qs(request.content.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["ours"],
            "client_secret": ["s3cr&t"],
        }

    async def test_products_go_in_an_object_and_orders_as_a_bare_array(self) -> None:
        upp = Upp(httpx.Response(202), httpx.Response(201))
        async with upp.client() as client:
            await client.ingest(MemoryVault(), [b'{"a":1}', b'{"b":"\xc3\xa9"}'])
            await client.send_orders(MemoryVault(), [b'{"a":1}', b'{"b":2}'])

        products, orders = upp.calls
        assert (products.method, products.url.path) == ("POST", "/ingest/bulk")
        assert json.loads(products.content) == {"products": [{"a": 1}, {"b": "é"}]}
        assert (orders.method, orders.url.path) == ("POST", "/orders/bulk")
        assert json.loads(orders.content) == [{"a": 1}, {"b": 2}]

    async def test_every_call_has_the_four_headers(self) -> None:
        upp = Upp()
        async with upp.client() as client:
            await client.ingest(MemoryVault(), [b"{}"])

        (request,) = upp.calls
        assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
        assert request.headers["Authorization"] == "Bearer t1"
        assert request.headers["Api-Version"] == "1"

    async def test_costs_go_by_the_day_with_midnight_in_utc(self) -> None:
        upp = Upp()
        days = [(date(2026, 11, 1), Decimal("30.03")), (date(2026, 11, 2), Decimal(34))]
        async with upp.client() as client:
            await client.send_cpa(MemoryVault(), "cz", days)

        (request,) = upp.calls
        assert request.url.path == "/cpa"
        assert json.loads(request.content) == {
            "discriminator": "cz",
            "payload": [
                {"date": "2026-11-01T00:00:00.000Z", "cpa": 30.03},
                {"date": "2026-11-02T00:00:00.000Z", "cpa": 34},
            ],
        }

    async def test_costs_of_more_than_a_thousand_days_go_in_several_calls(self) -> None:
        upp = Upp()
        days = [(date(2020, 1, 1) + timedelta(days=number), Decimal(1)) for number in range(1001)]
        async with upp.client() as client:
            await client.send_cpa(MemoryVault(), "cz", days)

        assert [len(json.loads(request.content)["payload"]) for request in upp.calls] == [1000, 1]


class TestTheToken:
    async def test_it_is_kept_and_used_until_eighty_percent_of_its_life(self) -> None:
        upp, vault = Upp(), MemoryVault()
        async with upp.client() as client:
            await client.ingest(vault, [b"{}"])
            upp.now = NOON + timedelta(seconds=69_119)
            await client.ingest(vault, [b"{}"])
            assert vault.renew_at == NOON + timedelta(seconds=69_120)
            upp.now = vault.renew_at
            await client.ingest(vault, [b"{}"])

        assert bearers(upp.calls) == ["t1", "t1", "t2"]

    async def test_another_client_finds_it_in_the_vault(self) -> None:
        upp, vault = Upp(), MemoryVault()
        for _ in range(2):
            async with upp.client() as client:
                await client.ingest(vault, [b"{}"])

        assert upp.tokens == 1

    async def test_a_call_that_is_taken_opens_the_vault_for_the_secret_and_the_token_once(self) -> None:
        upp, vault = Upp(), MemoryVault()
        async with upp.client() as client:
            await client.ingest(vault, [b"{}"])
            vault.looks = 0

            await client.ingest(vault, [b"{}"])

        assert vault.looks == 2

    async def test_new_credentials_get_a_new_one(self) -> None:
        upp, old = Upp(), MemoryVault()
        async with upp.client() as client:
            await client.ingest(old, [b"{}"])
            new = MemoryVault({"client_id": "another", "client_secret": "s"})
            new.kept = old.kept
            await client.ingest(new, [b"{}"])

        assert bearers(upp.calls) == ["t1", "t2"]

    async def test_it_is_renewed_once_however_many_ask(self) -> None:
        upp, vault = Upp(), MemoryVault()
        async with upp.client() as client:
            await asyncio.gather(*(client.ingest(vault, [b"{}"]) for _ in range(20)))

        assert (upp.tokens, len(upp.calls)) == (1, 20)

    @pytest.mark.parametrize(
        ("expires_in", "life"),
        [
            pytest.param("1000", 800, id="a numeric string"),
            pytest.param(None, 2880, id="null"),
            pytest.param("soon", 2880, id="words"),
            pytest.param(-5, 2880, id="the past"),
            pytest.param("inf", 2880, id="for ever"),
            pytest.param(10**15, 0.8 * 400 * 86_400, id="longer than any calendar"),
        ],
    )
    async def test_an_odd_life_is_read_or_assumed_short(self, expires_in: object, life: float) -> None:
        upp, vault = Upp(), MemoryVault()
        upp.expires_in = expires_in
        async with upp.client() as client:
            await client.ingest(vault, [b"{}"])

        assert vault.renew_at == NOON + timedelta(seconds=life)

    async def test_a_refused_one_is_renewed_and_the_call_repeated_once(self) -> None:
        upp, vault = Upp(httpx.Response(401)), MemoryVault()
        async with upp.client() as client:
            await client.ingest(vault, [b'{"a":1}'])

        assert bearers(upp.calls) == ["t1", "t2"]
        assert upp.calls[0].content == upp.calls[1].content

    async def test_many_refused_at_once_renew_once(self) -> None:
        def reply(request: httpx.Request) -> Reply:
            return httpx.Response(401 if bearers([request]) == ["old"] else 202)

        upp, vault = Upp(*[reply] * 20), MemoryVault()
        vault.kept = {"access_token": "old", "client_id": "ours", "renew_at": "2099-01-01T00:00:00+00:00"}
        async with upp.client() as client:
            await asyncio.gather(*(client.ingest(vault, [b"{}"]) for _ in range(10)))

        assert upp.tokens == 1

    async def test_refused_twice_the_login_is_wrong(self) -> None:
        upp = Upp(httpx.Response(401), httpx.Response(401))
        async with upp.client() as client:
            with pytest.raises(LoginRefused):
                await client.ingest(MemoryVault(), [b"{}"])

        assert len(upp.calls) == 2

    async def test_without_credentials_no_call_is_made(self) -> None:
        upp = Upp()
        async with upp.client() as client:
            with pytest.raises(LoginRefused):
                await client.ingest(MemoryVault({}), [b"{}"])

        assert not upp.requests

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            pytest.param(httpx.Response(401), LoginRefused, id="unauthorised"),
            pytest.param(httpx.Response(400, json={"error": "invalid_client"}), LoginRefused, id="OAuth's 400"),
            pytest.param(httpx.Response(403), LoginRefused, id="forbidden"),
            pytest.param(httpx.Response(404), Unreachable, id="no such address"),
            pytest.param(httpx.Response(422), Unreachable, id="a refusal that is not about the login"),
            pytest.param(
                httpx.Response(302, headers={"Location": "https://evil.example"}), Unreachable, id="moved"
            ),
            pytest.param(httpx.Response(500), Unreachable, id="Upp.ai fails"),
            pytest.param(httpx.Response(429), Throttled, id="too many"),
            pytest.param(httpx.Response(200, text="<html>"), Unreachable, id="no JSON"),
            pytest.param(httpx.Response(200, json=["t"]), Unreachable, id="another shape"),
            pytest.param(httpx.Response(200, json={"access_token": ""}), Unreachable, id="an empty token"),
            pytest.param(httpx.Response(200, json={"access_token": "a\nb"}), Unreachable, id="two lines"),
            pytest.param(httpx.Response(200, json={"access_token": "ž"}), Unreachable, id="no header takes it"),
            pytest.param(httpx.ConnectTimeout("slow"), Unreachable, id="no connection"),
        ],
    )
    async def test_a_login_ends_in_a_token_or_in_one_of_three_errors(
        self, reply: Reply, error: type[RemoteError]
    ) -> None:
        upp = Upp()
        upp.token_reply = reply
        async with upp.client() as client:
            with pytest.raises(error) as caught:
                await client.test_login("ours", "s3cr3t-of-ours")

        assert "s3cr3t" not in str(caught.value)
        assert len(upp.requests) == 1


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    async def test_every_success_is_one(self, status: int) -> None:
        async with Upp(httpx.Response(status)).client() as client:
            await client.ingest(MemoryVault(), [b"{}"])

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            pytest.param(httpx.Response(500), Unreachable, id="500"),
            pytest.param(httpx.Response(503), Unreachable, id="503 without a time"),
            pytest.param(httpx.Response(408), Unreachable, id="408"),
            pytest.param(httpx.Response(404), Unreachable, id="404 is not about the items"),
            pytest.param(httpx.Response(415), Unreachable, id="415 is not about the items"),
            pytest.param(httpx.Response(301, headers={"Location": "https://x.example"}), Unreachable, id="301"),
            pytest.param(httpx.Response(403), LoginRefused, id="403"),
            pytest.param(httpx.ReadTimeout("slow"), Unreachable, id="no answer"),
            pytest.param(httpx.RemoteProtocolError("cut"), Unreachable, id="a cut connection"),
            pytest.param(httpx.Response(400), Rejected, id="400"),
            pytest.param(httpx.Response(413), Rejected, id="413"),
            pytest.param(httpx.Response(422), Rejected, id="422"),
        ],
    )
    async def test_every_other_answer_is_an_error_after_one_call(
        self, reply: Reply, error: type[RemoteError]
    ) -> None:
        upp = Upp(reply)
        async with upp.client() as client:
            with pytest.raises(error):
                await client.ingest(MemoryVault(), [b"{}"])

        assert len(upp.calls) == 1

    @pytest.mark.parametrize(
        ("status", "headers", "until"),
        [
            pytest.param(429, {"Retry-After": "120"}, NOON + timedelta(seconds=120), id="seconds"),
            pytest.param(
                429,
                {"Retry-After": "Tue, 24 Nov 2026 12:00:00 GMT"},
                datetime(2026, 11, 24, 12, tzinfo=UTC),
                id="a date",
            ),
            pytest.param(429, {}, NOON + timedelta(seconds=60), id="no time"),
            pytest.param(503, {"Retry-After": "30"}, NOON + timedelta(seconds=30), id="closed for a while"),
        ],
    )
    async def test_later_says_when(self, status: int, headers: dict[str, str], until: datetime) -> None:
        async with Upp(httpx.Response(status, headers=headers)).client() as client:
            with pytest.raises(Throttled) as caught:
                await client.send_orders(MemoryVault(), [b"{}"])

        assert caught.value.until == until

    async def test_a_refusal_keeps_two_kilobytes_of_what_they_said(self) -> None:
        async with Upp(httpx.Response(422, text="sku is mandatory: " + "ž" * 70_000)).client() as client:
            with pytest.raises(Rejected) as caught:
                await client.ingest(MemoryVault(), [b"{}"])

        assert str(caught.value).startswith("sku is mandatory: žž")
        assert 2040 < len(str(caught.value).encode()) <= 2048
        assert caught.value.answered == 422

    async def test_a_refusal_without_words_says_the_status(self) -> None:
        async with Upp(httpx.Response(400)).client() as client:
            with pytest.raises(Rejected, match="/ingest/bulk: 400 bad request"):
                await client.ingest(MemoryVault(), [b"{}"])

    async def test_what_they_echo_holds_no_secret_and_nothing_that_the_database_refuses(self) -> None:
        echo = "Bearer t1 of ours s3cr3t-of-ours\x00\ud83d".encode("utf-8", "replace")
        async with Upp(httpx.Response(400, content=echo)).client() as client:
            with pytest.raises(Rejected) as caught:
                await client.ingest(MemoryVault(), [b"{}"])

        said = str(caught.value)
        assert "t1" not in said
        assert "s3cr3t" not in said
        assert "\x00" not in said
