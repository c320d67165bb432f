"""The processes of a demo: started with one environment, watched, and stopped by their ids."""

import contextlib
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

from upbridge_sandbox.demo.commands import Commands
from upbridge_sandbox.mail_box import PASSWORD, USER

START_SECONDS = 60.0
STOP_SECONDS = 15.0
COMMAND_SECONDS = 120.0
MEGABYTE = 1024 * 1024
KEY_PATH = "/addons/signature/api.signature.pub.key"


class Failed(Exception):
    """The demo cannot go on; the text says why."""


@dataclass(slots=True)
class Processes:
    """One data directory, one environment, and the processes in it."""

    directory: Path
    web_port: int
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    worked: dict[str, dict[int, float]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    commands: Commands = field(default_factory=Commands)
    signature_token: str = field(default_factory=lambda: secrets.token_hex(16))
    _files: list[IO[bytes]] = field(default_factory=list)
    _watching: threading.Event = field(default_factory=threading.Event)

    @property
    def web(self) -> str:
        """Where the add-on listens."""
        return f"http://127.0.0.1:{self.web_port}"

    def start_sandbox(self, *, port: int, products: int, orders: int, clock_factor: float) -> None:
        """Start the simulated systems on six ports from *port*; `wait_for_sandbox` says when they listen."""
        self.directory.mkdir(parents=True, exist_ok=True)
        arguments = [
            *("--port", str(port), "--addon-url", self.web, "--signature-token", self.signature_token),
            *("--products", str(products), "--orders", str(orders), "--clock-factor", str(clock_factor)),
        ]
        command = [sys.executable, "-m", "upbridge_sandbox", *arguments]
        self._spawn("sandbox", command, dict(os.environ), stdout=subprocess.PIPE)
        names = ("admin", "upgates", "upp", "uphance", "key")
        self.addresses = {name: f"http://127.0.0.1:{port + place}" for place, name in enumerate(names)}
        self.addresses["key"] += KEY_PATH
        self.addresses["mail"] = f"smtp://{USER}:{PASSWORD}@127.0.0.1:{port + len(names)}"
        self.environment = self._environment()

    def wait_for_sandbox(self) -> None:
        """Until the simulated systems have said where they listen; that is where we think they do."""
        stdout = self.processes["sandbox"].stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            raise Failed(self._ended("sandbox"))
        if json.loads(line) != self.addresses:
            raise Failed("the simulated systems listen elsewhere than asked for")

    def _environment(self) -> dict[str, str]:
        """The settings of the add-on, and nothing of an add-on that this shell may be set up for."""
        own = {
            "UPBRIDGE_DATA_DIR": str(self.directory),
            "UPBRIDGE_PUBLIC_URL": self.web,
            "UPBRIDGE_ALLOW_INSECURE": "1",
            "UPBRIDGE_SIGNATURE_TOKEN": self.signature_token,
            "UPBRIDGE_SIGNATURE_KEY_URL": self.addresses["key"],
            "UPBRIDGE_UPP_URL": self.addresses["upp"],
            "UPBRIDGE_UPHANCE_URL": self.addresses["uphance"],
            "UPBRIDGE_UPGATES_HOSTS": "127.0.0.1",
            "UPBRIDGE_FRAME_ANCESTORS": self.addresses["admin"],
            "UPBRIDGE_COALESCE_SECONDS": "1",
            "UPBRIDGE_SECOND_LOOK_SECONDS": "2",
            "UPBRIDGE_LOG_FORMAT": "json",
            "UPBRIDGE_SMTP_URL": self.addresses["mail"],
            "UPBRIDGE_MAIL_FROM": "Upbridge <upbridge@sandbox.test>",
            "UPBRIDGE_OPERATOR_EMAIL": "operator@sandbox.test",
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("UPBRIDGE_")}
        return {**others, **own}

    def settings(self) -> dict[str, str]:
        """The add-on's settings alone."""
        return {name: value for name, value in self.environment.items() if name.startswith("UPBRIDGE_")}

    def start(self, name: str, *arguments: str) -> None:
        """Start `upbridge ARGUMENTS` in the background."""
        self._spawn(name, self.command(*arguments), self.environment)

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """How this program is called."""
        return [sys.executable, "-m", "upbridge", *arguments]

    def _spawn(
        self, name: str, command: list[str], environment: dict[str, str], stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        log = (self.directory / f"{name}.log").open("ab")
        self._files.append(log)
        # A session of its own: Ctrl-C reaches only us, and we end the others in order.
        process = subprocess.Popen(  # noqa: S603
            command,
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=stdout or log,
            stderr=log,
            start_new_session=True,
        )
        self.processes[name] = process
        return process

    def run(self, *arguments: str, stdin: str | None = None) -> Any:
        """Run `upbridge ARGUMENTS` to its end; its standard output, parsed if it is JSON."""
        done = self.commands.run(
            arguments,
            environment=self.environment,
            directory=self.directory,
            stdin=stdin,
            seconds=COMMAND_SECONDS,
        )
        if done.code:
            said = done.stderr.strip().splitlines()[-12:] or done.stdout.splitlines()[-12:]
            raise Failed(f"upbridge {' '.join(arguments)} ended with {done.code}:\n" + "\n".join(said))
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def wait_ready(self) -> None:
        """Until the web side says that it is ready."""
        with httpx.Client(trust_env=False, timeout=2) as client:
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline:
                self.check()
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(f"{self.web}/readyz").is_success:
                        return
                time.sleep(0.1)
        raise Failed(
            f"the web side is not ready after {START_SECONDS:.0f} seconds; see {self.directory}/serve.log"
        )

    def check(self) -> None:
        """Raise Failed if a process has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise Failed(self._ended(name))

    def again(self, name: str) -> str:
        """The shell command that starts an ended process again."""
        arguments = self.processes[name].args
        assert isinstance(arguments, list)
        return " ".join(shlex.quote(str(part)) for part in arguments)

    def ended(self) -> list[str]:
        """The names of processes that have ended."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def _ended(self, name: str) -> str:
        self.processes[name].wait()
        lines = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"{name} ended with {self.processes[name].returncode}", *lines])

    def watch_memory(self) -> None:
        """Remember the most memory that each process ever held, twice a second."""

        def watch() -> None:
            while not self._watching.wait(0.5):
                self._measure()

        threading.Thread(target=watch, name="memory", daemon=True).start()

    def _measure(self) -> None:
        for name, process in list(self.processes.items()):
            with contextlib.suppress(psutil.Error):
                one = psutil.Process(process.pid)
                for item in (one, *one.children(recursive=True)):
                    with contextlib.suppress(psutil.Error):
                        self._peak("postgres" if item.name() == "postgres" else name, item)
        with contextlib.suppress(OSError, ValueError, psutil.Error):  # the database is no child of one of these
            pid, *_ = (self.directory / "postgres" / "postmaster.pid").read_text().splitlines()
            server = psutil.Process(int(pid))
            for one in (server, *server.children()):
                self._peak("postgres", one)

    def _peak(self, name: str, process: psutil.Process) -> None:
        self.peaks[name] = max(self.peaks.get(name, 0), process.memory_info().rss)
        times = process.cpu_times()
        self.worked.setdefault(name, {})[process.pid] = times.user + times.system

    def megabytes(self) -> dict[str, int]:
        """The peak of the largest process of each kind."""
        return {name: round(peak / MEGABYTE) for name, peak in sorted(self.peaks.items())}

    def cpu_seconds(self) -> dict[str, float]:
        """The processor time of each kind, all its processes together."""
        return {name: round(sum(times.values()), 1) for name, times in sorted(self.worked.items())}

    def end(self, *names: str) -> None:
        """End some processes at once, and forget them."""
        ending = [self.processes.pop(name) for name in names]
        for process in ending:
            process.terminate()
        for process in ending:
            self._end(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def stop(self) -> None:
        """End every process by its id: the worker first, the simulated systems last."""
        self._watching.set()
        for name in reversed(list(self.processes)):
            self._end(self.processes[name])
        for file in self._files:
            file.close()


@contextlib.contextmanager
def running_processes(directory: Path, web_port: int) -> Iterator[Processes]:
    """Processes that end with the block, also where it fails."""
    made = Processes(directory, web_port)
    try:
        yield made
    finally:
        made.stop()


def free_port(wanted: int = 0) -> int:
    """*wanted* if it is free, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Failed("no port is free")


def free_range(wanted: int, count: int = 6) -> int:
    """*wanted* if *count* ports from there are free, else the first of as many free ones further up."""
    for first in range(wanted, 60_000, count):
        if all(free_port(port) == port for port in range(first, first + count)):
            return first
    raise Failed("no six ports in a row are free")
