"""The commands that run something: up, serve, worker, migrate, sandbox, demo, play.

What only one of them needs is imported there: a command that lists shops must not wait for a web server.
"""

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import psycopg
import structlog
import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.bootstrap import connections_of_worker, running_container, worker_pool
from upbridge.cli.common import out, run_async
from upbridge.cli.held_socket import DESCRIPTOR, CannotListen, held_socket
from upbridge.cli.silent_database import ended_by_silence
from upbridge.core.collector import look_seldom, spare_what_is_here, spare_what_stays
from upbridge.core.database_failure import reason_of
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import NotReady, UpbridgeError
from upbridge.core.telemetry.logging import configure_logging
from upbridge.core.telemetry.tracing import configure_tracing
from upbridge.maintenance.own_keys import until_others_are_used
from upbridge.settings import DEFAULT_PORT, Settings, load_settings, log_format, log_level
from upbridge.store.database import embedded_postgres
from upbridge.store.migrate import migrate
from upbridge.store.probes import UnfitDatabase, require_sessions
from upbridge.store.schema_version import SchemaVersion

log = structlog.get_logger(__name__)

app = typer.Typer()

_RESTART_PAUSE = 1.0
#: A web process that has not answered its parent for so long, in seconds, is replaced. A busy machine may need
#: more than the library's five to start one, and would replace it for ever.
_SILENT_SECONDS = 60

Host = Annotated[str, typer.Option(help="Address to listen at.")]
Port = Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)]
Concurrency = Annotated[int, typer.Option(help="Lanes of each system that are worked on at once.", min=1, max=64)]


class SandboxMissing(UpbridgeError):
    """The simulated systems are not installed; `make setup` in a checkout brings them."""

    code = "sandbox_missing"


def _settings() -> Settings:
    settings = load_settings()
    configure_logging(log_format(settings), level=log_level(settings))
    configure_tracing(os.environ)
    return settings


@contextlib.contextmanager
def _prepared(settings: Settings) -> Iterator[SchemaVersion]:
    """A database with its schema at head or newer; an embedded one runs as long as the block."""
    embedded = embedded_postgres(settings) if settings.database_url is None else None
    try:
        if embedded is None:
            run_async(_check_sessions(settings))
        yield migrate(embedded.start() if embedded is not None else settings.given_database())
    finally:
        if embedded is not None:
            embedded.close()


async def _check_sessions(settings: Settings) -> None:
    """Raises `UnfitDatabase` where waiting does not help, `NotReady` where the database is silent."""
    try:
        await require_sessions(settings.given_database())
    except (psycopg.Error, OSError) as error:
        raise NotReady(f"the database cannot be used: {reason_of(error)}") from error


@app.command()
def up(host: Host = "127.0.0.1", port: Port = DEFAULT_PORT, concurrency: Concurrency = 4) -> None:
    """Web and worker in one go; migrates first; brings its own Postgres where none is configured."""
    settings = _settings()
    _require_free(host, port)
    if settings.embedded:
        settings.remember_port(port)
    with _prepared(settings):
        # A process of its own for the worker: mapping a big page must never keep a webhook waiting.
        command = [sys.executable, "-m", "upbridge", "worker", "--concurrency", str(concurrency)]
        child = _Child([*command, "--port", str(port), "--parent", str(os.getpid())])
        try:
            _serve(settings, host=host, port=port, workers=1, child=child)
        finally:
            child.stop()


def _require_free(host: str, port: int) -> None:
    """Raise `CannotListen` before anything is started, if the web side could not listen there."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise CannotListen(
            f"nothing can listen at {host}, port {port} ({error.strerror}): end what does, or name another one"
            " with --host and --port"
        ) from error


class _Child:
    """The worker beside the web side: started again whenever it ends by itself."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process = subprocess.Popen(command)  # noqa: S603
        self._stopping = False

    def watch(self) -> None:
        """Until `stop`: wait for the end, start it again. Blocking: call it from a thread."""
        while True:
            code = self._process.wait()
            if self._stopping:
                return
            log.error("worker_ended", exit_code=code)
            time.sleep(_RESTART_PAUSE)
            if self._stopping:
                return
            self._process = subprocess.Popen(self._command)  # noqa: S603

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        self._stopping = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=20)
        if self._process.poll() is None:
            self._process.kill()


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    workers: Annotated[int, typer.Option(help="Processes that answer.", min=1, max=64)] = 1,
) -> None:
    """The web side only. A socket that systemd holds (upbridge-web.socket) comes before --host and --port."""
    settings = _settings()
    given = held_socket(os.environ)
    if given is None:
        _require_free(host, port)
    if settings.embedded:
        settings.remember_port(port)
    if not settings.embedded:
        try:
            run_async(_check_sessions(settings))
        except UnfitDatabase:
            raise
        except NotReady as error:  # the web side starts without a database, and waits for it
            log.info("starts_without_database", reason=str(error))
    with _prepared(settings) if settings.embedded else contextlib.nullcontext():
        _serve(settings, host=host, port=port, workers=workers, given=given)


def _serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    given: socket.socket | None = None,
    child: _Child | None = None,
) -> None:
    import uvicorn  # noqa: PLC0415

    from upbridge.app import FIRST_CALLS_WAIT, create_app  # noqa: PLC0415
    from upbridge.core.bounds import CONNECTION  # noqa: PLC0415
    from upbridge.web.http_protocol import BoundedProtocol, backlog, raise_descriptors  # noqa: PLC0415

    raise_descriptors()
    common = {
        "http": BoundedProtocol,
        "ws": "none",
        "backlog": backlog(),
        "timeout_keep_alive": CONNECTION.idle_seconds,
        "host": host,
        "port": port,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "proxy_headers": True,
        "timeout_graceful_shutdown": 10,
    }
    if workers > 1:
        with _failing_with_one():
            uvicorn.run(
                "upbridge.app:factory" if given is None else "upbridge.app:factory_for_held_socket",
                factory=True,
                workers=workers,
                timeout_worker_healthcheck=_SILENT_SECONDS,
                fd=None if given is None else DESCRIPTOR,
                **common,  # type: ignore[arg-type]
            )
        return
    # The server passes the signal on when it has stopped; here it has done its work by then.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    application = create_app(settings, port=port, first_calls_wait=0.0 if given is None else FIRST_CALLS_WAIT)
    server = uvicorn.Server(uvicorn.Config(application, **common))  # type: ignore[arg-type]
    spare_what_is_here()
    spare_what_stays()

    async def run() -> None:
        if child is not None:
            threading.Thread(target=child.watch, daemon=True).start()
        await server.serve(None if given is None else [given])

    with _failing_with_one():
        run_async(run())
    if not server.started:
        raise typer.Exit(1)


@contextlib.contextmanager
def _failing_with_one() -> Iterator[None]:
    """A server that cannot start (its port is taken) ends the process with a code of its own: here it is 1."""
    try:
        yield
    except SystemExit as ended:
        raise typer.Exit(1 if ended.code else 0) from None


@app.command()
def worker(
    concurrency: Concurrency = 4,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Where the web side listens.")] = None,
    alive: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Renew this file's time every second, for a health check.")
    ] = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="End when this process is no more.")] = None,
) -> None:
    """The background side only; any number of them share one Postgres.

    --port names the web side where UPBRIDGE_PUBLIC_URL is not set; by default where it last listened.
    """
    from upbridge.job_queue import create_jobs, waker  # noqa: PLC0415
    from upbridge.jobs import run_worker  # noqa: PLC0415

    settings = _settings()

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        pool = worker_pool(concurrency)
        async with running_container(settings, pool_size=pool, watch=True, port=port) as (container, database):
            jobs = create_jobs(database.conninfo)
            async with jobs.open_async():
                log.info(
                    "worker_started",
                    concurrency=concurrency,
                    most_connections=connections_of_worker(concurrency),
                )
                await container.found_keys.go_on()
                outdated = asyncio.create_task(_stop_with_other_keys(container.engine, container.cipher, stop))
                orphaned = asyncio.create_task(_stop_without(parent, stop)) if parent is not None else None
                awake = replace(container, wake=waker(jobs))
                spare_what_is_here()
                look_seldom()
                await run_worker(
                    jobs,
                    awake.lane_worker,
                    awake.scheduler,
                    awake.rounds,
                    concurrency=concurrency,
                    stop=stop,
                    alive=alive,
                )
                if orphaned is not None:
                    orphaned.cancel()
                if outdated.done():
                    await outdated
                outdated.cancel()
            log.info("worker_stopped")

    with _prepared(settings) if settings.embedded else contextlib.nullcontext():
        run_async(work())


async def _stop_without(parent: int, stop: asyncio.Event) -> None:
    """End the worker when the `up` that started it has ended, however it ended."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the system gives no event for this
        await asyncio.sleep(1)
    stop.set()


async def _stop_with_other_keys(engine: AsyncEngine, cipher: Cipher, stop: asyncio.Event) -> None:
    """End the worker as it would not have started: none of its keys opens what is stored. Its supervisor starts it
    again with the keys of today. Raises `DecryptionError`."""
    await until_others_are_used(engine, cipher)
    stop.set()
    raise DecryptionError(str(DecryptionError.__doc__))


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database's schema to head (own tables and the job library's); harmless to repeat."""
    settings = _settings()
    started = time.monotonic()
    with ended_by_silence(settings), _prepared(settings) as version:
        pass
    if version.newer:
        out.print(f"schema at {version.revision}, newer than this version: nothing was done")
    else:
        out.print(f"schema at {version.revision} ({time.monotonic() - started:.1f} s)")


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="First of six ports.", min=1, max=65530)] = 8900,
    host: Host = "127.0.0.1",
    addon_url: Annotated[str, typer.Option(help="Where the add-on listens.")] = f"http://localhost:{DEFAULT_PORT}",
) -> None:
    """The simulated Upgates (with admin), Upp.ai and Uphance, for development."""
    _require_sandbox()
    from upbridge_sandbox import Options, Plan, run_sandbox  # noqa: PLC0415 - costs other commands nothing

    settings = load_settings()
    token = settings.signature_token.get_secret_value() if settings.signature_token else "sandbox-signature-token"
    run_sandbox(Options(port=port, host=host, addon_url=addon_url, signature_token=token, plan=Plan()))


@app.command()
def demo(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Also draw the report as SVG into this file.")] = None,
    captured: Annotated[
        Path | None, typer.Option(help="Folder with captured API answers to import as well.", exists=True)
    ] = None,
) -> None:
    """Activate a simulated shop, import it, change it for a day, and compare every copy with its origin."""
    _require_sandbox()
    from upbridge_sandbox.demo import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(as_json=json, picture=picture, captured=captured))


@app.command()
def play() -> None:
    """Like demo, but stays up for a person: prints the address of the simulated Upgates admin."""
    _require_sandbox()
    from upbridge_sandbox.demo import run_play  # noqa: PLC0415

    raise typer.Exit(run_play())


def _require_sandbox() -> None:
    """Raises `SandboxMissing` where the second package, or what it needs, was left out of the
    installation."""
    if any(importlib.util.find_spec(name) is None for name in ("upbridge_sandbox", "aiosmtpd")):
        raise SandboxMissing
