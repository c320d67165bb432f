"""What `make bench` prints: one row a number, with its goal where there is one."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """A measured number, ready to be read; *met*: whether it reaches its goal, None where there is none."""

    name: str
    value: str
    goal: str = ""
    met: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """The row for machines."""
        return asdict(self)


def show(console: Console, rows: list[Row]) -> None:
    """A table for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("measured", "value", "goal", ""):
        table.add_column(column, justify="right" if column == "value" else "left")
    for row in rows:
        mark = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[row.met]
        table.add_row(row.name, row.value, row.goal, mark)
    console.print(table)
