"""Firefox and WebKit, driven by the commands of W3C WebDriver; both give third parties no cookies.

Playwright drives builds of its own of both. What Debian ships is what people have, and takes the same commands:
Firefox by Marionette, WebKit by WebKitWebDriver over HTTP.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from tests.browser.testbed import wait_until
from upbridge_sandbox.demo.processes import free_port

#: How WebDriver names an element.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_PREFERENCES = {
    "network.cookie.cookieBehavior": 1,  # none from third parties
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}
_SECONDS = 60


def missing(*programs: str) -> str:
    """Which of *programs* are not here, as the reason for which a test is skipped; empty if all are."""
    return ", ".join(program for program in programs if _found(program) is None)


def _found(program: str) -> str | None:
    if program == "MiniBrowser":  # in no PATH
        return next((str(path) for path in sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))), None)
    return shutil.which(program)


class _Transport(Protocol):
    """How commands get to a browser."""

    def ask(self, command: str, values: Mapping[str, Any]) -> Any:
        """The answer to a *command* of Marionette, or of WebDriver (`POST /url`). Raises `RuntimeError`."""


class Driven:
    """A browser, as far as a short journey needs it. What is looked for is waited for."""

    def __init__(self, transport: _Transport, commands: Mapping[str, str]) -> None:
        self._transport, self._commands = transport, commands

    def goto(self, address: str) -> None:
        """Open *address*."""
        self._ask("goto", url=address)

    def into_frame(self) -> None:
        """Go on in the frame of the page."""
        self._ask("frame", id={_ELEMENT: self.find("iframe")})

    def click(self, css: str) -> None:
        """Press what *css* selects."""
        number = self.find(css)
        self._ask("click", id=number, script="arguments[0].click()", args=[{_ELEMENT: number}])

    def fill(self, css: str, text: str) -> None:
        """Type *text* into a field."""
        number = self.find(css)
        script = "arguments[0].value = arguments[1]"
        self._ask("fill", id=number, text=text, script=script, args=[{_ELEMENT: number}, text])

    def text(self, css: str) -> str:
        """What stands in what *css* selects."""
        return str(self._ask("text", id=self.find(css)))

    def find(self, css: str) -> str:
        """The id of what *css* selects, once it is there."""
        found: list[str] = []

        def look() -> bool:
            answer = self._ask("find", using="css selector", value=css)
            found[:] = [one[_ELEMENT] for one in answer]
            return bool(found)

        self.until(look, f"there is no {css}")
        return found[0]

    def until(self, look: Callable[[], bool], otherwise: str) -> None:
        """Look until it is so; a page that is just going away is looked at again."""

        def so() -> bool:
            with contextlib.suppress(RuntimeError):
                return look()
            return False

        try:
            wait_until(so, seconds=_SECONDS)
        except AssertionError:
            raise AssertionError(otherwise) from None

    def _ask(self, command: str, **values: Any) -> Any:
        return self._transport.ask(self._commands[command], values)


@contextlib.contextmanager
def firefox(directory: Path) -> Iterator[Driven]:
    """A fresh Firefox."""
    port = free_port()
    directory.mkdir(parents=True)
    preferences = {**_PREFERENCES, "marionette.port": port}
    (directory / "user.js").write_text(
        "\n".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items())
    )
    program = _found("firefox-esr") or ""
    arguments = [program, "--headless", "--no-remote", "--marionette", "--profile", str(directory)]
    with _process(arguments, {**os.environ, "HOME": str(directory)}), _Marionette(port) as transport:
        transport.ask("WebDriver:NewSession", {})
        yield Driven(
            transport,
            {
                "goto": "WebDriver:Navigate",
                "frame": "WebDriver:SwitchToFrame",
                "find": "WebDriver:FindElements",
                "click": "WebDriver:ElementClick",
                "fill": "WebDriver:ElementSendKeys",
                "text": "WebDriver:GetElementText",
            },
        )


@contextlib.contextmanager
def webkit(directory: Path) -> Iterator[Driven]:
    """A fresh WebKitGTK, on a screen that is in memory only."""
    directory.mkdir(parents=True)
    port, screen = free_port(), f":{free_port()}"
    environment = {
        **os.environ,
        "HOME": str(directory),
        "DISPLAY": screen,
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
    }
    with (
        _process([_found("Xvfb") or "", screen, "-screen", "0", "1280x900x24", "-nolisten", "tcp"], environment),
        _process([_found("WebKitWebDriver") or "", f"--port={port}"], environment),
        _WebDriver(port) as transport,
    ):
        yield Driven(
            transport,
            {
                "goto": "POST /url",
                "frame": "POST /frame",
                "find": "POST /elements",
                # Its own click misses what lies below the fold of a frame, and its keys need a window that has the
                # focus, which a screen without a window manager gives to none.
                "click": "POST /execute/sync",
                "fill": "POST /execute/sync",
                "text": "GET /element/{id}/text",
            },
        )


@contextlib.contextmanager
def _process(arguments: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        arguments,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _Marionette:
    """`<length>:[0, number, command, values]`, answered by `<length>:[1, number, error, result]`."""

    def __init__(self, port: int) -> None:
        self._port, self._number = port, 0

    def __enter__(self) -> Self:
        wait_until(self._connects, seconds=_SECONDS)
        self._read()  # who it is
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def _connects(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=_SECONDS)
            return True
        return False

    def ask(self, command: str, values: Mapping[str, Any]) -> Any:
        """Ask, and wait for the answer."""
        self._number += 1
        # Marionette takes an element bare, as it names the frame to go into.
        if command == "WebDriver:SwitchToFrame":
            values = {"element": values["id"][_ELEMENT], "id": None}
        body = json.dumps([0, self._number, command, values]).encode()
        self._socket.sendall(b"%d:%s" % (len(body), body))
        _, _, error, result = self._read()
        if error:
            raise RuntimeError(f"{command}: {error.get('error')}: {error.get('message')}")
        return result["value"] if isinstance(result, dict) and "value" in result else result

    def _read(self) -> Any:
        head = b""
        while not head.endswith(b":"):
            head += self._take(1)
        length = int(head[:-1])
        body = b""
        while len(body) < length:
            body += self._take(length - len(body))
        return json.loads(body)

    def _take(self, most: int) -> bytes:
        part = self._socket.recv(most)
        if not part:
            raise ConnectionError("Firefox has gone")
        return part


class _WebDriver:
    """Commands over HTTP."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=_SECONDS)

    def __enter__(self) -> Self:
        wait_until(self._begins, seconds=_SECONDS)
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(httpx.TransportError):
            self._client.delete(self._session)
        self._client.close()

    def _begins(self) -> bool:
        options = {"binary": _found("MiniBrowser"), "args": ["--automation", "--cookies-policy=never"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        with contextlib.suppress(httpx.TransportError, RuntimeError):
            self._session = f"/session/{self._value(self._client.post('/session', json=wanted))['sessionId']}"
            return True
        return False

    def ask(self, command: str, values: Mapping[str, Any]) -> Any:
        """Ask, and wait for the answer."""
        method, _, path = command.partition(" ")
        rest = {name: value for name, value in values.items() if f"{{{name}}}" not in path}
        address = self._session + path.format(**values)
        sent = json.dumps(rest).encode() if method == "POST" else None
        return self._value(self._client.request(method, address, content=sent))

    @staticmethod
    def _value(answer: httpx.Response) -> Any:
        value = answer.json()["value"]
        if answer.is_error:
            raise RuntimeError(f"{value.get('error')}: {value.get('message')}")
        return value
