"""docs/reference/cli.md: every command with its arguments and options."""

from collections.abc import Iterator
from typing import Any

import typer

from tests.project.reference.markdown import code, codes, document, paragraph, table
from upbridge.cli import app

_INTRODUCTION = """
Every command as `--help` has it. Exit codes, and the shape of what `--json` prints, are in [cli.md](../cli.md).
"""

#: Every command has it.
_HELP = "--help"


def page() -> str:
    """The page."""
    return document("Commands", _INTRODUCTION, *(_section(name, command) for name, command in commands()))


def commands() -> list[tuple[str, Any]]:
    """Every command that does something, with its whole name, in order."""
    return sorted(_below("upbridge", typer.main.get_command(app)), key=lambda entry: entry[0])


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, sub in inner.items():
        yield from _below(f"{name} {word}", sub)


def _section(name: str, command: Any) -> str:
    usage = " ".join([name, *command.collect_usage_pieces(command.context_class(command))])
    parts = [f"## {name}", f"```text\n{usage}\n```", paragraph((command.help or "").split("\f")[0])]
    rows = [_row(parameter) for parameter in command.params if _HELP not in parameter.opts]
    if rows:
        parts.append(table(("Parameter", "Default", "Meaning"), rows))
    return "\n\n".join(parts)


def _row(parameter: Any) -> tuple[str, str, str]:
    names = [*parameter.opts, *parameter.secondary_opts]
    shown = codes(names) if names[0].startswith("-") else code(parameter.metavar or names[0].upper())
    default = parameter.default
    said = code(default) if default not in (None, False, ()) and not callable(default) else ""
    return shown, "required" if parameter.required else said, str(getattr(parameter, "help", None) or "")
