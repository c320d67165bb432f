"""The commands by name; the module of each is imported when it is asked for. `--version` loads none of them."""

from collections import UserDict
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_group


class _Place(NamedTuple):
    """Where a command is made."""

    module: str
    typer: str = "app"
    """Name of the Typer application there."""
    single: bool = False
    """The command is one of that application's; otherwise it is the application with all of its commands."""


#: In the order in which `--help` lists them.
PLACES = {
    **dict.fromkeys(("up", "serve", "worker", "migrate", "sandbox", "demo", "play"), _Place("run", single=True)),
    **dict.fromkeys(("doctor", "accesses", "plan"), _Place("tools", single=True)),
    "shops": _Place("shops"),
    "orders": _Place("orders"),
    "problems": _Place("queues", "problems_app"),
    "changes": _Place("queues", "changes_app"),
    "outbox": _Place("queues", "outbox_app"),
    "cpa": _Place("tools", "cpa_app"),
    "keys": _Place("keys"),
}


class _Commands(UserDict[str, Any]):
    """Typer's commands by name. Which names there are is known before any is made."""

    def __getitem__(self, name: str) -> Any:
        place: _Place = self.data[name]
        application: typer.Typer = getattr(import_module(f"upbridge.cli.{place.module}"), place.typer)
        made = get_group(application)
        if place.single:
            return made.commands[name]
        made.name = name
        return made


class CommandsOnDemand(TyperGroup):
    """The program's own group of commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(PLACES)
