"""What a delivery says, read in one go: the application lets others have their turn meanwhile."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from upbridge.systems.base import Source
from upbridge.webhooks import parsing
from upbridge.webhooks.parsing import ChangedKeys

T = TypeVar("T")


def _without_turns(work: Coroutine[Any, Any, T]) -> T:
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            value: T = done.value
            return value


def read_upgates(event: str, body: bytes) -> ChangedKeys:
    """What a delivery of *event* from Upgates says has changed."""
    return parsing.read_upgates(event, _without_turns(parsing.object_of(body)))


def read_connected(source: Source, body: bytes) -> ChangedKeys:
    """What a delivery from a connected system says has changed."""
    return parsing.read_connected(source, _without_turns(parsing.object_of(body)))
