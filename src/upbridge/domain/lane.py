"""A lane is the work of one shop with one system in one direction. Its name is `pull:upgates`, `push:upp`, …"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from upbridge.domain.shop_id import ShopId

SLICE_SECONDS = 10.0
"""So long one job works on a lane at most; then it puts itself back, and others have their turn."""


class Direction(StrEnum):
    """Which way a lane carries."""

    PULL = "pull"
    """The system is read."""
    PUSH = "push"
    """The system is sent documents."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of one shop. *system* is the one at the other end."""

    shop_id: ShopId
    direction: Direction
    system: str

    @classmethod
    def pull(cls, shop_id: ShopId, system: str) -> "Lane":
        """The lane that reads *system*."""
        return cls(shop_id, Direction.PULL, system)

    @classmethod
    def push(cls, shop_id: ShopId, system: str) -> "Lane":
        """The lane that sends to *system*."""
        return cls(shop_id, Direction.PUSH, system)

    @classmethod
    def named(cls, shop_id: ShopId, name: str) -> "Lane":
        """The lane of that name. Raises `ValueError` if its direction is none."""
        direction, _, system = name.partition(":")
        return cls(shop_id, Direction(direction), system)

    @property
    def name(self) -> str:
        """Direction and system, for people, logs and jobs."""
        return f"{self.direction}:{self.system}"

    @property
    def lock(self) -> str:
        """What is held while the lane is worked on: one worker at a time for a shop and system."""
        return f"{self.shop_id}:{self.system}"

    def __str__(self) -> str:
        return f"{self.shop_id}:{self.name}"


Wake: TypeAlias = Callable[[Lane], Awaitable[None]]
"""Say that a lane has work. It raises nothing; a lost call costs a moment, the workers' sweep sees everything."""


async def leave_to_sweep(_lane: Lane) -> None:
    """Wake no worker: the sweep finds the work within a second."""
