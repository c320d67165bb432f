"""The first import of a large catalogue: pull, map, store and push, against an outside that costs nothing.

    prepared answers ──► worker (a process of its own, as in production) ──► prepared Upp.ai
                              │
                           Postgres

Beside it the least that could do the same: read the same pages three at a time, parse them, insert a row a
variant, post a thousand at once. It maps nothing, seals nothing, remembers nothing and could not be stopped in
the middle.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
from psycopg import AsyncConnection
from sqlalchemy import text

from bench.prepared import PRODUCTS, sellable
from bench.report import Row
from bench.testbed import TOP, Clocks, Testbed, used
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.settings import load_settings
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge_sandbox.demo.processes import Failed, free_port

GOAL_PER_SECOND, GOAL_RATIO, GOAL_MEGABYTES = 3_500, 0.2, 200
BATCH, PARALLEL = 1_000, 3
_MEGABYTE = 1024 * 1024
_IMPORT_TIMEOUT = 600.0


async def first_import(testbed: Testbed, *, variants: int) -> tuple[list[Row], dict[str, Any]]:
    """Bare, then ours: variants a second by the clock and by processor time, and the most memory the worker
    held."""
    async with _outside(variants) as (address, there):
        bare = await _bare(testbed, address, there["pages"])
        await _forget_sent(address)
        ours = await _ours(testbed, address, there["variants"])
    raw = {**there, "bare": bare.as_json(there["variants"]), "ours": ours.as_json(there["variants"])}
    ratio = bare.seconds / ours.seconds
    speed, megabytes = there["variants"] / ours.seconds, ours.peak / _MEGABYTE
    by_worker = there["variants"] / ours.worker
    return [
        Row(f"variants a second, first import of {there['variants']:,}", f"{speed:,.0f}"),
        Row(
            "variants for a second of the worker's processor",
            f"{by_worker:,.0f}",
            f"at least {GOAL_PER_SECOND:,}",
            by_worker >= GOAL_PER_SECOND,
        ),
        Row("variants for a second of Postgres' processor", f"{there['variants'] / ours.postgres:,.0f}"),
        Row("variants a second, bare loop", f"{there['variants'] / bare.seconds:,.0f}"),
        Row("a first import against the bare loop", f"{ratio:.2f}", f"at least {GOAL_RATIO}", ratio >= GOAL_RATIO),
        Row(
            "the most memory of the worker meanwhile",
            f"{megabytes:.0f} MB",
            f"under {GOAL_MEGABYTES} MB",
            megabytes < GOAL_MEGABYTES,
        ),
    ], raw


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import took: seconds by the clock, processor seconds of worker and Postgres, bytes of memory."""

    seconds: float
    worker: float
    postgres: float
    peak: int

    def as_json(self, variants: int) -> dict[str, Any]:
        """Numbers for the raw results."""
        return {
            "per_second": round(variants / self.seconds),
            "seconds": round(self.seconds, 1),
            "worker_processor_seconds": round(self.worker, 1),
            "postgres_processor_seconds": round(self.postgres, 1),
            "peak_megabytes": round(self.peak / _MEGABYTE),
        }


@asynccontextmanager
async def _outside(variants: int) -> AsyncIterator[tuple[str, dict[str, int]]]:
    """The prepared answers, listening; their address and what there is to read."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.prepared", str(port), str(variants)),
        cwd=TOP,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise Failed("the answers could not be prepared")
        yield f"http://127.0.0.1:{port}", json.loads(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _forget_sent(address: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        (await client.delete(f"{address}/sent")).raise_for_status()


# --- ours ---------------------------------------------------------------------------------------------------


async def _ours(testbed: Testbed, address: str, variants: int) -> Taken:
    """A new shop is connected; over when everything has been delivered and nothing waits."""
    shop_id = await _shop(testbed, f"{address}/api/v2")
    processes = testbed.processes
    before = processes.environment["UPBRIDGE_UPP_URL"]
    processes.environment["UPBRIDGE_UPP_URL"] = address
    processes.start("bulk", "worker", "--port", str(processes.web_port))
    try:
        await testbed.ready(shop_id)
        worker, postgres = psutil.Process(processes.processes["bulk"].pid), Clocks(testbed.postgres())
        before_ours = used(worker)
        connect = ("shops", "connect", str(shop_id), "upp", "--client-id", "bench")
        await asyncio.to_thread(processes.run, *connect, stdin="secret")
        peak = await _delivered(testbed, shop_id, worker, postgres, variants)
        started = await testbed.value("SELECT min(started_at) FROM runs WHERE shop_id = :id", id=shop_id)
        taken = Taken((utc_now() - started).total_seconds(), used(worker) - before_ours, postgres.used(), peak)
        await _complete(testbed, address, shop_id, variants)
    finally:
        processes.environment["UPBRIDGE_UPP_URL"] = before
        await asyncio.to_thread(processes.end, "bulk")
    await testbed.run("DELETE FROM shops WHERE id = :shop", shop=shop_id)
    return taken


async def _shop(testbed: Testbed, api_url: str) -> ShopId:
    """A shop as an installation leaves it, without subscriptions: no webhook announces anything here."""
    number, settings = uuid4(), load_settings()
    async with testbed.engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO shops (id, key, token, state, api_url, api_user, api_key, subscribed_at)"
                " VALUES (:id, :name, :name, 'active', :api_url, 'bench', :api_key, now())"
            ),
            {
                "id": number,
                "name": f"bulk-{number.hex}",
                "api_url": api_url,
                "api_key": Cipher(settings.keys()).encrypt("bench"),
            },
        )
        await mark_changed(
            tx,
            ShopId(number),
            "upgates",
            Kind.FACTS,
            ["facts"],
            origin=Origin.LIFECYCLE,
            now=utc_now() - timedelta(seconds=1),
        )
    return ShopId(number)


async def _delivered(
    testbed: Testbed, shop_id: ShopId, worker: psutil.Process, postgres: Clocks, variants: int
) -> int:
    """Until all is delivered; the most memory that the worker held, as the kernel counts it."""
    peak, deadline = 0, time.monotonic() + _IMPORT_TIMEOUT
    while True:
        testbed.processes.check()
        peak = max(peak, _peak(worker))
        postgres.look()
        left = await testbed.value(
            "SELECT (SELECT count(*) FROM runs WHERE shop_id = :id AND state = 'running')"
            " + (SELECT count(*) FROM (SELECT FROM documents WHERE shop_id = :id LIMIT 1) AS any_document)"
            " + CASE WHEN EXISTS (SELECT FROM runs WHERE shop_id = :id) THEN 0 ELSE 1 END",
            id=shop_id,
        )
        if not left:
            return max(peak, _peak(worker))
        if time.monotonic() > deadline:
            raise Failed(f"{variants} variants were not imported within {_IMPORT_TIMEOUT:.0f} seconds")
        await asyncio.sleep(0.25)


async def _complete(testbed: Testbed, address: str, shop_id: ShopId, variants: int) -> None:
    """Nothing may be missing, and next to nothing sent again: what was measured would not be an import.

    A shop's lists that are read while its first pages are mapped have some variants sent with both, which does no
    harm: Upp.ai keeps the last.
    """
    items = await testbed.value("SELECT count(*) FROM variants WHERE shop_id = :id", id=shop_id)
    links = await testbed.value("SELECT count(*) FROM links WHERE shop_id = :id AND kind = 'product'", id=shop_id)
    async with httpx.AsyncClient(trust_env=False, timeout=120) as client:
        sent = (await client.get(f"{address}/sent")).json()
    if items != variants or links != sent["different"] or sent["items"] > 1.01 * sent["different"] or not links:
        raise Failed(f"of {variants} variants {items} were kept, {links} linked, {sent} sent")


def _peak(process: psutil.Process) -> int:
    """The kernel's own high-water mark where it keeps one, else what is held now."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)


# --- the least that could do it -----------------------------------------------------------------------------


async def _bare(testbed: Testbed, address: str, pages: int) -> Taken:
    """Read, parse, insert, post; in this process."""
    numbers = iter(range(1, pages + 1))
    waiting: list[dict[str, Any]] = []
    postgres, used, started = Clocks(testbed.postgres()), time.process_time(), time.perf_counter()
    async with httpx.AsyncClient(trust_env=False, timeout=60, base_url=address) as client:

        async def post(least: int) -> None:
            while len(waiting) >= least and waiting:
                batch, waiting[:BATCH] = waiting[:BATCH], []
                (await client.post("/ingest/bulk", json={"products": batch})).raise_for_status()

        async def work() -> None:
            async with await AsyncConnection.connect(testbed.database.conninfo) as tx:
                for number in numbers:
                    products = json.loads((await client.get(PRODUCTS.format(number))).content)["products"]
                    rows = [row for product in products for row in _rows(product)]
                    async with tx.cursor() as cursor:
                        await cursor.executemany("INSERT INTO bench_bulk VALUES (%s, %s)", rows)
                    await tx.commit()
                    waiting.extend({"externalProductId": key, "title": title} for key, title in rows)
                    await post(BATCH)

        await testbed.run("CREATE TABLE bench_bulk (key text PRIMARY KEY, title text)")
        await asyncio.gather(*(work() for _ in range(PARALLEL)))
        await post(1)
    taken = Taken(time.perf_counter() - started, time.process_time() - used, postgres.used(), 0)
    await testbed.run("DROP TABLE bench_bulk")
    return taken


def _rows(product: Any) -> list[tuple[str, str]]:
    title = product["descriptions"][0]["title"]
    if sellable(product) == 1 and not product["variants"]:
        return [(f"p-{product['product_id']}", title)]
    return [(f"v-{variant['variant_id']}", title) for variant in product["variants"]]
