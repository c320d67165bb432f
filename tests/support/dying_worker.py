"""A worker that dies in the middle of a slice: `python -m tests.support.dying_worker DATABASE_URL`.

It has sent and settled one document when the kernel takes it away without a word.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.engine import settings
from tests.support.shops import KEY
from tests.support.simulated import Said, Target, Upgates, delivered
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.domain.delivery import Document
from upbridge.job_queue import create_jobs, waker
from upbridge.jobs import run_worker
from upbridge.rate_limits.ledger import Ledger
from upbridge.store.database import sqlalchemy_url
from upbridge.systems.registry import SYSTEMS
from upbridge.worker_container import WorkerContainer


async def one_then_dead(documents: Sequence[Document]) -> AsyncIterator[Said]:
    """Settle the first document, then be gone."""
    yield [(documents[0], delivered(documents[0]))]
    os.kill(os.getpid(), signal.SIGKILL)


def service_on(engine: AsyncEngine, http: httpx.AsyncClient, *targets: Target, **more: Any) -> WorkerContainer:
    """A service over *engine* that feeds *targets*."""
    return WorkerContainer(
        settings=settings(),
        systems=SYSTEMS,
        engine=engine,
        cipher=Cipher([KEY]),
        clock=utc_now,
        http=http,
        ledger=Ledger(engine, utc_now),
        targets={target.system: target for target in targets},
        webhook_url=lambda shop, source, event: f"https://upbridge.example/{source}/{event}/{shop.id}",
        **more,
    )


async def main(url: str) -> None:
    """Work until the end, which comes soon."""
    engine = create_async_engine(sqlalchemy_url(url))
    jobs = create_jobs(url)
    async with httpx.AsyncClient(transport=httpx.MockTransport(Upgates())) as http, jobs.open_async():
        service = service_on(engine, http, Target(script=one_then_dead), wake=waker(jobs))
        await run_worker(
            jobs, service.lane_worker, service.scheduler, service.rounds, concurrency=1, stop=asyncio.Event()
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
