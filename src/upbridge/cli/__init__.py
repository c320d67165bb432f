"""The program `upbridge`: what operators type. Data goes to standard output, logs and errors to standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or wrong settings. `--json` prints one JSON document whose shape is
written in docs/cli.md.
"""

import sys

import typer

from upbridge import __version__
from upbridge.cli.on_demand import CommandsOnDemand
from upbridge.cli.printable import console_error, is_text

app = typer.Typer(
    cls=CommandsOnDemand,
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


def main() -> None:
    """Run the program; an expected failure is one line, never a traceback."""
    if not all(map(is_text, sys.argv)):
        console_error("an argument is not UTF-8 text")
        sys.exit(2)
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
    except Exception as error:
        # What knows of databases and keys costs a command that succeeds nothing.
        from upbridge.cli.failures import told  # noqa: PLC0415

        code = told(error)
        if code is None:
            raise
        sys.exit(code)
