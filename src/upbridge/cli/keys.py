"""The commands about encryption keys: what each key opens, a new one, and the way on without a lost one.

They open the database alone: the service itself does not start while none of the keys opens what is stored.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import typer

from upbridge.bootstrap import running_database
from upbridge.cli.common import Json, err, out, print_json, print_rows, run_async
from upbridge.cli.printable import console_error
from upbridge.cli.silent_database import ended_by_silence
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.core.telemetry.logging import configure_logging
from upbridge.maintenance.key_rotation import rotate_all
from upbridge.maintenance.lost_keys import Lost, forget_lost, lost_values
from upbridge.settings import load_settings, log_format, log_level
from upbridge.store.database import Database

T = TypeVar("T")

app = typer.Typer(help="Encryption keys.", no_args_is_help=True)

_COLUMNS = ("shop", "value", "system", "values", "who", "what")


@app.command("check")
def check(*, json: Json = False) -> None:
    """Shops whose stored values none of the keys opens: what has to be entered again, and by whom. Exit 1 if there
    are any."""
    _, lost = _with_database(lambda database, cipher: lost_values(database.engine, cipher))
    _print(lost, json=json)
    if lost:
        raise typer.Exit(1)


@app.command("forget")
def forget(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Throw away what none of the keys opens, so that the service goes on without it. For good: look for the lost
    key first."""
    _, lost = _with_database(lambda database, cipher: lost_values(database.engine, cipher))
    _print(lost, json=False)
    if not lost:
        return
    if not yes:
        typer.confirm("Throw these values away for good?", abort=True)
    _with_database(lambda database, cipher: forget_lost(database.engine, cipher, utc_now))
    out.print("They are gone; the service can be started.")


@app.command("rotate")
def rotate() -> None:
    """Re-encrypt every stored secret with the newest key; afterwards older keys can be taken out."""
    number, counts = _with_database(lambda database, cipher: rotate_all(database.engine, cipher))
    out.print("Re-encrypted: " + ", ".join(f"{one.done} {place}" for place, one in counts.items()))
    unreadable = sum(one.unreadable for one in counts.values())
    if unreadable:
        console_error(f"no key opens {unreadable} values; `upbridge keys check` says whose they are")
        raise typer.Exit(1)
    if number == 1:
        err.print(
            "warning: there is 1 key, so nothing has got another one: put the new one in front"
            " (UPBRIDGE_ENCRYPTION_KEYS=new,old), start every process with it, then rotate"
        )
    else:
        out.print(
            f"There are {number} keys, and everything is sealed with the first: the others can be taken out."
        )


def _print(lost: Sequence[Lost], *, json: bool) -> None:
    rows = [
        {
            "shop": one.shop,
            "value": one.column,
            "system": one.system,
            "values": one.values,
            "who": one.remedy.who,
            "what": one.remedy.what,
        }
        for one in lost
    ]
    if json:
        print_json(rows)
    else:
        print_rows(rows, columns=_COLUMNS, wrapped=["what"], empty="The keys open everything that is stored.")


def _with_database(work: Callable[[Database, Cipher], Awaitable[T]]) -> tuple[int, T]:
    """How many keys there are, and what *work* found."""
    settings = load_settings()
    configure_logging(log_format(settings), level=log_level(settings, least=logging.WARNING))
    keys = settings.keys()

    async def run() -> T:
        async with running_database(settings) as database:
            return await work(database, Cipher(keys))

    with ended_by_silence(settings):
        return len(keys), run_async(run())
