"""How much of what changed in a shop its webhooks announced: what they said, against what was found without them.

A webhook is a hint that Upgates tries to deliver and does not promise to (R38). The safety net reads by the time
of the last change, so a change that it finds and no webhook announced is one that the webhooks missed. So is what
a list that is read again holds and was not known: an import after the first one, a search for what is missing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import PRAGUE, begin_of_day
from upbridge.domain.shop_id import ShopId
from upbridge.insights.daily_stats import StatKind, daily_stats_of
from upbridge.store.runs import found_since

#: Deliveries are kept for as long (`maintenance/retention.py`), so no longer span can be counted.
LONGEST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was announced and what was found in *days* days. A thing announced three times counts three times."""

    days: int
    announced: int
    """Records of orders and products in webhooks."""
    found: int
    """Orders and products that had changed and that no webhook had announced."""

    @property
    def changes(self) -> int:
        """Both together."""
        return self.announced + self.found

    @property
    def share(self) -> float | None:
        """The announced part, 0 to 1; None where nothing changed."""
        return self.announced / self.changes if self.changes else None


async def coverage(
    engine: AsyncEngine, shop_id: ShopId | None, *, now: datetime, days: int = LONGEST_DAYS
) -> Coverage:
    """The coverage of one shop, or of all, in *days* days of Prague, today the last; at most `LONGEST_DAYS`.

    The share is rather too high: Upgates repeats what was answered late, which counts as announced again, and
    announced changes that no connected system needed count too, while a run counts only what was news to one.
    """
    days = min(days, LONGEST_DAYS)
    since = now.astimezone(PRAGUE).date() - timedelta(days=days - 1)
    announced = await daily_stats_of(engine, shop_id, StatKind.WEBHOOKS, since=since, now=now)
    async with engine.connect() as tx:
        found = await found_since(tx, shop_id, begin_of_day(since))
    return Coverage(days=days, announced=sum(one.count for one in announced), found=found)
