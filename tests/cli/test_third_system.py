"""A third system, which is a folder of the tests, has its commands with not one line changed elsewhere."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.conformance.third_system.simulated import KEY as ABACUS_KEY
from tests.project.documents import TOP
from tests.support.program import Database, Ended
from tests.support.shops import KEY

Run = Callable[..., Ended]


class _Account(BaseHTTPRequestHandler):
    """Abacus, as far as a login goes."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {ABACUS_KEY}"
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def abacus_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Account)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(database_url: str, abacus_url: str) -> Run:
    """Run the program in a process of its own."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("UPBRIDGE_")}
    ours = {"DATABASE_URL": database_url, "ENCRYPTION_KEYS": KEY, "PUBLIC_URL": "https://upbridge.example"}
    environment = known | {f"UPBRIDGE_{name}": value for name, value in ours.items()} | {"ABACUS_URL": abacus_url}

    def call(*words: str, stdin: str = "") -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.conformance.third_system.program", *words],
            env=environment,
            cwd=TOP,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return call


def test_it_is_connected_shown_set_and_disconnected(run: Run, database: Database) -> None:
    database.shop("demo")
    connecting = ("shops", "connect", "demo", "abacus", "--abacus-account", "main", "--json")

    refused = run(*connecting, stdin="wrong\n")
    connected = run(*connecting, stdin=f"{ABACUS_KEY}\n")

    assert (refused.code, "check account and key" in refused.err) == (1, True)
    assert connected.json == {"system": "abacus", "state": "connected", "account": "main", "prefix": ""}
    shown = run("shops", "show", "demo", "--json").json
    assert [one["system"] for one in shown["connections"]] == ["abacus"]
    assert {(one["kind"], one["target"]) for one in shown["flows"]} >= {("order", "abacus"), ("product", "abacus")}
    assert shown["settings"]["abacus.send"] is True
    assert run("shops", "settings", "demo", "abacus.send=no", "--json").json["abacus.send"] is False
    assert run("shops", "disconnect", "demo", "abacus").out == "abacus is disconnected.\n"


def test_what_waits_for_it_is_listed(run: Run, database: Database) -> None:
    shop = database.shop("demo")
    place = {"shop_id": shop, "kind": "order", "key": "OBJ-1", "priority": 1, "parent": "OBJ-1"}
    database.insert("documents", {**place, "target": "abacus", "body": b"", "hash": b""})

    assert [one["target"] for one in run("outbox", "list", "--json").json] == ["abacus"]
