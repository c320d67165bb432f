"""What a person is asked about before it happens: one thing of the shop, as it is and as it would be."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

Shown: TypeAlias = Decimal | bool | None
"""A number; whether it is on sale; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A change that waits for a person, under the key of what it changes."""

    key: str
    code: str | None
    title: str | None
    old: Shown
    new: Shown
    sealed: bool = False
    """No key of ours opens what it would write: nothing else is known of it."""
