"""What the commands share: opening the container, printing for people and for machines."""

import asyncio
import importlib.util
import json
import logging
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upbridge.bootstrap import running_container
from upbridge.cli.printable import shown
from upbridge.cli.silent_database import ended_by_silence
from upbridge.core.telemetry.logging import configure_logging
from upbridge.domain.history import Way
from upbridge.settings import load_settings, log_format, log_level
from upbridge.worker_container import WorkerContainer

T = TypeVar("T")


class PlainConsole(Console):
    """Shows what merchants and other systems wrote as it is: nothing in it is markup, and no sign in it reaches
    the terminal as a command. Our own colours come as `Text`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """*text* with nothing in it that a terminal would obey."""
        return super().render_str(shown(text), **settings)


#: Tables and progress for people. Logs go elsewhere, so a pipe sees nothing but the data.
out = PlainConsole(soft_wrap=True)
err = PlainConsole(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
#: The largest number that Postgres takes for an id.
LARGEST_ID = 2**63 - 1
ShopName = Annotated[str, typer.Argument(metavar="SHOP", help="Our id, the Upgates token, or the shop's key.")]


@asynccontextmanager
async def opened() -> AsyncIterator[WorkerContainer]:
    """The container, over a database whose schema is at head. Raises `NotReady` with what to do."""
    settings = load_settings()
    configure_logging(log_format(settings), level=log_level(settings, least=logging.WARNING))
    with ended_by_silence(settings):
        async with running_container(settings, pool_size=3) as (container, _database):
            yield replace(container, way=Way.CLI)


def with_container(work: Callable[[WorkerContainer], Awaitable[T]]) -> T:
    """Run *work* with an open container."""

    async def body() -> T:
        async with opened() as container:
            return await work(container)

    return run_async(body())


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on uvloop where there is one: waiting for sockets costs less there."""
    new_loop = importlib.import_module("uvloop").new_event_loop if importlib.util.find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(coroutine)


def plain(value: Any) -> Any:
    """*value* as JSON has it."""
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


async def stream_json(rows: AsyncIterable[Any]) -> None:
    """One JSON list on standard output, a line for each of *rows* as it comes. One that is broken off has no end,
    so that a part is not taken for the whole."""
    before = "[\n"
    async for row in rows:
        sys.stdout.write(before + json.dumps(plain(row), ensure_ascii=False))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")


def print_rows(
    rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], empty: str, wrapped: Sequence[str] = ()
) -> None:
    """A table for people; *empty* is said where there is nothing. On a narrow terminal the columns *wrapped* give
    way first: a number, a name or a moment that is broken in two can neither be read nor copied."""
    if not rows:
        out.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=bool(wrapped) and column not in wrapped)
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in columns))
    out.print(table)


def cell(value: Any) -> str | Text:
    """One value of a table, or of a line."""
    match value:
        case Text():
            return value
        case None:
            return "-"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M")
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(str(cell(item)) for item in value) or "-"
        case _:
            return str(value)
