"""Requests that no caller sends: odd paths, bodies, headers and bytes, each made from a seed and its number.

A request is made again by its kind, seed and number, so what was found can be sent alone.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.attack.weapons import CUT, Fired, Line, request

#: Seconds for an answer; a request of odd bytes may wait for more of itself.
_ANSWER, _ODD_ANSWER = 20.0, 0.3
#: A request that is not answered after so many seconds, and so many times as long as others took of late, makes
#: place for the next one and waits beside it.
_LONG, _TIMES, _OF_LATE = 0.03, 4.0, 0.05
_SERVER_ERROR = 500

_TEXTS: Sequence[str] = (
    *("", "0", "-1", "1", "9" * 40, "1e400", "NaN", "null", "true", "-0", "0x10", "1_000", "١٢٣"),
    *("\x00", "\x1f", "\x7f", "\u202e", "\ufeff", "é" * 300, "😀", "a" * 9_000, " ", "\r\n", "\t"),
    *("../../etc/passwd", "..;/", "%00", "%2e%2e%2f", "//evil.example", "'", '"', "';--", "<script>", "{{7*7}}"),
    *("{0.__class__}", "=1+1", "[/x]", "\x1b[2J", "2026-11-29T10:00:00Z", "upp", "uphance", "orders", "cs", "on"),
)
_NAMES: Sequence[str] = (
    *("orders", "products", "variants", "order_number", "product_id", "variant_id", "token", "time", "version"),
    *("apiUser", "apiKey", "apiUrl", "signature_v2", "current_admin_language", "event", "pick_ticket", "id"),
    *("q", "page", "after", "key", "kind", "place", "language", "email", "password", "client_id", "secret", "ids"),
    *("upp.send", "upp.order_days", "uphance.channels", "stock.write", "stock.safety", "shipments.status", "said"),
)
_HEADERS: Sequence[str] = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Content-Encoding", "Connection"),
    *("Content-Type", "Expect", "Forwarded", "Host", "If-None-Match", "Origin", "Range", "Referer", "Upgrade"),
    *(
        "Sec-Fetch-Site",
        "Transfer-Encoding",
        "TE",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-HTTP-Method-Override",
    ),
)
_LENGTHS = ("-1", "+5", "1, 1", "99999999999999999999", "x", "5")
_PIECES = (b"\r\n", b"\n", b"\x00", b":", b" ", b"\r\n\r\n", b"%", b"0\r\n")
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X" * 40)


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of the application with their methods, and genuine values for what stands in them."""

    routes: Sequence[tuple[str, str]]
    known: Mapping[str, Sequence[str]]

    def any(self, chance: Random, *, odd: float) -> tuple[str, str]:
        """A method and a path; each value in it is odd with that probability."""
        method, path = chance.choice(self.routes)

        def fill(found: re.Match[str]) -> str:
            name = found[1].partition(":")[0]
            known = self.known.get(name, ())
            return quote(_text(chance), safe="") if chance.random() < odd or not known else chance.choice(known)

        return method, re.sub(r"\{([^}]+)\}", fill, path)


def _text(chance: Random) -> str:
    if chance.random() < 0.7:
        return chance.choice(_TEXTS)
    return "".join(chr(chance.randrange(1, 0x2FFF)) for _ in range(chance.randrange(1, 40)))


def _json(chance: Random, depth: int = 0) -> Any:
    match chance.randrange(7 if depth < 4 else 4):
        case 0:
            return _text(chance)
        case 1:
            return chance.choice([0, -1, 1, 2**63, 10**30, 1.5, True, False, None])
        case 2 | 3:
            return chance.choice([chance.randrange(10**6), str(chance.randrange(10**6))])
        case 4:
            return [_json(chance, depth + 1) for _ in range(chance.randrange(5))]
        case _:
            return {chance.choice(_NAMES): _json(chance, depth + 1) for _ in range(chance.randrange(5))}


def _document(chance: Random) -> bytes:
    body = json.dumps({chance.choice(_NAMES): _json(chance) for _ in range(chance.randrange(8))}).encode()
    match chance.randrange(8):
        case 0:
            return body[: chance.randrange(len(body) + 1)]
        case 1:
            return _mutated(chance, body)
        case 2:
            return b'{"orders":' + b"[" * chance.choice([10, 1_000, 50_000]) + b"]}"
        case 3:
            return b'{"orders":[{"order_number":' + b"9" * chance.choice([400, 5_000, 100_000]) + b"}]}"
        case 4:
            return body.decode().encode(chance.choice(["utf-16", "utf-8-sig", "utf-32"]))
        case _:
            return body


def _form(chance: Random) -> bytes:
    fields = [(chance.choice(_NAMES), _text(chance)) for _ in range(chance.randrange(12))]
    body = urlencode(fields).encode()
    return _mutated(chance, body) if chance.random() < 0.2 else body


def _mutated(chance: Random, body: bytes) -> bytes:
    """*body* with some of its bytes changed, left out, doubled or put in."""
    made = bytearray(body)
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(made) + 1)
        match chance.randrange(5):
            case 0:
                made[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del made[place : place + chance.randrange(1, 20)]
            case 2:
                made[place:place] = made[place : place + chance.randrange(1, 60)]
            case 3:
                made[place:place] = chance.randbytes(chance.randrange(1, 12))
            case _:
                made[place:place] = chance.choice(
                    [b"\r\n", b"\n", b"\x00", b":", b" ", b"\r\n\r\n", b"%", b"0\r\n"]
                )
    return bytes(made)


def routes(chance: Random, places: Places) -> bytes:
    """Odd paths, queries and methods."""
    method, path = places.any(chance, odd=0.6)
    if chance.random() < 0.2:
        method = chance.choice(_METHODS)
    if chance.random() < 0.2:
        path = f"/{quote(_text(chance))}{path}" if chance.random() < 0.5 else f"{path}/{quote(_text(chance))}"
    if chance.random() < 0.5:
        path += "?" + urlencode([(chance.choice(_NAMES), _text(chance)) for _ in range(chance.randrange(4))])
    return request(method, path, _form(chance) if method == "POST" else b"", kind=_FORM)


def bodies(chance: Random, places: Places) -> bytes:
    """Odd bodies at genuine addresses."""
    method, path = places.any(chance, odd=0.02)
    while method != "POST":
        method, path = places.any(chance, odd=0.02)
    form = path.startswith("/ui/") or chance.random() < 0.1
    return request(method, path, _form(chance) if form else _document(chance), kind=_FORM if form else _JSON)


def headers(chance: Random, places: Places) -> bytes:
    """Odd headers, and more of them than belong there."""
    method, path = places.any(chance, odd=0.1)
    lines = [f"{chance.choice(_HEADERS)}: {_line(chance)}" for _ in range(chance.randrange(12))]
    match chance.randrange(6):
        case 0:
            lines.append("Transfer-Encoding: chunked")
        case 1:
            lines.append(f"Content-Length: {chance.choice(_LENGTHS)}")
        case 2:
            lines += ["X-A: b"] * chance.randrange(200)
        case _:
            pass
    return request(method, path, _document(chance) if method == "POST" else b"", headers=lines)


def _line(chance: Random) -> str:
    return re.sub("[\r\n\x00]", "", _text(chance))


def raw(chance: Random, places: Places) -> bytes:
    """Bytes that are nearly HTTP."""
    whole = chance.choice([routes, bodies, headers])(chance, places)
    return _mutated(chance, whole[:4_096])


_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
KINDS: Mapping[str, Callable[[Random, Places], bytes]] = {
    "routes": routes,
    "bodies": bodies,
    "headers": headers,
    "raw": raw,
}


#: Kinds that need a connection for each request: what follows on one would be read as part of it.
_FRESH = ("headers", "raw")


def made(kind: str, seed: int, number: int, places: Places) -> bytes:
    """The request of that kind, seed and number."""
    return KINDS[kind](Random(f"{seed}/{kind}/{number}"), places)


@dataclass(frozen=True, slots=True)
class Fuzz:
    """So many requests of one kind. Those with a status of 500 or more are listed in `Fired.odd`."""

    port: int
    kind: str
    seed: int
    places: Places
    numbers: Sequence[int]
    at_once: int = 8
    connections: int = 64

    async def fire(self) -> Fired:
        """Send them all: so many at once, and what waits for more of itself on up to so many connections."""
        fired, began = Fired(0.0), time.perf_counter()
        numbers, turns = iter(self.numbers), _Turns(self.at_once)
        count = self.connections if self.kind in _FRESH else self.at_once
        await asyncio.gather(*(self._work(numbers, turns, fired) for _ in range(count)))
        fired.seconds = time.perf_counter() - began
        return fired

    async def _work(self, numbers: Iterator[int], turns: "_Turns", fired: Fired) -> None:
        line: Line | None = None
        fresh = self.kind in _FRESH
        for number in numbers:
            status = CUT
            with contextlib.suppress(
                OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError
            ):
                async with turns.turn():
                    line = line or await Line.open(self.port)
                    wanted = made(self.kind, self.seed, number, self.places)
                    status = await line.ask(wanted, seconds=_ODD_ANSWER if fresh else _ANSWER)
            if line is not None and (status == CUT or fresh or line.ended):
                line.close()
                line = None
            fired.statuses[status] += 1
            if status >= _SERVER_ERROR:
                fired.odd.append((number, status))
        if line is not None:
            line.close()


class _Turns:
    """So many requests at once. One that has waited for its answer for longer than others makes place for the next
    one: it probably waits for more of itself, and costs nothing."""

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._took = _LONG / _TIMES

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A request is sent and answered in the block."""
        await self._places.acquire()
        began = time.perf_counter()
        longest = max(_LONG, _TIMES * self._took)
        waits = asyncio.get_running_loop().call_later(longest, self._places.release)
        try:
            yield
            self._took += _OF_LATE * (time.perf_counter() - began - self._took)
        finally:
            if waits.when() > asyncio.get_running_loop().time():
                waits.cancel()
                self._places.release()
