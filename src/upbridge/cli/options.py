"""Options of commands that each system brings: the fields of its login, the trial of its connection."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from upbridge.systems.registry import SYSTEMS

Command = Callable[..., None]


def login_options() -> dict[str, Any]:
    """An option for each field that some login needs and that is no secret, by name."""
    asking: dict[str, list[str]] = {}
    for system in SYSTEMS.connected:
        for field in system.connect.fields if system.connect is not None else ():
            if not field.secret:
                asking.setdefault(field.name, []).append(f"{system.title}: {field.help}")
    return {name: typer.Option(help=f"{'; '.join(helps)}.") for name, helps in asking.items()}


def trial_options() -> dict[str, Any]:
    """An option for each system whose connection can be tried, by its name."""
    return {
        system.name: typer.Option(metavar="SHOP", help=f"Try what {system.title} leaves open, in this shop.")
        for system in SYSTEMS.connected
        if system.trial is not None
    }


def with_options(options: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Give a command *options* more. It gets what was typed for them as `typed`, by name; what was not typed is
    missing. A command's own parameters are what Typer reads from its signature, so this extends the signature."""

    def extended(command: Command) -> Command:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            typed = {name: value for name in options if (value := given.pop(name)) is not None}
            command(**given, typed=typed)

        own = [one for one in inspect.signature(command).parameters.values() if one.name != "typed"]
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
            )
            for name, option in options.items()
        ]
        run.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*own, *more)}
        return run

    return extended
