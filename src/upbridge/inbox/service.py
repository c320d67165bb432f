"""Store a delivery: one statement, one commit, well inside Upgates' second (R36, R37).

A time-out counts as delivered over there, so being late is losing: what is not committed after `DEADLINE`
seconds is given up and answered 503, which is repeated in five minutes.
"""

import asyncio
import zlib
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from upbridge.db import sqlalchemy_url
from upbridge.errors import NotFound, NotReady
from upbridge.inbox.reading import Hints
from upbridge.kit.clock import Clock
from upbridge.schema import ShopId
from upbridge.shops.shop import LISTENING
from upbridge.sync.changes import PURPOSES, Kind, Origin

DEADLINE = 0.45
"""Seconds for everything that touches the database; contract section 3 allows 0.5."""

_STORE = text(
    """
    WITH listening AS (
      SELECT id FROM shops WHERE id = :shop_id AND state = ANY(:listening)
    ), delivery AS (
      INSERT INTO deliveries (shop_id, source, event, records, body)
      SELECT id, :source, :event, :records, :body FROM listening
    ), hints AS (
      INSERT INTO changes (shop_id, source, kind, key, origin, priority, due_at)
      SELECT listening.id, :source, hint.kind, hint.key, :origin, hint.priority, :due_at
      FROM listening, unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:priorities AS int[]))
        AS hint (kind, key, priority)
      ON CONFLICT (shop_id, source, kind, key) DO UPDATE SET
        seq = nextval('change_seq'),
        priority = LEAST(changes.priority, excluded.priority),
        due_at = LEAST(changes.due_at, excluded.due_at)
    )
    SELECT count(*) FROM listening
    """
)


_POOL = 8
_WARM = 4


def inbox_engine(conninfo: str) -> AsyncEngine:
    """A pool of its own, so that no page and no job can keep a webhook waiting for a connection."""
    return create_async_engine(
        sqlalchemy_url(conninfo),
        pool_size=_POOL,
        max_overflow=0,
        pool_timeout=DEADLINE / 2,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 2,
            "options": f"-c statement_timeout={int(DEADLINE * 1000)} -c timezone=UTC -c application_name=inbox",
        },
    )


class Inbox:
    """Stores deliveries of known shops."""

    def __init__(self, engine: AsyncEngine, clock: Clock, *, coalesce_seconds: float) -> None:
        self._engine = engine
        self._clock = clock
        self._coalesce = timedelta(seconds=coalesce_seconds)

    async def warm_up(self) -> None:
        """Open connections and prepare the statement, so that the first delivery does not pay for it.

        Raises what the database raises.
        """
        nobody, nothing = ShopId(UUID(int=0)), Hints({}, records=0)
        await asyncio.gather(
            *(self._insert(nobody, source="", event="", body=b"", hints=nothing) for _ in range(_WARM))
        )

    async def store(self, shop_id: ShopId, *, source: str, event: str, body: bytes, hints: Hints) -> None:
        """Keep the delivery and its hints, or raise: `NotFound` (no such shop listens), `NotReady` (repeat it)."""
        try:
            async with asyncio.timeout(DEADLINE):
                stored = await self._insert(shop_id, source=source, event=event, body=body, hints=hints)
        except (TimeoutError, PoolTimeout, DBAPIError, OSError) as error:
            raise NotReady(f"the delivery could not be stored: {type(error).__name__}") from error
        if not stored:
            raise NotFound("no shop listens at this address")

    async def _insert(self, shop_id: ShopId, *, source: str, event: str, body: bytes, hints: Hints) -> bool:
        # In order, so that two writers cannot deadlock.
        rows = sorted({(kind, key) for kind, keys in hints.keys.items() for key in keys})
        async with self._engine.begin() as connection:
            listening = await connection.scalar(
                _STORE,
                {
                    "shop_id": shop_id,
                    "listening": [str(state) for state in LISTENING],
                    "source": source,
                    "event": event,
                    "records": hints.records,
                    "body": zlib.compress(body, level=1),
                    "origin": Origin.WEBHOOK,
                    "due_at": self._clock() + self._coalesce,
                    "kinds": [kind for kind, _ in rows],
                    "keys": [key for _, key in rows],
                    "priorities": [int(PURPOSES[Kind(kind)]) for kind, _ in rows],
                },
            )
        return bool(listening)
