"""One call: paid for, authenticated, judged. Through the client, whose every method goes this way."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.support.clock import NOON
from tests.support.upgates import API_URL, SHOP, Upgates, answering, listed
from upbridge.core.bounds import ANSWER
from upbridge.core.errors import (
    CredentialsRefused,
    LoginRefused,
    Rejected,
    RightRefused,
    Throttled,
    TooMany,
    Unreachable,
)
from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.ledger import LEASE, Ledger
from upbridge.systems.upgates import transport
from upbridge.systems.upgates.transport import Account
from upbridge.systems.upgates.url_policy import HostPolicy

MOVED = "https://shop.admin.s2.upgates.com/api/v2"


class _Broken(httpx.AsyncByteStream):
    """An answer that is cut in the middle."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'{"products": ['
        raise httpx.ReadError("connection reset")


class TestRequest:
    async def test_it_is_authenticated_and_plain(self) -> None:
        upgates = answering({"services": []})

        await upgates.client.status()

        (request,) = upgates.requests
        assert request.method == "GET"
        assert str(request.url) == f"{API_URL}/status"
        user, _, key = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).partition(b":")
        assert (user, key) == (b"12345678", b"secret-key")
        assert "cookie" not in request.headers

    async def test_it_has_a_time_out(self) -> None:
        upgates = answering({"services": []})

        await upgates.client.status()

        timeout = upgates.requests[0].extensions["timeout"]
        assert all(0 < timeout[kind] <= 60 for kind in ("connect", "read", "write", "pool"))

    async def test_cookies_of_other_shops_are_not_sent(self) -> None:
        upgates = answering({"services": []}, headers={"Set-Cookie": "session=1; Domain=.upgates.com"})

        await upgates.client.status()
        await upgates.client.status()

        assert "cookie" not in upgates.requests[1].headers

    async def test_a_path_holds_one_segment_only(self) -> None:
        upgates = answering({"updated": True, "messages": []})

        await upgates.client.add_history("A/../B?x", [("name", "value")])

        assert upgates.requests[0].url.raw_path == b"/api/v2/orders/A%2F..%2FB%3Fx/history"

    async def test_a_path_never_climbs(self) -> None:
        upgates = answering({})

        with pytest.raises(Rejected):
            await upgates.client.add_history("..", [("name", "value")])

        assert upgates.requests == []


class TestBudget:
    async def test_every_request_is_paid_for_and_the_budget_hears_the_answer(self) -> None:
        upgates = answering(listed("products", []), headers={"X-Rate-Limit-Hour-Remaining": "7"})

        await upgates.client.products_page(1, purpose=Purpose.IMPORT)

        assert upgates.ledger.paid == [(SHOP, "GET /products", Purpose.IMPORT)]
        (said,) = upgates.ledger.said
        assert said.accepted
        assert said.headers["x-rate-limit-hour-remaining"] == "7"

    async def test_without_budget_nothing_is_sent(self) -> None:
        upgates = answering({})
        upgates.ledger.refusal = Throttled("spent", until=NOON)

        with pytest.raises(Throttled):
            await upgates.client.status()

        assert upgates.requests == []

    async def test_the_budget_hears_of_refusals_too(self) -> None:
        upgates = answering({}, status=401)

        with pytest.raises(LoginRefused):
            await upgates.client.status()

        assert upgates.ledger.said[0].login_refused

    def test_the_real_ledger_is_what_the_client_needs(self) -> None:
        def needs(ledger: transport.CallBudget) -> transport.CallBudget:
            return ledger

        assert callable(needs(Ledger.__new__(Ledger)).call)

    async def test_a_call_ends_before_the_lease_of_its_slot(self) -> None:
        assert timedelta(seconds=ANSWER.seconds) < LEASE


class TestVerdicts:
    @pytest.mark.rule("R56")
    @pytest.mark.parametrize(("status", "error"), [(401, CredentialsRefused), (403, RightRefused)])
    async def test_a_refused_login_says_which_kind(self, status: int, error: type[LoginRefused]) -> None:
        with pytest.raises(error):
            await answering({}, status=status).client.status()

    @pytest.mark.rule("R49")
    async def test_too_many_requests_says_until_when(self) -> None:
        headers = {"Retry-After": "Tue, 24 Nov 2026 12:00:00 GMT"}

        with pytest.raises(Throttled) as wait:
            await answering({}, status=429, headers=headers).client.status()

        assert wait.value.until == NOON + timedelta(hours=1)

    async def test_too_many_requests_without_a_moment_means_soon(self) -> None:
        with pytest.raises(Throttled) as wait:
            await answering({}, status=429).client.status()

        assert wait.value.until is not None
        assert NOON < wait.value.until <= NOON + timedelta(minutes=1)

    async def test_too_many_items_is_a_refusal_of_its_own(self) -> None:
        with pytest.raises(TooMany) as refusal:
            await answering({}, status=413).client.status()

        assert refusal.value.answered == 413

    @pytest.mark.parametrize("status", [302, 307, 400, 404, 405, 501])
    async def test_a_wrong_request_is_rejected_and_no_redirect_followed(self, status: int) -> None:
        upgates = answering({}, status=status, headers={"Location": "https://shop.admin.s1.upgates.com/elsewhere"})

        with pytest.raises(Rejected) as refusal:
            await upgates.client.status()

        assert refusal.value.answered == status
        assert len(upgates.requests) == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_failing_upgates_leaves_everything_open(self, status: int) -> None:
        with pytest.raises(Unreachable):
            await answering({}, status=status).client.status()

    @pytest.mark.parametrize("failure", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError])
    async def test_no_answer_leaves_everything_open(self, failure: type[httpx.TransportError]) -> None:
        def fail(_request: httpx.Request) -> httpx.Response:
            raise failure("no")

        with pytest.raises(Unreachable, match=f"GET /status: {failure.__name__}"):
            await Upgates(fail).client.status()

    @pytest.mark.parametrize(
        "content", [b"", b"<html>", b"[]", b"null", b'{"a": NaN}', b"[" * 100_000], ids=lambda content: content[:8]
    )
    async def test_what_is_no_json_object_is_no_answer(self, content: bytes) -> None:
        upgates = Upgates(lambda _request: httpx.Response(200, content=content))

        with pytest.raises(Unreachable, match="is not"):
            await upgates.client.status()

    async def test_an_answer_that_is_cut_is_no_answer_but_its_headers_count(self) -> None:
        upgates = Upgates(
            lambda _request: httpx.Response(200, stream=_Broken(), headers={"X-Rate-Limit-Hour": "9"})
        )

        with pytest.raises(Unreachable, match="cut"):
            await upgates.client.products_page(1, purpose=Purpose.IMPORT)

        assert upgates.ledger.said[0].headers["x-rate-limit-hour"] == "9"


class TestMoved:
    @staticmethod
    def _upgates(api_url: Any, policy: HostPolicy | None = None) -> Upgates:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.host == "shop.admin.s1.upgates.com":
                return httpx.Response(301, json={"api_url": api_url})
            return httpx.Response(200, json={"services": []})

        return Upgates(handle, policy=policy or HostPolicy())

    @pytest.mark.rule("R15", "R55")
    async def test_the_new_address_is_stored_and_used_from_then_on(self) -> None:
        upgates = self._upgates(f"{MOVED}/")

        await upgates.client.status()
        await upgates.client.status()

        assert upgates.moves == [MOVED]
        assert [str(request.url) for request in upgates.requests] == [
            f"{API_URL}/status",
            f"{MOVED}/status",
            f"{MOVED}/status",
        ]
        assert len(upgates.ledger.paid) == 3

    @pytest.mark.rule("R55")
    @pytest.mark.parametrize(
        "api_url", ["https://evil.example.com/api/v2", "http://10.0.0.1/api/v2", API_URL, None, 7, ""]
    )
    async def test_a_foreign_address_is_neither_stored_nor_called(self, api_url: Any) -> None:
        upgates = self._upgates(api_url)

        with pytest.raises(Unreachable, match="moved to"):
            await upgates.client.status()

        assert upgates.moves == []
        assert len(upgates.requests) == 1

    async def test_moving_twice_in_one_call_is_given_up(self) -> None:
        upgates = Upgates(lambda _request: httpx.Response(301, json={"api_url": MOVED}))

        with pytest.raises(Unreachable, match="301"):
            await upgates.client.status()

        assert len(upgates.requests) == 2

    async def test_a_write_is_repeated_with_its_body(self) -> None:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.host == "shop.admin.s1.upgates.com":
                return httpx.Response(301, json={"api_url": MOVED})
            return httpx.Response(200, json={"updated": True})

        upgates = Upgates(handle)

        await upgates.client.add_history("1", [("name", "value")])

        first, second = upgates.bodies()
        assert first == second == {"data": [{"name": "name", "value": "value"}]}


class TestDiscretion:
    async def test_the_log_has_one_line_per_request_without_addresses_and_secrets(self) -> None:
        upgates = answering({"webhook": {"id": 1}})

        with capture_logs() as lines:
            await upgates.client.create_webhook(
                event="Orders.update", url="https://a.example/token", name="Upbridge"
            )

        (line,) = lines
        assert line["event"] == "upgates_called"
        assert (line["access"], line["status"], line["outcome"]) == ("post_webhooks", 200, "accept")
        assert "token" not in repr(line)
        assert "secret-key" not in repr(line)

    async def test_an_error_repeats_nothing_of_the_answer(self) -> None:
        upgates = answering({"messages": [{"message": "jana@example.cz secret-key"}]}, status=400)

        with pytest.raises(Rejected) as refusal:
            await upgates.client.status()

        assert str(refusal.value) == "GET /status: 400 bad request"

    def test_an_account_does_not_show_its_key(self) -> None:
        account = Account(shop_id=SHOP, api_url=API_URL, api_user="12345678", api_key="secret-key")

        assert "secret-key" not in repr(account)
