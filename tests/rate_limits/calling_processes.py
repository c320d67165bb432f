"""Callers in processes of their own, and a server that sees how many of them call at once.

`python -m tests.rate_limits.calling_processes URL PORT NOW PURPOSE SHOP…` is one process: a caller per shop,
which calls once.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import create_async_engine

from tests.rate_limits.calls import response
from upbridge.core.errors import Throttled
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import AGAIN, Ledger
from upbridge.store.database import sqlalchemy_url


@dataclass
class Witness:
    """Answers every call with *status*, but none before *together* of them were under way at the same time."""

    status: int = 200
    together: int = 1
    port: int = 0
    calls: int = 0
    most: int = 0
    _in_flight: int = 0
    _met: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        if self._in_flight == self.together:
            self._met.set()
        await self._met.wait()
        self._in_flight -= 1  # before the caller returns, so that the next call is not counted beside it
        writer.write(f"{self.status}\n".encode())
        await writer.drain()
        await reader.read()
        writer.close()


@asynccontextmanager
async def watched(witness: Witness) -> AsyncIterator[Witness]:
    """*witness*, listening."""
    async with await asyncio.start_server(witness, "127.0.0.1", 0) as server:
        witness.port = server.sockets[0].getsockname()[1]
        yield witness


async def call_from(
    processes: int, witness: Witness, *, url: str, now: datetime, purpose: Purpose, shops: Sequence[ShopId]
) -> list[datetime]:
    """Have each of *shops* called once, from so many processes; until when those that were refused must wait."""
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__, url, str(witness.port), now.isoformat(), purpose.name),
            *(str(shop) for shop in shops[number::processes]),
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(processes)
    ]
    said = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * processes
    return [datetime.fromisoformat(until) for out, _ in said for until in json.loads(out.splitlines()[-1])]


async def _caller(ledger: Ledger, port: int, now: datetime, purpose: Purpose, shop: ShopId) -> datetime | None:
    """Call once, however often all slots are taken; returns until when there is no budget."""
    while True:
        try:
            async with ledger.call(shop, access="GET /orders", purpose=purpose) as permit:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await permit.answered(response(int(await reader.readline()), now=now))
                writer.close()
        except Throttled as throttled:
            if throttled.until is not None and throttled.until > now + 2 * AGAIN:
                return throttled.until
        else:
            return None


async def _main(url: str, port: str, moment: str, purpose: str, *shops: str) -> None:
    now = datetime.fromisoformat(moment)
    engine = create_async_engine(sqlalchemy_url(url), pool_size=5, max_overflow=0)
    ledger = Ledger(engine, lambda: now, sleep=lambda seconds: asyncio.sleep(seconds / 10))
    work = [_caller(ledger, int(port), now, Purpose[purpose], ShopId(UUID(shop))) for shop in shops]
    refused = [until.isoformat() for until in await asyncio.gather(*work) if until]
    await engine.dispose()
    sys.stdout.write(json.dumps(refused))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
