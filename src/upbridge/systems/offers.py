"""What a system may offer beside its flows: a trial of its connection, and an upload of costs."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

from upbridge.systems.connecting import Connected

#: Holds a connection as a worker does; the value is None where a worker has it.
Alone: TypeAlias = Callable[[], AbstractAsyncContextManager[object | None]]

State = Literal["ok", "warn", "bad", "skipped"]


@dataclass(frozen=True, slots=True)
class Step:
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

    def look(self) -> AsyncIterator[Step]:
        """Steps that only read."""

    def make(self) -> AsyncIterator[Step]:
        """Steps that create something."""


class CostUpload(Protocol):
    """Takes the cost per acquisition of days."""

    def parse(self, content: bytes) -> Sequence[tuple[date, Decimal]]:
        """Day and cost of each row of a file. Raises `BadRequest` with a line for each wrong one."""

    async def send(self, connected: Connected, discriminator: str, days: Sequence[tuple[date, Decimal]]) -> None:
        """Send them for the account's *discriminator*. Raises `RemoteError`."""
