"""How much one shop's webhooks may have of a web process, so that the others keep theirs (docs/decisions/0019).

    effort   waits its turn, up to `LONGEST_WAIT` ──longer──► left to the safety net
    records  read one by one ──────────────────────more────► left to the safety net
    kept     written down for diagnosis ───────────more────► stored without it

No bulk edit of a shop comes near a quota. Nothing is lost by going over one: what is left to the safety net is
read by it, soon.
"""

import time
from collections.abc import Callable

from upbridge.core.allowance import Allowance, ByName, Meter
from upbridge.domain.shop_id import ShopId

EFFORT = Allowance(burst=2_000, rate=500)
"""One is 16 KiB, or a hundred records, or eight small webhooks: one to two milliseconds of the processor."""
RECORDS = Allowance(burst=200_000, rate=100)
"""Forty of the largest bulk edits at once, and for long more than the 60,000 calls of a day could read."""
KEPT = Allowance(burst=50_000, rate=1)
"""Deliveries that are written down: a week of them, at their most, takes a hundred megabytes."""
KEPT_KEYS = Allowance(burst=200_000, rate=10)
"""What they named; a week of it likewise."""

LONGEST_WAIT = 0.25
"""Seconds that a delivery waits for its turn: half of what it has until it must be answered."""

_EACH, _BYTES, _RECORDS = 1 / 8, 16_384, 100


class ShopQuota:
    """The quotas of one shop."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        now = seconds()
        self._effort, self._records = Meter(EFFORT, now), Meter(RECORDS, now)
        self._kept, self._keys = Meter(KEPT, now), Meter(KEPT_KEYS, now)

    def arrives(self, size: int) -> float | None:
        """A delivery of *size* bytes arrives: the seconds until its turn; None if it is left to the net."""
        now, effort = self._seconds(), _EACH + size / _BYTES
        if self._records.left(now) < 0:
            return None
        wait = self._effort.take(effort, now)
        if wait > LONGEST_WAIT:
            self._effort.take(-effort, now)
            return None
        return wait

    def read(self, records: int) -> None:
        """Count the records of a delivery that was read."""
        now = self._seconds()
        self._effort.take(records / _RECORDS, now)
        self._records.take(max(records, 1), now)

    def keeps(self, keys: int) -> tuple[bool, bool]:
        """Whether a delivery is written down, and whether with the *keys* that it named."""
        now = self._seconds()
        kept, named = self._kept.left(now) >= 1, self._keys.left(now) >= keys
        if kept:
            self._kept.take(1, now)
        if kept and named:
            self._keys.take(keys, now)
        return kept, kept and named

    def unused(self) -> bool:
        """Whether it is as if the shop had never sent anything."""
        now = self._seconds()
        return all(meter.full(now) for meter in (self._effort, self._records, self._kept, self._keys))


class Quotas(ByName[ShopId, ShopQuota]):
    """The quotas of all shops whose addresses were recognised, in one process.

    Several web processes grant a shop as many times as much.
    """

    def __init__(self, *, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__(lambda: ShopQuota(seconds))
