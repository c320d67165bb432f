"""The Caddyfile, by a real Caddy in front of a web side of a few lines. Skipped where there is no Caddy."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.project.documents import TOP
from tests.support.web_side import free_port, web_side

CADDY = shutil.which("caddy")
pytestmark = pytest.mark.skipif(CADDY is None, reason="there is no Caddy")


class Proxy:
    """Caddy with our file, without TLS; what it logs is in `log`."""

    def __init__(self, folder: Path) -> None:
        self.port, self.upstream, self.log = free_port(), free_port(), folder / "caddy.log"
        ours = (TOP / "Caddyfile").read_text().replace("web:8000", f"127.0.0.1:{self.upstream}")
        self.file = folder / "Caddyfile"
        self.file.write_text(ours.replace("{\n", "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n", 1))
        self.address = f"http://127.0.0.1:{self.port}"
        self.home = folder

    @contextmanager
    def running(self) -> Iterator[None]:
        assert CADDY is not None
        environment = {"UPBRIDGE_PUBLIC_URL": self.address, "HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        with self.log.open("wb") as log:
            arguments = [CADDY, "run", "--adapter", "caddyfile", "--config", str(self.file)]
            process = subprocess.Popen(arguments, env=environment, stderr=log)
            try:
                self._wait(process)
                yield
            finally:
                process.terminate()
                process.wait(20)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
        raise AssertionError(self.log.read_text())


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy(tmp_path)
    with made.running():
        yield made


def test_what_is_for_operators_is_not_shown_to_the_world(proxy: Proxy) -> None:
    with web_side(proxy.upstream), httpx.Client(base_url=proxy.address) as world:
        hidden = {
            path: world.get(path) for path in ("/metrics", "/readyz", "/METRICS", "/%6detrics", "/metrics/x")
        }
        shown = {path: world.get(path) for path in ("/livez", "/webhooks/upgates/x/y", "/", "/ui/metrics")}

    assert {path: answer.status_code for path, answer in hidden.items()} == dict.fromkeys(hidden, 404)
    assert {path: answer.text for path, answer in shown.items()} == {path: path for path in shown}
    assert all("strict-transport-security" in one.headers for one in (*hidden.values(), *shown.values()))


def test_while_the_web_side_starts_again_a_webhook_is_refused_at_once_so_that_it_is_repeated(proxy: Proxy) -> None:
    """One that waits for longer than a second counts as delivered (R37), so waiting would lose it."""
    with httpx.Client(base_url=proxy.address, timeout=5) as upgates:  # a page waits for twice as long
        refused = upgates.post("/webhooks/upgates/x/y", content=b"{}")
        with web_side(proxy.upstream):
            repeated = upgates.post("/webhooks/upgates/x/y", content=b"{}")

    assert (refused.status_code, repeated.status_code) == (502, 200)


def test_while_the_web_side_starts_again_a_page_waits_for_it(proxy: Proxy) -> None:
    answers: list[int] = []

    def look() -> None:
        with httpx.Client(timeout=20) as staff:
            answers.append(staff.get(f"{proxy.address}/ui/orders").status_code)

    waiting = threading.Thread(target=look)
    waiting.start()
    with web_side(proxy.upstream):
        waiting.join(20)

    assert answers == [200]


def test_no_address_is_logged_when_the_web_side_is_away(proxy: Proxy) -> None:
    # The connection is cut before an answer: that is no call to try again, and it is logged.
    with socket.socket() as dumb:
        dumb.bind(("127.0.0.1", proxy.upstream))
        dumb.listen()

        def hang_up() -> None:
            dumb.accept()[0].close()

        cutting = threading.Thread(target=hang_up)
        cutting.start()
        with httpx.Client() as upgates:
            answer = upgates.post(f"{proxy.address}/webhooks/upgates/x/SECRET-TOKEN", content=b"{}")
        cutting.join(20)

    assert answer.status_code == 502
    logged = proxy.log.read_text()
    assert "error" in logged
    assert "SECRET-TOKEN" not in logged
