"""The least that could acknowledge a webhook: Starlette, one insert by psycopg, 204. What ours is held against.

It checks nothing, reads nothing, keeps no set of changes, has no deadline and no log. The insert commits by
itself, so it is one round trip; the server, its loop and its parser are those that `upbridge serve` runs on.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

#: As many connections as the inbox has.
POOL = 8
TABLE = "CREATE TABLE IF NOT EXISTS bench_bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)"


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with AsyncConnectionPool(
        os.environ["BENCH_DATABASE"], min_size=POOL, max_size=POOL, kwargs={"autocommit": True}, open=False
    ) as pool:
        app.state.pool = pool
        yield


async def _store(request: Request) -> Response:
    body = await request.body()
    async with request.app.state.pool.connection() as connection:
        await connection.execute("INSERT INTO bench_bare (body) VALUES (%b)", (body,))
    return Response(status_code=204)


app = Starlette(routes=[Route("/hook", _store, methods=["POST"])], lifespan=_lifespan)
