"""The doctor: one line for each thing that has to be right, and what to do where it is not.

All is looked at at once, and nothing for longer than `LONGEST` seconds: a host may be silent for ever.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import httpx

from upbridge.core.clock import Clock, utc_now
from upbridge.core.deadline import with_deadline
from upbridge.maintenance.doctor.database import look_at_database
from upbridge.maintenance.doctor.finding import Finding
from upbridge.maintenance.doctor.given import look_at_settings
from upbridge.maintenance.doctor.network import (
    LOOK,
    look_at_mail,
    look_at_public_address,
    look_at_signature_key,
    look_at_system,
)
from upbridge.settings import Settings
from upbridge.systems.base import Systems
from upbridge.systems.http.transport import Remote, http_client

__all__ = ["Finding", "examine"]

LONGEST = 8.0
"""Seconds for each part of the examination. A process starts in a second, and a driver that was left behind waits
for five."""


async def examine(
    settings: Settings, systems: Systems, *, given: Mapping[str, str] | None = None, clock: Clock = utc_now
) -> list[Finding]:
    """Look at everything; a part that fails or hangs never hides the others. *given*: the variables as they stand
    in the environment."""
    findings = look_at_settings(settings, given or {})
    async with http_client() as http:
        parts = [_database(settings, systems, clock), *_network(http, settings, systems, clock)]
        for found in await asyncio.gather(*parts):
            findings += found
    return findings


async def _database(settings: Settings, systems: Systems, clock: Clock) -> list[Finding]:
    found: list[Finding] = []
    try:
        await with_deadline(LONGEST, look_at_database(settings, systems, found.append, clock=clock))
    except TimeoutError:
        found.append(Finding("database", "bad", f"does not answer within {LONGEST:g} s"))
    return found


def _network(
    http: httpx.AsyncClient, settings: Settings, systems: Systems, clock: Clock
) -> list[Coroutine[Any, Any, list[Finding]]]:
    looks: dict[str, Callable[[], Coroutine[Any, Any, list[Finding]]]] = {
        "public address": partial(look_at_public_address, http, settings, clock),
        "signature key": partial(look_at_signature_key, http, settings, clock),
        "mail": partial(look_at_mail, settings),
    }
    for system in systems.connected:
        if system.url is not None:
            name = system.title.lower()
            looks[name] = partial(
                look_at_system, Remote(system.name, http, clock, LOOK), name, system.url(settings)
            )
    return [_within(name, look) for name, look in looks.items()]


async def _within(name: str, look: Callable[[], Coroutine[Any, Any, list[Finding]]]) -> list[Finding]:
    try:
        return await with_deadline(LONGEST, look())
    except TimeoutError:
        return [Finding(name, "bad", f"does not answer within {LONGEST:g} s")]
