"""`upbridge shops connect | disconnect | renew`: who may reach what."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from upbridge.cli.common import Json, ShopName, err, out, print_json, with_container
from upbridge.cli.options import login_options, with_options
from upbridge.cli.printable import is_text
from upbridge.core.errors import BadRequest, LoginRefused
from upbridge.operations.connections import MadeConnection
from upbridge.systems.connecting import ChoiceNeeded
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer

SystemName = Annotated[str, typer.Argument(metavar="|".join(SYSTEMS.titles), help="The other system.")]


@with_options(login_options())
def connect(
    shop: ShopName,
    system: SystemName,
    *,
    typed: Mapping[str, str],
    json: Json = False,
) -> None:
    """Connect another system. The secret or password is read from standard input; the login is tested before
    anything is stored. The first import begins by itself; connecting the same account anew begins none.
    """
    found = SYSTEMS.get(system)
    if found is None or found.connect is None:
        raise typer.BadParameter(" or ".join(SYSTEMS.titles), param_hint="SYSTEM")
    given = {field.name: "" for field in found.connect.fields} | {**typed}
    for field in found.connect.fields:
        if field.needed and not field.secret and not given.get(field.name):
            option = f"--{field.name.replace('_', '-')}"
            raise typer.BadParameter(f"needed for {system}, {field.help}", param_hint=option)
    for field in found.connect.fields:
        if field.secret:
            given[field.name] = _secret(field.name.replace("_", " "))
    credentials = found.connect.credentials

    async def work(container: WorkerContainer) -> MadeConnection:
        with _said(credentials):
            return await container.connection_editor.connect(await container.shops.find(shop), system, given)

    row, fresh = with_container(work)
    if json:
        print_json({"system": row.system, "state": str(row.state), "account": row.account, "prefix": row.prefix})
        return
    what = "the first import has begun" if fresh else "it was connected before, so nothing is imported anew"
    out.print(f"{row.system} is connected ({row.account}); {what}.")
    if row.prefix:
        out.print(f"Another shop feeds this tenant already: all ids of this shop begin with {row.prefix!r} there.")


@contextmanager
def _said(credentials: str) -> Iterator[None]:
    """A login that does not do ends with what to do about it. *credentials*: what was typed, for people."""
    try:
        yield
    except ChoiceNeeded as error:
        option = f"--{error.field.replace('_', '-')}"
        raise BadRequest(f"{error}; nothing was stored: name one with {option}") from error
    except LoginRefused as error:
        raise LoginRefused(f"{error}; nothing was stored: check {credentials}") from error


def disconnect(shop: ShopName, system: SystemName) -> None:
    """Forget a connection and what waits for it; links stay, so that a return doubles nothing.

    A system whose login is a person's is asked to revoke our token, and no other of that person's.
    """

    async def work(container: WorkerContainer) -> None:
        await container.connection_editor.disconnect(await container.shops.find(shop), system)

    with_container(work)
    out.print(f"{system} is disconnected.")


def _secret(name: str) -> str:
    if sys.stdin.isatty():
        err.print(f"{name}: ", end="")
        import getpass  # noqa: PLC0415 - only where a person types

        value = getpass.getpass("")
    else:
        value = sys.stdin.readline()
    value = value.rstrip("\r\n")
    if not value:
        raise BadRequest(f"no {name} came on standard input")
    if not is_text(value):
        raise BadRequest(f"the {name} is not UTF-8 text")
    return value


def renew(
    shop: ShopName,
    *,
    webhooks: Annotated[bool, typer.Option("--webhooks", help="New addresses for all webhooks.")] = False,
    sessions: Annotated[bool, typer.Option("--sessions", help="End all sessions of the pages.")] = False,
    json: Json = False,
) -> None:
    """Make what may have leaked worthless: the addresses of webhooks, or the sessions of the pages.

    Upgates gets the new addresses within a minute; until it has them, the old ones are taken, too. An address that
    a person typed at another system has to be typed there again.
    """
    if not webhooks and not sessions:
        raise typer.BadParameter("--webhooks or --sessions", param_hint="what")

    async def work(container: WorkerContainer) -> dict[str, Any]:
        return await container.secret_renewal.renew(
            await container.shops.find(shop), webhooks=webhooks, sessions=sessions
        )

    done = with_container(work)
    if json:
        print_json(done)
        return
    if webhooks:
        out.print("The webhooks get new addresses.")
        for name, address in done["addresses"].items():
            out.print(f"To be typed at {SYSTEMS.title(name)}: {address}")
    if sessions:
        out.print(f"{done['sessions']} ended.")
