"""The attacks, one a row of the table: what strangers, tenants and slow connections do, and how much of it."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from tests.attack.testbed import Testbed
from tests.attack.weapons import Bomb, Drip, Flood, Weapon, request
from upbridge.core.bounds import CONNECTION, SIGNED_CALL

TENANT = "attacker"
#: Bytes of log that an attack may cause in all, and for each of its requests.
LOG_BYTES, LOG_BYTES_EACH = 4_000, 1.0

Arm = Callable[[Testbed, Random, float], Weapon | None]


@dataclass(frozen=True, slots=True)
class Row:
    """One attack. *arm* makes the weapon for so many seconds; *tenant*: it comes from a shop, which may be told to
    come again (503) and about which lines are written; *times*: so much longer than the others it lasts;
    *ends*: after so many seconds the web side has closed each of its connections.
    """

    name: str
    arm: Arm
    tenant: bool = False
    times: float = 1.0
    ends: float | None = None


def signed_garbage(chance: Random, *, fields: int = 5, size: int = 500) -> bytes:
    """A call whose signature is random, with so many fields and about so many bytes."""
    body: dict[str, str | int] = {
        "token": chance.randbytes(16).hex(),
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "version": 1,
        "current_admin_language": "cs",
        "signature_v2": base64.b64encode(chance.randbytes(256)).decode(),
    }
    for number in range(fields - len(body)):
        body[f"{'field' * 6}{number}"] = chance.randbytes(4).hex()
    body["token"] = f"{body['token']}{'a' * max(size - len(json.dumps(body)), 0)}"
    return json.dumps(body).encode()


def _calls(chance: Random, *, fields: int, size: int) -> list[bytes]:
    return [request("POST", "/addon/version", signed_garbage(chance, fields=fields, size=size)) for _ in range(20)]


def _strangers(*, path: str, rate: float, method: str = "GET", body: bytes = b"", connections: int = 16) -> Arm:
    def arm(here: Testbed, chance: Random, seconds: float) -> Weapon:
        requests = [
            request(method, path.replace("RANDOM", chance.randbytes(32).hex()[:43]), body) for _ in range(50)
        ]
        return Flood(here.port, requests, connections, seconds, rate)

    return arm


def _unsigned(*, rate: float, fields: int = 5, size: int = 500) -> Arm:
    def arm(here: Testbed, chance: Random, seconds: float) -> Weapon:
        return Flood(here.port, _calls(chance, fields=fields, size=size), 16, seconds, rate)

    return arm


def _numbers(chance: Random, count: int) -> bytes:
    return json.dumps({"orders": [{"order_number": f"X{chance.randrange(10**9)}"} for _ in range(count)]}).encode()


def _tenant(
    bodies: Callable[[Random], Iterator[bytes]], *, connections: int, rate: float | None = None, event: str = ""
) -> Arm:
    def arm(here: Testbed, chance: Random, seconds: float) -> Weapon:
        path = here.webhook(TENANT, event or "Orders.update")
        return Flood(
            here.port, [request("POST", path, body) for body in bodies(chance)], connections, seconds, rate
        )

    return arm


def _small(chance: Random) -> Iterator[bytes]:
    return (_numbers(chance, 1) for _ in range(100))


def _many(chance: Random) -> Iterator[bytes]:
    return (_numbers(chance, 5_000) for _ in range(10))


def _random(chance: Random) -> Iterator[bytes]:
    head = b'{"orders":[{"order_number":"1"}],"x":"'
    return (head + chance.randbytes(3 * 2**19).hex().encode() + b'"}' for _ in range(2))


def _lists(_chance: Random) -> Iterator[bytes]:
    head = b'{"products":[{"product_id":1}],"x":['
    yield head + b",".join([b"[]"] * 1_390_000) + b"]}"


def _pages(here: Testbed, _chance: Random, seconds: float) -> Weapon:
    session = f"/ui/s/{here.sessions[TENANT]}/"
    paths = ("overview", "products.csv", "rules", "find?q=26000001", "", "problems")
    return Flood(here.port, [request("GET", session + path) for path in paths], 40, seconds)


_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"

ROWS: tuple[Row, ...] = (
    Row("nothing", lambda *_: None),
    Row(
        "unknown webhook token",
        _strangers(method="POST", path="/webhooks/upgates/Orders.update/RANDOM", rate=1000),
    ),
    Row("bad signature, 500 B", _unsigned(rate=1000)),
    Row("bad signature, 30 fields", _unsigned(rate=300, fields=30, size=2_000)),
    Row("bad signature, 64 KiB", _unsigned(rate=100, size=65_000)),
    Row(
        "unknown token, 4 MB body",
        _strangers(
            method="POST",
            path="/webhooks/upgates/Orders.update/RANDOM",
            rate=20,
            body=b"a" * 4_000_000,
            connections=4,
        ),
    ),
    Row("readyz", _strangers(path="/readyz", rate=425)),
    Row("ui/open, random", _strangers(path="/ui/open/RANDOM", rate=300)),
    Row("session, random", _strangers(path="/ui/s/RANDOM/", rate=300)),
    Row("metrics", _strangers(path="/metrics", rate=500)),
    Row("tenant: small webhooks", _tenant(_small, connections=32), tenant=True),
    Row("tenant: 5,000 ids", _tenant(_many, connections=8, rate=16), tenant=True),
    Row("tenant: 3 MiB random", _tenant(_random, connections=4, rate=13), tenant=True),
    Row("tenant: 4 MiB of []", _tenant(_lists, connections=2, event="Products.update"), tenant=True),
    Row("tenant: pages", _pages, tenant=True),
    Row("one head of 71 MB", lambda here, _chance, seconds: Bomb(here.port, 1, 71, seconds)),
    Row("ten heads of 40 MB", lambda here, _chance, seconds: Bomb(here.port, 10, 40, seconds)),
    Row(
        "400 slow heads",
        lambda here, _, seconds: Drip(here.port, 400, _HEAD, seconds, b"X-A: b\r\n", 1.0),
        times=2.4,
        ends=CONNECTION.head_seconds,
    ),
    Row(
        "300 idle connections",
        lambda here, _, seconds: Drip(here.port, 300, b"", seconds),
        times=2.4,
        ends=CONNECTION.head_seconds,
    ),
    Row(
        "300 slow bodies",
        lambda here, _, seconds: Drip(
            here.port,
            300,
            b"POST /addon/version HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
            seconds,
            b" ",
            1.0,
        ),
        times=1.4,
        ends=SIGNED_CALL.seconds,
    ),
)
