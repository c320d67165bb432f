"""History: what was done to the shop, by which way, and the numbers of one stock run."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.store import history
from upbridge.store.history import Entry, StockWrite

PAGE = 50
#: Numbers of a stock run that are shown.
NUMBERS = 500


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A page of the history, the newest first. *older*: the line below which the next page begins, None at the
    end."""

    entries: tuple[Entry, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class RunView:
    """The numbers that the stock run of the moment *at* has written, by code. *more*: there are others."""

    at: datetime
    numbers: tuple[StockWrite, ...]
    more: bool


async def history_of(engine: AsyncEngine, shop_id: ShopId, before: int | None) -> HistoryView:
    """The lines older than *before*, or the newest."""
    async with engine.connect() as tx:
        found = await history.latest(tx, shop_id, limit=PAGE + 1, before=before)
    shown = tuple(found[:PAGE])
    return HistoryView(shown, shown[-1].id if len(found) > PAGE else None)


async def run_of(engine: AsyncEngine, shop_id: ShopId, number: int) -> RunView | None:
    """The stock run that the line *number* tells of; None if it tells of none."""
    async with engine.connect() as tx:
        at = await history.moment_of_run(tx, shop_id, number)
        if at is None:
            return None
        found = await history.stock_of_run(tx, shop_id, at, limit=NUMBERS + 1)
    return RunView(at, tuple(found[:NUMBERS]), len(found) > NUMBERS)
