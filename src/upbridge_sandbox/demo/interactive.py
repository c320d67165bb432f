"""`upbridge play`: the demo's processes for a person, until Ctrl-C."""

import contextlib
import fcntl
import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console

from upbridge_sandbox.demo.processes import Failed, Processes, free_port, free_range, running_processes
from upbridge_sandbox.demo.sandbox_client import SandboxClient
from upbridge_sandbox.demo.setup import interrupt, make_console, start_all

PORT, WEB_PORT = 8900, 8000


def run_play() -> int:
    """The same processes for a person: prints where the simulated administration is, runs until Ctrl-C."""
    console = make_console()
    directory = Path("var/play").resolve()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with alone(directory), running_processes(directory, free_port(WEB_PORT)) as running:
            console.print("starting …")
            start_all(running, port=free_range(PORT))
            _tell(running, console)
            reported: set[str] = set()
            while True:
                for name in running.ended():
                    if name not in reported:
                        reported.add(name)
                        console.print(f"[red]{name} has ended.[/] Start it again by hand:", highlight=False)
                        again = f"  set -a; . {directory}/env; set +a; {running.again(name)}"
                        console.print(again, highlight=False, soft_wrap=True)
                time.sleep(0.5)
    except Failed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 0


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """An empty *directory* for one at a time: the next one would take the database from under the first."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failed(f"{directory} is in use: another one runs here; end it first") from None
        shutil.rmtree(directory, ignore_errors=True)
        yield


def _tell(running: Processes, console: Console) -> None:
    rows = [f"{name}={json.dumps(value)}" for name, value in running.settings().items()]
    (running.directory / "env").write_text("\n".join(rows) + "\n")
    with httpx.Client(trust_env=False, timeout=60) as client:
        shop = SandboxClient(client, running.addresses["admin"]).shop()
    upp, uphance = shop["credentials"]["upp"], shop["credentials"]["uphance"]
    console.print(f"\n[bold]The simulated Upgates administration: {running.addresses['admin']}[/]")
    console.print("There: Activate, Open, edit products and orders, watch them arrive.")
    console.print("What the add-on has sent by mail is under Mail there.")
    console.print(f"The add-on: {running.web}")
    console.print(f"Connect Upp.ai with client id {upp['client_id']}, secret {upp['secret']}", highlight=False)
    console.print(f"Connect Uphance with {uphance['email']}, password {uphance['password']}", highlight=False)
    console.print(f"Logs and database: {running.directory}. Ctrl-C ends everything.", highlight=False)
