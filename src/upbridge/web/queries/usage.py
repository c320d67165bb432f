"""API usage: what the shop's Upgates API still allows, and who used it in the last 24 hours."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.snapshot import HOURS, BudgetSnapshot
from upbridge.rate_limits.windows import CAP_PER_DAY, HOUR, PACKAGE, hour_start
from upbridge.store.link_queries import count_parents
from upbridge.store.rate_limits import calls_by_hour


@dataclass(frozen=True, slots=True)
class UsageView:
    """Everything on the page of API usage."""

    snapshot: BudgetSnapshot
    hours: tuple[tuple[datetime, Mapping[Purpose, int]], ...]
    """The last 24 clock hours, oldest first, with calls by purpose."""
    import_ends_at: datetime | None
    orders: int
    """Orders delivered in the same 24 hours."""

    @property
    def total(self) -> int:
        """Calls in these hours."""
        return sum(sum(parts.values()) for _, parts in self.hours)

    @property
    def by_purpose(self) -> dict[Purpose, int]:
        """Calls in these hours, by purpose, in the order of need."""
        return {purpose: sum(parts.get(purpose, 0) for _, parts in self.hours) for purpose in Purpose}

    @property
    def day_limit(self) -> int:
        """Calls in the day's pool, or the cap that holds without known limits (R50)."""
        limits = self.snapshot.limits
        return CAP_PER_DAY if limits is None else limits.day

    @property
    def short(self) -> bool:
        """Whether the next day may be short of the last one's need."""
        limits = self.snapshot.limits
        return self.total > (CAP_PER_DAY if limits is None else limits.total) * 0.8

    @property
    def advice(self) -> bool:
        """Whether packages would help: they raise limits, and no cap."""
        return self.short and self.snapshot.limits is not None

    @property
    def package(self) -> tuple[int, int]:
        """What a package adds to the hour and to the day."""
        return PACKAGE.hour, PACKAGE.day


async def usage_of(
    engine: AsyncEngine,
    shop_id: ShopId,
    snapshot: BudgetSnapshot,
    *,
    targets: Collection[str],
    import_ends_at: datetime | None,
    now: datetime,
) -> UsageView:
    """The page at *now*; *targets* are the systems that orders go to."""
    first = hour_start(now) - (HOURS - 1) * HOUR
    async with engine.connect() as tx:
        made: dict[datetime, dict[Purpose, int]] = {}
        for hour, purpose, number in await calls_by_hour(tx, shop_id, since=first):
            made.setdefault(hour, {})[Purpose[purpose.upper()]] = number
        orders = await count_parents(tx, shop_id, targets, "order", since=now - timedelta(hours=HOURS))
    hours = tuple((first + ahead * HOUR, made.get(first + ahead * HOUR, {})) for ahead in range(HOURS))
    return UsageView(snapshot, hours, import_ends_at, orders)
