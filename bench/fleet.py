"""A fleet: what many shops cost while nothing happens in them, and how the day's work is spread over them."""

import asyncio
import json
import random
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from sqlalchemy import text

from bench.report import Row
from bench.testbed import Clocks, Testbed, used
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.engine import lanes
from upbridge.engine.scheduler import Tick
from upbridge.insights.flow_states import CountedLights
from upbridge.settings import load_settings
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS

IDLE_GOAL = 0.10
"""Of one processor, for web, worker and Postgres together."""
SPREAD_GOAL = 1.5
_WARM_UP, _ROUNDS = 5.0, 5
_DAY, _TICK, _MINUTE = timedelta(hours=24), timedelta(seconds=10), timedelta(minutes=1)

FACTS = {
    "company": "Šatník s.r.o.",
    "default_language": "cs",
    "currencies": {"cs": "CZK"},
    "pricelists": ["Výchozí"],
    "default_pricelist": "Výchozí",
    "status_types": {"1": "Received", "3": "Sent"},
}
#: Shops of which everything was read just now, connected to both systems.
_STATEMENTS = (
    """
    INSERT INTO shops
      (id, key, token, state, api_url, facts, facts_at, subscribed_at, reconciled_at, state_since, installed_at)
    SELECT gen_random_uuid(), 'fleet-' || n, 'fleet-' || n, 'active', 'https://fleet.invalid/api/v2',
      CAST(:facts AS jsonb), :now, :now, :now, :now, CAST(:now AS timestamptz) - interval '1 year'
    FROM generate_series(1, CAST(:shops AS int)) AS n
    """,
    """
    INSERT INTO connections (shop_id, system, state, account, facts, connected_at, polled_at)
    SELECT id, system, 'connected', id::text, '{}', installed_at, :now
    FROM shops, unnest(ARRAY['upp', 'uphance']) AS system WHERE key LIKE 'fleet-%'
    """,
    """
    INSERT INTO budgets (shop_id, hour_at, day_at, succeeded_at)
    SELECT id, date_trunc('hour', CAST(:now AS timestamptz)), date_trunc('day', CAST(:now AS timestamptz)), :now
    FROM shops WHERE key LIKE 'fleet-%'
    """,
    """
    INSERT INTO runs (shop_id, kind, purpose, state, total, pages, done, found, started_at, finished_at)
    SELECT id, kind, purpose, 'done', 100, 1, 100, 0, :now, :now
    FROM shops, unnest(ARRAY['product', 'order']) AS kind, unnest(ARRAY['import', 'safety_net']) AS purpose
    WHERE key LIKE 'fleet-%'
    """,
)
_SIZE = (
    "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
)


async def idle(testbed: Testbed, *, shops: int, seconds: float) -> tuple[list[Row], dict[str, Any]]:
    """*shops* without news: what a look of the worker costs, what all processes need, and the spread of a day."""
    before = int(await testbed.value(_SIZE))
    async with testbed.engine.begin() as tx:
        for statement in _STATEMENTS:
            await tx.execute(
                text(statement), {"shops": shops, "facts": json.dumps(FACTS), "now": datetime.now(UTC)}
            )
    await testbed.run("VACUUM (ANALYZE)")
    per_shop = (int(await testbed.value(_SIZE)) - before) / shops
    sweep = await _cost(testbed, lambda: lanes.due(testbed.engine, SYSTEMS, now=utc_now()))
    cipher = Cipher(load_settings().keys())
    lights = await _cost(
        testbed,
        lambda: CountedLights(testbed.engine, SYSTEMS, Shops(testbed.engine, cipher, SYSTEMS.settings)).at(
            utc_now()
        ),
    )
    parts, wal = await _idle(testbed, seconds)
    busiest = {away: _busiest(shops, timedelta(minutes=away)) for away in (0, 60)}
    total = sum(parts.values())
    rows = [
        Row(f"{shops:,} shops: a look at what is due, ms of a processor", f"{sweep * 1000:.0f}"),
        Row("their lights for a scrape, at most once a minute, ms of a processor", f"{lights * 1000:,.0f}"),
        *(Row(f"idle, {name}, of a processor", f"{part:.1%}") for name, part in parts.items()),
        Row("idle, all of it, of a processor", f"{total:.1%}", f"at most {IDLE_GOAL:.0%}", total <= IDLE_GOAL),
        Row("idle, write-ahead log a second", f"{wal / 1024:.1f} kB"),
        Row("rows and indices of a shop without goods", f"{per_shop / 1024:.1f} kB"),
        *(
            Row(
                f"safety nets in the busiest minute, against the mean, {away} minutes after a standstill"
                if away
                else "safety nets in the busiest minute, against the mean",
                f"{ratio:.2f}",
                f"at most {SPREAD_GOAL}",
                ratio <= SPREAD_GOAL,
            )
            for away, ratio in busiest.items()
        ),
    ]
    return rows, {
        "shops": shops,
        "sweep": sweep,
        "lights": lights,
        "idle": parts,
        "wal_bytes_a_second": wal,
        "bytes_a_shop": per_shop,
        "busiest_minute": busiest,
    }


async def _cost(testbed: Testbed, work: Callable[[], Awaitable[object]]) -> float:
    """Processor seconds of *work* here and in Postgres, the mean of a few times."""
    await work()
    clocks, started = Clocks(testbed.postgres()), time.process_time()
    for _ in range(_ROUNDS):
        await work()
    return (time.process_time() - started + clocks.used()) / _ROUNDS


async def _idle(testbed: Testbed, seconds: float) -> tuple[dict[str, float], float]:
    """The parts of a processor that web, worker and Postgres need, and the bytes of log that Postgres writes."""
    processes = testbed.processes
    if "worker" not in processes.processes:
        processes.start("worker", "worker", "--port", str(processes.web_port))
    await asyncio.sleep(_WARM_UP)
    processes.check()
    watched = {
        "web": psutil.Process(processes.processes["serve"].pid),
        "worker": psutil.Process(processes.processes["worker"].pid),
    }
    before = {name: used(process) for name, process in watched.items()}
    clocks, log = Clocks(testbed.postgres()), await testbed.value("SELECT pg_current_wal_lsn()::text")
    started = time.monotonic()
    await asyncio.sleep(seconds)
    length = time.monotonic() - started
    parts = {name: (used(process) - before[name]) / length for name, process in watched.items()}
    parts["Postgres"] = clocks.used() / length
    written = await testbed.value("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), CAST(:log AS pg_lsn))", log=log)
    return parts, float(written) / length


def _busiest(shops: int, away: timedelta) -> float:
    """The safety nets that begin in the busiest minute of a day against the mean, by the schedule's own rule.

    Each shop has a moment of its own; *away*: no worker was there for so long.
    """
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    turns = sorted(begin + _DAY * random.Random(number).random() for number in range(shops))  # noqa: S311
    now, done, per_minute = begin + away, 0, Counter[int]()
    last: datetime | None = None
    while done < shops:
        room = Tick.of(last, now).room(shops, _DAY)
        begun = min(bisect_right(turns, now) - done, room)
        per_minute[(now - begin) // _MINUTE] += begun
        done, last, now = done + begun, now, now + _TICK
    return max(per_minute.values()) / (shops / (_DAY / _MINUTE))
