"""A process that runs on with keys that were taken out of use: it is noticed, and told."""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.store import secrets

log = structlog.get_logger(__name__)

#: Seconds between two looks: one short statement.
_EVERY = 10.0


async def until_others_are_used(engine: AsyncEngine, cipher: Cipher, *, every: float = _EVERY) -> None:
    """Return when this process's keys do not open what the service keeps for itself any more, and say so once: it
    was not started again with the new key before `upbridge keys rotate`, for instance. Nothing that it opens now
    can be judged by it."""
    while True:
        try:
            async with engine.connect() as tx:
                if not await secrets.opened_by(tx, cipher):
                    log.error("encryption_keys_do_not_fit", see="UPBRIDGE_ENCRYPTION_KEYS")
                    return
        except (DBAPIError, PoolTimeout, OSError) as error:
            if not DATABASE.explains(error):
                log.warning("keys_not_looked_at", reason=type(error).__name__)
        await asyncio.sleep(every)
