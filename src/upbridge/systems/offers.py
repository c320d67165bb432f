"""What a system may offer beside its flows: a trial of its connection, and an upload of costs."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeAlias

from upbridge.core.errors import BadRequest
from upbridge.systems.connecting import Connected

#: Holds a connection as a worker does; the value is None where a worker has it.
Alone: TypeAlias = Callable[[], AbstractAsyncContextManager[object | None]]

State = Literal["ok", "warn", "bad", "skipped"]


@dataclass(frozen=True, slots=True)
class TrialStep:
    """What was tried, what follows from it, and what the server said."""

    step: str
    state: State
    detail: str
    request: str | None = None
    status: int | None = None
    said: str | None = None


class Trial(Protocol):
    """What can be tried with one connection, step by step."""

    @property
    def question(self) -> str:
        """What `make` leaves behind, as a question to a person."""

    def look(self) -> AsyncIterator[TrialStep]:
        """Steps that only read."""

    def make(self) -> AsyncIterator[TrialStep]:
        """Steps that create something."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a row is not taken: *reason* is the last part of the key `ui.costs.wrong.<reason>`, *values* go into its
    text, *words* say the same to operators."""

    reason: str
    words: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """A row of a file of costs: its day and its cost, or what is *wrong*. *line*: None if it is the whole file."""

    line: int | None
    typed: str = ""
    day: date | None = None
    cost: Decimal | None = None
    wrong: Wrong | None = None


def days_of(rows: Sequence[CostRow]) -> list[tuple[date, Decimal]]:
    """Day and cost of each row, oldest first. Raises `BadRequest` with a line for each row that is wrong."""
    complaints = [
        one.wrong.words if one.line is None else f"line {one.line}: {one.wrong.words}" for one in rows if one.wrong
    ]
    if complaints:
        raise BadRequest("\n".join(complaints))
    return sorted((one.day, one.cost) for one in rows if one.day is not None and one.cost is not None)


class CostUpload(Protocol):
    """Takes the cost per acquisition of days."""

    def read(self, content: bytes) -> Sequence[CostRow]:
        """The rows of a file, in its order. What is wrong with the file as a whole is a row, too."""

    async def send(self, connected: Connected, discriminator: str, days: Sequence[tuple[date, Decimal]]) -> None:
        """Send them for the account's *discriminator*. Raises `RemoteError`."""
