"""The program `upbridge`: what operators type. Data goes to standard output, logs and errors to standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong settings. `--json` prints one JSON document whose shape is
written in docs/cli.md.
"""

import sys

import typer

from upbridge import __version__
from upbridge.cli import keys, orders, pairing, person, queues, run, shop_history, shops, tools
from upbridge.cli.common import console_error
from upbridge.core.database_failure import concerns_database, reason_of
from upbridge.core.encryption import DecryptionError
from upbridge.core.errors import BadSettings, UpbridgeError

app = typer.Typer(
    name="upbridge",
    help="Upbridge: products and orders of Upgates e-shops to Upp.ai and Uphance, stock and shipments back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _version(
    *, version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True)
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


run.register(app)
tools.register(app)
shop_history.register(shops.app)
pairing.register(shops.app)
person.register(shops.app)
app.add_typer(shops.app, name="shops")
app.add_typer(orders.app, name="orders")
app.add_typer(queues.problems_app, name="problems")
app.add_typer(queues.changes_app, name="changes")
app.add_typer(queues.outbox_app, name="outbox")
app.add_typer(tools.cpa_app, name="cpa")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the program; an expected failure is one line, never a traceback."""
    try:
        app()
    except BadSettings as error:
        for line in str(error).splitlines():
            console_error(line)
        sys.exit(2)
    except DecryptionError:
        console_error(
            "UPBRIDGE_ENCRYPTION_KEYS: none of these keys opens a secret that is stored;"
            " `upbridge keys check` says which, and what to do"
        )
        sys.exit(2)
    except UpbridgeError as error:
        console_error(str(error))
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        if not concerns_database(error):
            raise
        console_error(f"the database cannot be used: {reason_of(error)}")
        sys.exit(1)
