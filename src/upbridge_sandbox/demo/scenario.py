"""`upbridge demo`: what happens, step by step."""

import contextlib
import io
import json
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from upbridge_sandbox.demo.backup import Backup
from upbridge_sandbox.demo.driver import NO_FAULTS, Driver
from upbridge_sandbox.demo.probes import Probes
from upbridge_sandbox.demo.processes import Failed, Processes, free_port, free_range, running_processes
from upbridge_sandbox.demo.report import Report
from upbridge_sandbox.demo.sandbox_client import SHOP, SandboxClient
from upbridge_sandbox.demo.setup import WIDTH, interrupt, make_console, start_all

_COLUMNS = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def run_demo(*, as_json: bool = False, picture: Path | None = None, captured: Path | None = None) -> int:
    """A first import, a day of changes and the safety net, proved; 0 only if all of it is as it should be.

    *as_json*: print the report as one JSON document. *picture*: also draw it there, as SVG. *captured*: a folder
    with answers of real shops' APIs, whose products and orders join the shop before the first import.
    """
    console = make_console(stderr=as_json)
    directory = Path(tempfile.mkdtemp(prefix="upbridge-demo-"))
    report, good = Report(), False
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with running_processes(directory, free_port()) as processes:
            _run(processes, console, report, captured)
        good = not report.failures()
    except Failed as error:
        console.print(f"[bold red]✗[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 1
    finally:
        if good:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            console.print(f"logs and database: {directory}", highlight=False)
    if as_json:
        sys.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        report.show(console)
    if picture is not None:
        picture.write_text(_drawn(report))
    return 0 if good else 1


def _run(processes: Processes, console: Console, report: Report, captured: Path | None) -> None:
    """All steps; what they find goes into the report."""
    began = time.monotonic()

    @contextlib.contextmanager
    def step(name: str) -> Iterator[None]:
        started = time.monotonic()
        console.print(f"[dim]{started - began:5.1f} s[/] {name} …", highlight=False)
        yield
        report.seconds[name] = round(time.monotonic() - started, 2)

    with httpx.Client(trust_env=False, timeout=60) as client:
        with step("start"):
            processes.watch_memory()
            processes.commands.load()
            start_all(processes, port=free_range(20_000 + 6 * secrets.randbelow(4000)))
            sandbox = SandboxClient(client, processes.addresses["admin"])
            driver = Driver(processes, sandbox)
            probes = Probes(driver, report)
            report.captured = driver.take_captured(captured) if captured is not None else 0
        with step("activate and connect"):
            driver.activate()
            connecting = time.monotonic()
            driver.connect()
        with step("first import"), _progress(console, probes.expect_import()) as show:
            probes.until_quiet(
                probes.timed(lambda: sandbox.arrived(driver.organisation), {}, show, since=connecting)
            )
        backup = Backup(processes)
        with step("backup"):
            backup.make()
        with step("changes"):
            report.changes = driver.change()
            probes.until_quiet()
            probes.find_late()
            sandbox.call("PUT", f"/shops/{SHOP}/webhooks", NO_FAULTS)
        with step("safety net"):
            report.moves = driver.look_after_everything()
        with step("way back"):
            watch = probes.timed(sandbox.written_back, sandbox.written_back(), since=time.monotonic())
            done = driver.work_in_uphance()
            probes.until_quiet(watch)
        with step("compare"):
            probes.compare(done)
        with step("restore"):
            calls = sandbox.count_calls()
            backup.put_back()
            probes.until_quiet()
            probes.compare_restored(done, calls)
    report.seconds["all"] = time.monotonic() - began
    report.memory, report.processor = processes.megabytes(), processes.cpu_seconds()


@contextlib.contextmanager
def _progress(console: Console, expected: dict[str, int]) -> Iterator[Callable[[dict[str, int]], None]]:
    """A bar for each flow; what it yields shows how much has arrived."""
    with Progress(*_COLUMNS, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {name: progress.add_task(name, total=total) for name, total in expected.items()}

        def show(arrived: dict[str, int]) -> None:
            for name, task in tasks.items():
                progress.update(task, completed=arrived[name])

        yield show


def _drawn(report: Report) -> str:
    """The report as SVG that fetches nothing: the reader's own monospaced font has to do."""
    drawing = Console(record=True, width=WIDTH, file=io.StringIO())
    report.show(drawing)
    return re.sub(r"\s*@font-face \{.*?\}", "", drawing.export_svg(title="make demo"), flags=re.DOTALL)
