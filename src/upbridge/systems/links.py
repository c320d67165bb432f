"""What a target may ask of the links while it sends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from upbridge.domain.delivery import Document, Link


class Links(Protocol):
    """The links of one shop and target, for targets whose creation is not idempotent. Commits at once."""

    async def get(self, kind: str, key: str) -> Link | None: ...

    async def save(self, *links: Link) -> None: ...

    async def is_wanted(self, document: Document) -> bool:
        """Whether *document* is still what is to be sent now; one that is not is passed over, and comes again."""

    async def high_water(self, kind: str) -> int | None:
        """The highest id there that is known of *kind*."""

    async def reached(self, kind: str, number: int) -> None:
        """Remember an id there that exists."""

    async def put_back_at(self) -> datetime | None:
        """When the database was last found to be older than the world: what was done before may be forgotten."""

    async def linked_up_to(self, kind: str) -> int | None:
        """The id up to which each thing of ours of this kind has a link; None if that was never looked at."""

    async def adopt(self, kind: str, found: Sequence[Link], *, up_to: int) -> list[str]:
        """Link what was *found* there although no link said so; returns the keys that were news.

        A link that is there stays, unless it says that nothing was created. From now on everything of ours
        *up_to* this id counts as linked.
        """
