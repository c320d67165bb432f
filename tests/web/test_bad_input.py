"""What is wrong with a request is its sender's fault: an answer of 4xx, never 5xx, and no alarm in the log.

None of these requests holds the event loop either.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote_from_bytes

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.support.pages import Enter, browser_of, pages_app
from tests.support.shops import MakeShop
from upbridge.core.bounds import FORM
from upbridge.web.context import Pages

pytestmark = pytest.mark.usefixtures("calm_loop")

FORMS = (
    "language",
    "connections/upp",
    "connections/uphance",
    "connections/upp/disconnect",
    "connections/uphance/test",
    "connections/nobody",
    "import/pause",
    "overview/run",
    "problems/retry",
    "problems/by-hand",
    "decision/yes",
    "decision/no",
    "undo",
    "pair",
    "unpair",
    "orders/again",
    "find/again",
    "rules",
    "find",
)
#: Field names of the forms, and prefixes of those that are made up from what a shop has.
NAMES = st.sampled_from(
    [
        *("language", "place", "client_id", "client_secret", "email", "password", "organisation", "id", "cause"),
        *(
            "upp.send",
            "upp.order_days",
            "uphance.channels",
            "uphance.channels.",
            "stock.write",
            "q",
            "key",
            "newest",
        ),
        *("uphance.order_statuses", "notify.email", "number", "group", "permit", "show", "only"),
    ]
)
TEXTS = st.binary(max_size=12) | st.sampled_from(
    [b"", b"\\x00", b"\\xed\\xa0\\x80", b"\\x1f", b"\\u202e", b"9" * 400, b"-1", b"1e999", b"%", b"a" * 5_000]
)
FIELDS = st.lists(
    st.tuples(st.tuples(NAMES.map(str.encode), st.just(b"") | TEXTS).map(b"".join) | TEXTS, TEXTS), max_size=6
)


@pytest.fixture
async def home(make_shop: MakeShop, enter: Enter) -> str:
    """The start page of a visitor."""
    return await enter(await make_shop())


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(place=st.sampled_from(FORMS), fields=FIELDS)
async def test_no_form_makes_the_service_fail(
    home: str, browser: httpx.AsyncClient, place: str, fields: list[tuple[bytes, bytes]]
) -> None:
    body = "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in fields)

    with capture_logs() as logs:
        answer = await browser.post(f"{home}{place}", content=body)

    assert answer.status_code < 500, [entry for entry in logs if "exc_info" in entry]
    assert "database_failed" not in {entry["event"] for entry in logs}


QUERIES = st.tuples(
    st.sampled_from(
        ["", "find", "products", "products.csv", "problems", "overview", "rules", "usage", "start", "progress"]
    ),
    st.lists(
        st.tuples(
            st.sampled_from(["q", "page", "kind", "show", "key", "said", "n", "box", "cause", "number", "after"]),
            TEXTS,
        ),
        max_size=4,
    ),
)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(asked=QUERIES)
async def test_no_address_makes_the_service_fail(
    home: str, browser: httpx.AsyncClient, asked: tuple[str, list[tuple[str, bytes]]]
) -> None:
    place, query = asked
    address = f"{home}{place}?" + "&".join(f"{name}={quote_from_bytes(value)}" for name, value in query)

    with capture_logs() as logs:
        answer = await browser.get(address)

    assert answer.status_code < 500, [entry for entry in logs if "exc_info" in entry]
    assert "database_failed" not in {entry["event"] for entry in logs}


@pytest.fixture
def web_app(pages: Pages) -> FastAPI:
    """The pages, which wait for a form for less than a moment."""
    return pages_app(replace(pages, form_bounds=replace(FORM, seconds=0.05)))


@pytest.fixture
async def browser(web_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of them."""
    async with browser_of(web_app) as client:
        yield client


async def test_a_form_that_trickles_is_its_senders_fault(home: str, browser: httpx.AsyncClient) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        yield b"language=cs&x="
        await asyncio.Event().wait()

    with capture_logs() as logs:
        answer = await browser.post(f"{home}language", content=trickle())

    assert answer.status_code == 408
    assert answer.headers["content-type"].startswith("text/html")
    assert "database_failed" not in {entry["event"] for entry in logs}
