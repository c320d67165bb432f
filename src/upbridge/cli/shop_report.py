"""A shop as the commands print it: for machines and for people."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.cli.common import cell
from upbridge.cli.progress import PLURAL, waiting
from upbridge.domain.days import SHOWN_DAYS
from upbridge.domain.shop import Shop
from upbridge.domain.shop_settings import ShopSettings, as_text
from upbridge.domain.webhooks import ANY_EVENT
from upbridge.engine.completeness import Counted
from upbridge.insights.flow_states import flow_states, see
from upbridge.insights.webhook_coverage import Coverage, coverage
from upbridge.store.connections import ConnectionRow, connections_of
from upbridge.store.document_queries import count_parked
from upbridge.store.runs import Run, RunPurpose, RunState, latest_runs, most_imported
from upbridge.systems.base import Systems
from upbridge.systems.connecting import WebhookUrl


def line_of(shop: Shop, rows: Mapping[str, ConnectionRow]) -> dict[str, Any]:
    """A shop as `shops list --json` prints it."""
    return {
        "id": shop.id,
        "key": shop.key,
        "token": shop.token,
        "name": shop.name,
        "state": str(shop.state),
        "reason": shop.reason,
        "api_url": shop.api_url,
        "version": shop.version,
        "installed_at": shop.installed_at,
        "connections": [
            {
                "system": row.system,
                "state": str(row.state),
                "reason": row.reason,
                "account": row.account,
                "prefix": row.prefix,
                "connected_at": row.connected_at,
            }
            for row in rows.values()
        ],
    }


async def describe(
    engine: AsyncEngine, systems: Systems, shop: Shop, *, webhook_url: WebhookUrl, now: datetime
) -> dict[str, Any]:
    """A shop as `shops show --json` prints it."""
    async with engine.connect() as tx:
        rows = await connections_of(tx, shop.id)
        most = await most_imported(tx, shop.id)
    runs = await latest_runs(engine, shop.id, RunPurpose.IMPORT)
    return {
        **line_of(shop, rows),
        "settings": settings_json(shop.settings),
        "imports": {
            PLURAL[kind]: _import(run, most.get(kind, 0)) for kind, run in sorted(runs.items(), reverse=True)
        },
        "waiting": await waiting(engine, shop),
        "parked": await _parked(engine, shop),
        **await _truth_json(engine, systems, shop, rows, now=now),
        "coverage": _coverage_json(await coverage(engine, shop.id, now=now)),
        **{
            f"{one.name}_webhook_url": webhook_url(shop, one.name, ANY_EVENT)
            for one in systems.connected
            if one.calls_back
        },
    }


async def _truth_json(
    engine: AsyncEngine, systems: Systems, shop: Shop, rows: Mapping[str, ConnectionRow], *, now: datetime
) -> dict[str, Any]:
    """The lights of the first page, and what the shop counted itself, as `shops show --json` prints them."""
    async with engine.connect() as tx:
        seen = await see(tx, systems, shop.id)
    flows = flow_states(systems, shop, rows, seen, now)
    return {
        "flows": [
            {
                "source": flow.source,
                "kind": flow.kind,
                "target": flow.target,
                "light": flow.light,
                "reason": flow.reason,
                "waiting": flow.waiting,
                "oldest": flow.oldest,
            }
            for flow in flows
        ],
        "completeness": {
            "days": SHOWN_DAYS,
            **_counted(seen.counted.get("order")),
            "products": _counted(seen.counted.get("product")),
        },
    }


def _counted(counted: Counted | None) -> dict[str, Any]:
    if counted is None:
        return dict.fromkeys(("shop_says", "known", "missing", "checked_at"))
    return {
        "shop_says": counted.shop_says,
        "known": counted.known,
        "missing": counted.missing,
        "checked_at": counted.checked_at,
    }


def _coverage_json(found: Coverage) -> dict[str, Any]:
    """Coverage as `shops show --json` prints it; `share` is null where nothing changed."""
    return {"days": found.days, "announced": found.announced, "found": found.found, "share": found.share}


def completeness_line(found: Mapping[str, Any]) -> str:
    """The shop's own count against ours, for people."""
    if found["shop_says"] is None:
        return "the shop was not asked for its own count yet"
    return (
        f"the shop says {found['shop_says']:,} in {found['days']} days, {found['known']:,} are known,"
        f" {found['missing']:,} missing (counted {cell(found['checked_at'])})"
    )


def coverage_line(found: Mapping[str, Any]) -> str:
    """Coverage for people. Rounded down: not all is not 100 %."""
    if found["share"] is None:
        return f"nothing changed in {found['days']} days"
    share = math.floor(found["share"] * 1000) / 10
    changes = found["announced"] + found["found"]
    return f"announced {share:.1f} % of {changes:,} changes in {found['days']} days"


def _import(run: Run, most: int) -> dict[str, Any]:
    """*most*: what the largest import that ended has read. A later one, for another system, may have had less to
    read, and does not make less of what is there."""
    ended = run.state is RunState.DONE
    done = max(run.done, most) if ended else run.done
    return {
        "total": done if ended else run.total,
        "done": done,
        "state": str(run.state),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def settings_json(shop_settings: ShopSettings) -> dict[str, Any]:
    """Settings for machines: true, false and numbers as such, lists and mappings as they would be typed."""
    return {
        key: value if isinstance(value := shop_settings.get(key), bool | int) else as_text(value) or None
        for key in shop_settings.declared
    }


async def _parked(engine: AsyncEngine, shop: Shop) -> int:
    """Documents that wait for a mapping or a person."""
    async with engine.connect() as tx:
        return await count_parked(tx, shop.id)
