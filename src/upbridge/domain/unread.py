"""Parts of an entity that could not be read, and whether a target needs them. Pure.

A part that a target does not need never holds the entity for that target; each target says which parts it needs.
"""

from collections.abc import Callable, Iterable

from upbridge.domain.value import Value


class Unread(Value):
    """One part that could not be read: the entity has None, or a default, in its place."""

    part: str
    """What it is in our words: `shopper`, `line.type`; a price is `prices.` with its language."""
    place: str
    """Where the source has it, for people: `products[1].type (MONTAZ)`. Never the value."""
    variant: str | None = None
    """The variant that states it, by its key; None where it is the whole entity's."""


def places(unread: Iterable[Unread], needs: Callable[[str], bool]) -> str:
    """The places of the parts that a target *needs*, for people; empty if it can do without all of them."""
    return ", ".join(dict.fromkeys(one.place for one in unread if needs(one.part)))
