"""The first import: which lists are read for which targets, and from when on."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop import Shop
from upbridge.domain.shop_settings import Rules
from upbridge.engine.context import Service
from upbridge.engine.runs import RunPurpose, start_run
from upbridge.store.connections import ConnectionRow


async def start_imports(
    connection: AsyncConnection,
    service: Service,
    shop: Shop,
    rows: Mapping[str, ConnectionRow],
    *,
    kinds: tuple[str, ...] = ("product", "order"),
    anew: bool = False,
) -> list[int]:
    """Start (or join) the first import of *kinds* for the targets in *rows*; returns the runs.

    *anew*: pages that were read already do not count (they were read for other settings, or other targets).

    How far back orders are read is what the targets want: Upp.ai `upp.order_days` before it was connected,
    Uphance from `uphance.orders_from` on, which by default is the moment of connecting: no history then, and later
    what settings have held since.
    """
    now = service.clock()
    if anew:
        await connection.execute(
            text(
                "UPDATE runs SET state = 'done', finished_at = :now WHERE shop_id = :shop_id"
                " AND purpose = 'import' AND state <> 'done' AND kind = ANY(:kinds)"
            ),
            {"now": now, "shop_id": shop.id, "kinds": list(kinds)},
        )
    runs = []
    if "product" in kinds:
        runs.append(await start_run(connection, shop.id, "product", RunPurpose.IMPORT, since=None, now=now))
    since = orders_since(shop.rules, rows, now=now)
    if "order" in kinds and since is not None:
        runs.append(await start_run(connection, shop.id, "order", RunPurpose.IMPORT, since=since, now=now))
    return runs


def orders_since(rules: Rules, rows: Mapping[str, ConnectionRow], *, now: datetime) -> datetime | None:
    """From when on orders have to be read for the targets in *rows*; None if none wants any of before *now*."""
    wanted = []
    if "upp" in rows and rules.yes("upp.send"):
        wanted.append(rows["upp"].connected_at - timedelta(days=rules.number("upp.order_days") or 0))
    if "uphance" in rows and rules.yes("uphance.send_orders"):
        wanted.append(rules.moment("uphance.orders_from") or rows["uphance"].connected_at)
    return min((since for since in wanted if since < now), default=None)
