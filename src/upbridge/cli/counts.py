"""What `reconcile` tells while it works: the shop's own count against ours, and what is under way already."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.cli.common import cell
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.engine.completeness import Counted, names
from upbridge.insights.flow_states import counts_of
from upbridge.store import cursors
from upbridge.store.runs import Run

_WORDS = {"order": "orders of {days} days", "product": "products on sale"}


class ToldCounts:
    """Says each count that the shop gave after *since*, once."""

    def __init__(
        self, engine: AsyncEngine, shop: Shop, *, since: datetime, say: Callable[[str], None] | None
    ) -> None:
        self._engine = engine
        self._shop = shop
        self._since = since
        self._say = say
        self._told: dict[str, Counted] = {}

    async def look(self) -> None:
        """Look for new counts."""
        async with self._engine.connect() as tx:
            kept = await cursors.named(tx, [self._shop.id], PLATFORM, names())
        for kind, counted in counts_of(kept, self._shop.id).items():
            before = self._told.get(kind)
            if counted.checked_at < self._since or counted == before:
                continue
            self._told[kind] = counted
            if self._say is not None:
                self._say(count_line(kind, counted, again=before is not None and before.astray > 0))


def count_line(kind: str, counted: Counted, *, again: bool) -> str:
    """One count, for people. *again*: the list was read after an earlier one, because that differed."""
    what = _WORDS[kind].format(days=counted.days)
    line = f"{what}: the shop has {counted.shop_says:,}, we know {counted.known:,}"
    if not counted.astray:
        return line
    if again:
        return f"{line}: still different by {counted.astray:,}, see `upbridge problems list`"
    if counted.missing:
        return f"{line}: reading the missing {counted.missing:,}"
    return f"{line}: asking for the {counted.astray:,} that it lacks"


def under_way_line(run: Run) -> str:
    """A safety net that is under way already, for people."""
    return (
        f"{run.kind}s: a safety net is under way since {cell(run.started_at)}, {run.done:,} read so far;"
        " this one joins it"
    )
