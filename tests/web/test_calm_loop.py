"""Nothing that one request asks for holds the event loop, on which the webhooks of all shops wait."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import httpx
from bench.bigshop import fill
from bench.pages import paths
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.calm_loop import MOST, Held, held_loop
from tests.support.clock import MovableClock
from tests.support.pages import ORIGIN, Enter
from tests.support.web_application import Site
from upbridge.core.bounds import FORM, WEBHOOK
from upbridge.core.encryption import Cipher
from upbridge.web.queries.products import PORTION
from upbridge.webhooks.parsing import MAX_RECORDS

_HEAD = b'{"orders":[{"order_number":"1"}],"x":'
_VALUES = WEBHOOK.values - 10


def _text(piece: bytes) -> bytes:
    return b'"' + piece * ((WEBHOOK.bytes - 100) // len(piece)) + b'"'


def _list(one: Callable[[int], bytes], count: int) -> bytes:
    return b"[" + b",".join(one(number) for number in range(count)) + b"]"


#: The most that a webhook may say, in the ways that take the longest to read.
BODIES = {
    "records": json.dumps({"orders": [{"order_number": f"X{number}"} for number in range(MAX_RECORDS)]}).encode(),
    "wide records": json.dumps(
        {
            "orders": [
                {"order_number": f"Z{number}", **{f"field {place}": f"{number} {place}" for place in range(17)}}
                for number in range(MAX_RECORDS - 200)
            ]
        }
    ).encode(),
    "numbers": _HEAD + _list(lambda _: b"1", _VALUES) + b"}",
    "empty lists": _HEAD + _list(lambda _: b"[]", _VALUES // 2) + b"}",
    "members": _HEAD + _list(lambda number: b'{"a%d":%d}' % (number, number), _VALUES // 2) + b"}",
    "texts of digits": _HEAD + _list(lambda _: b'"' + b"0" * 110 + b'"', 37_000) + b"}",
    "one text": _HEAD + _text(b"a") + b"}",
    "one text of digits": _HEAD + _text(b"1") + b"}",
    "one text of quotes": _HEAD + _text(b'\\"') + b"}",
    "one text of escapes": _HEAD + _text(b"\\u0159") + b"}",
    "one long number": _HEAD + b"1" * (WEBHOOK.bytes - 100) + b"}",
    "all too deep": _HEAD + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}",
}


async def _held(held: Held, asked: Awaitable[httpx.Response]) -> tuple[int, int]:
    """The status of what was *asked*, and for how many milliseconds the loop was held meanwhile."""
    await asyncio.sleep(0)  # what the test did before is none of the application's
    held.seconds = 0.0
    answer = await asked
    return answer.status_code, round(held.seconds * 1000)


async def test_no_webhook_holds_the_loop(site: Site) -> None:
    with held_loop() as held:
        found = {name: await _held(held, site.post("Orders.update", body)) for name, body in BODIES.items()}

    assert max(milliseconds for _, milliseconds in found.values()) <= MOST * 1000, found
    assert {status for status, _ in found.values()} <= {204, 400, 413, 503}, "503 on a machine that is busy"


async def test_no_page_of_a_big_shop_and_no_form_holds_the_loop(
    engine: AsyncEngine, cipher: Cipher, watch: MovableClock, web_app: FastAPI, enter: Enter
) -> None:
    shop = await fill(engine, cipher, variants=PORTION + 300, orders=1_200, now=watch())
    home = await enter(shop.id)
    wanted = {**paths(shop), "orders": "orders", "orders as a file": "orders.csv", "history": "history"}
    fields = urlencode([("uphance.channels", str(number)) for number in range(FORM.values)])
    bytes_of_one = urlencode({"notify.email": "a" * (FORM.bytes - 100)})
    found = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=web_app), base_url=ORIGIN) as client:
        with held_loop() as held:
            for name, path in wanted.items():
                await client.get(home + path)  # the first is slower: templates and statements are made ready
                found[name] = await _held(held, client.get(home + path))
            for name, body in {"many fields": fields, "a long field": bytes_of_one}.items():
                found[name] = await _held(held, client.post(home + "rules", content=body))

    assert max(milliseconds for _, milliseconds in found.values()) <= MOST * 1000, found
    assert {status for status, _ in found.values()} <= {200, 303, 400, 422}, found


async def test_a_callback_that_computes_for_too_long_is_seen() -> None:
    with held_loop() as held:
        await asyncio.sleep(0)
        until = time.thread_time() + 2 * MOST
        while time.thread_time() < until:
            pass
        await asyncio.sleep(0)

    assert held.seconds > MOST
