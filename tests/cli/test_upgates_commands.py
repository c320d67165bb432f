"""`doctor --call`, `accesses --used` and the coverage in `shops show`."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.installation.signing import TOKEN, Upgates
from tests.support.program import Database, Program

UPGATES = Upgates()


class _Key(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(UPGATES.pem)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def signing(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """A key host, and a signature token."""
    with HTTPServer(("127.0.0.1", 0), _Key) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        environment.setenv("UPBRIDGE_SIGNATURE_TOKEN", TOKEN)
        environment.setenv("UPBRIDGE_SIGNATURE_KEY_URL", f"http://127.0.0.1:{server.server_port}/key")
        environment.setenv("UPBRIDGE_ALLOW_INSECURE", "1")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.rule("R9")
@pytest.mark.usefixtures("signing")
def test_doctor_shows_what_was_signed_with_secrets_masked(program: Program, tmp_path: Path) -> None:
    call = UPGATES.install("shop-1", apiKey="hunter2", at=datetime.now(UTC))
    file = tmp_path / "call.json"
    file.write_text(json.dumps(call))

    fits = program("doctor", "--call", str(file), "--endpoint", "install")
    differs = program("doctor", "--call", "-", "--endpoint", "open", stdin=json.dumps(call))

    assert (fits.code, differs.code) == (0, 1)
    assert "verdict    accepted" in fits.out
    assert "{token: 6 characters};{apiUser: " in fits.out
    assert "the string of another endpoint" in differs.out
    for secret in ("hunter2", TOKEN, "shop-1"):
        assert secret not in fits.out + fits.err + differs.out + differs.err


@pytest.mark.usefixtures("signing")
def test_doctor_says_what_a_call_lacks(program: Program) -> None:
    assert program("doctor", "--call", "-").code == 2
    assert program("doctor", "--call", "nowhere.json", "--endpoint", "open").code == 1
    no_object = program("doctor", "--call", "-", "--endpoint", "open", stdin="[]")
    assert (no_object.code, no_object.out) == (1, "")
    assert "JSON object" in no_object.err


@pytest.mark.rule("R47", "R50")
def test_accesses_used_stand_beside_what_is_declared(program: Program, database: Database) -> None:
    shop_id = database.shop()
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for access, count in (("GET /orders", 31_000), ("GET /secrets", 1)):
        row = {"shop_id": shop_id, "hour": hour, "access": access, "purpose": "orders", "count": count}
        database.insert("api_calls", row)

    found = program("accesses", "--used", "--days", "1", "--json").json
    shown = program("accesses", "--used").out

    by_path = {(one["method"], one["path"]): one for one in found["accesses"]}
    assert by_path["GET", "/api/v2/orders"] == {
        "method": "GET",
        "path": "/api/v2/orders",
        "calls": 31_000,
        "shops": 1,
        "per_shop_and_day": 31_000,
        "declared": True,
    }
    assert by_path["GET", "/api/v2/secrets"]["declared"] is False
    assert (found["limit"], found["alarm"], found["busiest"]["calls"]) == (60_000, "half", 31_001)
    assert "31,001 of 60,000" in shown
    assert "WARNING" in shown
    assert "NOT DECLARED" in shown
    # On a terminal of 80 columns no call is broken in two.
    assert max(map(len, shown.splitlines())) <= 80
    lines = {line.strip().split("  ")[-1].strip() for line in shown.splitlines() if "/api/v2" in line}
    assert lines == {f"{method} {path}" for method, path in by_path}


def test_without_calls_nothing_is_near_the_limit(program: Program) -> None:
    assert "No calls in 7 days." in program("accesses", "--used").out
    assert program("accesses", "--used", "--json").json["alarm"] is None


@pytest.mark.rule("R38")
def test_a_shop_shows_how_much_its_webhooks_announced(program: Program, database: Database) -> None:
    shop_id = database.shop()
    assert program("shops", "show", shop_id, "--json").json["coverage"]["share"] is None
    assert "nothing changed in 7 days" in program("shops", "show", shop_id).out

    delivery = {"shop_id": shop_id, "source": "upgates", "event": "Orders.update", "records": 9999, "keys": []}
    database.insert("deliveries", delivery)
    run = {"shop_id": shop_id, "kind": "order", "purpose": "safety_net", "state": "done", "found": 1}
    database.insert("runs", run)

    found = program("shops", "show", shop_id, "--json").json["coverage"]
    assert found == {"days": 7, "announced": 9999, "found": 1, "share": 0.9999}
    assert "announced 99.9 % of 10,000 changes in 7 days" in program("shops", "show", shop_id).out
