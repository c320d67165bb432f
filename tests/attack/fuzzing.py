"""The fuzzers as rows of the table: odd requests at the real instance, and damaged answers of its partners."""

import asyncio
import contextlib

from tests.attack.fuzz import KINDS, Fuzz, Places, made
from tests.attack.testbed import VICTIM, Testbed
from tests.attack.verdicts import CALM, Verdict, spent, times, too_long, too_slow
from tests.attack.weapons import CUT, Line
from tests.project.reference.http import addresses
from upbridge.systems.base import ANY_EVENT

FUZZ = {kind: f"fuzzed {kind}" for kind in KINDS}
DAMAGED = "partners' damaged answers"

_A_SECOND = 2_100
"""Requests for each second that a row of the table lasts: 100,000 of four kinds in the long form."""
_WARM_UP = 300
_SHOP = "attacker"
_EVENTS = ("Orders.create", "Orders.update", "Products.update", "Products.delete", "Languages.update")
_MEMORY = 1.2
_COME_AGAIN = 503
_SHARE = 0.4
_CHANGES = 15
"""Changes in the simulated shop for each second of damaged answers."""


async def places(here: Testbed, *, sessions: int) -> Places:
    """What the application serves, with genuine sessions and webhook addresses of a shop."""
    while len(here.fuzzed_sessions) < sessions:
        here.fuzzed_sessions.append(await here.enter(_SHOP))
    routes = [
        (method, address.path)
        for address in addresses()
        if not address.path.endswith("/end")
        for method in address.methods
    ]
    hooks = [here.webhook(_SHOP, event) for event in _EVENTS]
    hooks.append(f"/webhooks/uphance/{here.addresses.token(here.shops[_SHOP], 'uphance', ANY_EVENT)}")
    known = {"session": here.fuzzed_sessions, "event": _EVENTS, "system": ("upp", "uphance")}
    return Places([*routes, *(("POST", hook) for hook in hooks for _ in range(3))], known)


async def fuzzed(kind: str, here: Testbed, seconds: float, seed: int) -> Verdict:
    """Odd requests of one kind: none fails at the server, none leaves a traceback or memory behind."""
    known = await places(here, sessions=8 if seconds < 1 else 40)
    await here.attack(Fuzz(here.port, kind, seed, known, range(-_WARM_UP, 0)), seconds=seconds)
    calm = (await here.attack(None, seconds=max(seconds * CALM, 1.0))).taken
    before, tracebacks = here.usage(), here.tracebacks()
    count = int(seconds * _A_SECOND)
    found = await here.attack(Fuzz(here.port, kind, seed, known, range(count)), seconds=seconds)
    failed = [
        f"{kind} {number} of seed {seed}: {status}"
        for number, status in found.fired.odd
        if status != _COME_AGAIN or await _again(here, kind, seed, number, known) == _COME_AGAIN
    ]
    memory = here.usage().memory
    broken = []
    if failed:
        broken.append(f"{len(failed)} x 5xx for bad input, {'; '.join(failed[:3])}")
    if here.tracebacks() > tracebacks:
        broken.append(f"{here.tracebacks() - tracebacks} tracebacks in the log")
    if memory > before.memory * _MEMORY:
        broken.append(f"memory grew from {before.memory >> 20} to {memory >> 20} MiB")
    broken += too_long(found)
    cells = {
        "rate": round(found.fired.sent / found.fired.seconds, 1),
        "statuses": {str(status): number for status, number in sorted(found.fired.statuses.items())},
        "memory_mib": [before.memory >> 20, memory >> 20],
        **spent(found, count),
        **times(found, calm),
    }
    return Verdict(FUZZ[kind], cells, broken, too_slow(found, calm))


async def damaged_answers(here: Testbed, seconds: float, _seed: int) -> Verdict:
    """Every system answers nonsense now and then while the genuine shop changes; afterwards all is there."""
    tracebacks, before = here.tracebacks(), here.usage()
    for system in ("upgates", "upp", "uphance"):
        await here.control("PUT", f"/faults/{system}", {"garble_share": _SHARE})
    changed = 0
    try:
        for _ in range(max(int(seconds), 1)):
            done = await here.control(
                "POST", f"/shops/{VICTIM}/mutate", {"changes": _CHANGES, "seed": changed + 1}
            )
            changed += done["changes"]
            await asyncio.sleep(1)
    finally:
        await here.control("DELETE", "/faults")
    here.processes.check()
    broken = []
    if here.tracebacks() > tracebacks:
        broken.append(f"{here.tracebacks() - tracebacks} tracebacks in the log")
    memory = here.usage().memory
    if memory > before.memory * _MEMORY:
        broken.append(f"memory grew from {before.memory >> 20} to {memory >> 20} MiB")
    return Verdict(DAMAGED, {"changes": changed, "memory_mib": [before.memory >> 20, memory >> 20]}, broken)


async def _again(here: Testbed, kind: str, seed: int, number: int, known: Places) -> int:
    """The status of one request alone: one that is to come again (503) was not refused for what it says."""
    status = CUT
    for _ in range(3):
        await asyncio.sleep(1)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            line = await Line.open(here.port)
            try:
                status = await line.ask(made(kind, seed, number, known))
            finally:
                line.close()
        if status != _COME_AGAIN:
            break
    return status
