"""Starts the simulated systems: six servers on one loop.

P is the simulated administration with the control API, P+1 the Upgates API, P+2 Upp.ai, P+3 Uphance, P+4 the
signature key, P+5 a mail server. When all listen, one line of JSON with their addresses goes to standard output.
"""

import asyncio
import contextlib
import importlib
import importlib.util
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from upbridge_sandbox.changes import Changes
from upbridge_sandbox.control.context import Context
from upbridge_sandbox.keys import PATH, key_server
from upbridge_sandbox.mail_box import PASSWORD, USER, running_mail_box
from upbridge_sandbox.marketplace import Marketplace
from upbridge_sandbox.pages import admin_app
from upbridge_sandbox.seed.plan import Plan, open_shop
from upbridge_sandbox.state import Addresses, State
from upbridge_sandbox.upgates.announcements import Announcer, stop
from upbridge_sandbox.upgates.api import upgates_api
from upbridge_sandbox.uphance.api import uphance_api
from upbridge_sandbox.uphance.hooks import UphanceHooks
from upbridge_sandbox.upp.api import upp_api


class _Server(uvicorn.Server):
    """A server that leaves signals to the process: five servers share one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def build(state: State) -> tuple[Context, list[ASGIApp]]:
    """The five applications around *state*, in the order of their ports."""
    announcer = Announcer(state)
    changes = Changes(state, announcer)
    context = Context(state, changes, announcer, Marketplace(state), UphanceHooks(state))
    apps: list[ASGIApp] = [
        admin_app(context),
        upgates_api(state, changes),
        upp_api(state),
        uphance_api(state),
        key_server(state),
    ]
    return context, apps


@contextlib.asynccontextmanager
async def running(state: State, *, port: int, host: str = "127.0.0.1") -> AsyncIterator[Context]:
    """The systems listen as long as the block lasts; port 0 takes free ports. The mail server takes one where its
    own is taken."""
    sockets = [_listen(host, port + place if port else 0) for place in range(5)]
    mails = _listen_for_mails(host, port)
    urls = [f"http://{host}:{item.getsockname()[1]}" for item in sockets]
    mail = f"smtp://{USER}:{PASSWORD}@{host}:{mails.getsockname()[1]}"
    state.addresses = Addresses(urls[0], urls[1], urls[2], urls[3], urls[4] + PATH, mail)
    context, apps = build(state)
    servers = [_Server(_config(app)) for app in apps]
    tasks = [
        asyncio.create_task(server.serve(sockets=[item])) for server, item in zip(servers, sockets, strict=True)
    ]
    announcing = asyncio.create_task(context.announcer.run())
    try:
        while not all(server.started for server in servers):
            if any(task.done() for task in tasks):
                raise RuntimeError("a simulated system did not start")
            await asyncio.sleep(0.01)
        async with running_mail_box(state.mail_box, mails):
            yield context
    finally:
        await stop(announcing)
        await context.announcer.close()
        await context.uphance_hooks.close()
        await context.marketplace.close()
        for server in servers:
            server.should_exit = True
            server.force_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        for item in sockets:
            item.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a sandbox is started: on six ports from *port* (0: free ones), with the shop of *plan* or none.

    *clock_factor* shortens published delays: at 100, five minutes are three seconds.
    """

    port: int = 0
    host: str = "127.0.0.1"
    addon_url: str | None = None
    signature_token: str = "sandbox-signature-token"  # noqa: S105 - a simulated secret
    seed: int = 1
    clock_factor: float = 1.0
    plan: Plan | None = None


async def serve(
    options: Options, *, ready: Callable[[Addresses], None], until: asyncio.Event | None = None
) -> None:
    """Run until *until* is set (or for ever); *ready* gets the addresses when all systems listen."""
    state = State(options.signature_token, options.addon_url, seed=options.seed, clock_factor=options.clock_factor)
    if options.plan is not None:
        open_shop(state, options.plan)
    async with running(state, port=options.port, host=options.host):
        assert state.addresses is not None
        ready(state.addresses)
        await (until or asyncio.Event()).wait()


def run_sandbox(options: Options) -> None:
    """The command `upbridge sandbox`: runs until SIGINT or SIGTERM, and prints the addresses when all listen."""

    async def main() -> None:
        until = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, until.set)
        await serve(options, ready=_print_addresses, until=until)

    # Six servers on one loop cost a third less on uvloop, where there is one.
    new_loop = importlib.import_module("uvloop").new_event_loop if importlib.util.find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def _print_addresses(addresses: Addresses) -> None:
    sys.stdout.write(json.dumps(addresses.as_json()) + "\n")
    sys.stdout.flush()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(app, lifespan="off", access_log=False, log_config=None, server_header=False)


def _listen_for_mails(host: str, port: int) -> socket.socket:
    """The port after those of the systems; another one where that is taken: nothing but settings names it."""
    if port:
        with contextlib.suppress(SystemExit):
            return _listen(host, port + 5)
    return _listen(host, 0)


def _listen(host: str, port: int) -> socket.socket:
    # The protocol is named so that asyncio sends small answers at once; else each waits 40 ms to be acknowledged.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SystemExit(f"port {port} of {host} is taken: {error.strerror}") from error
    listener.setblocking(False)
    return listener
