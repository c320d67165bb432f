"""The fuzzers as rows of the table: odd requests at the real instance, and damaged answers of its partners."""

import asyncio
import contextlib

from tests.attack.fuzz import Fuzz, Places, made
from tests.attack.scale import Scale
from tests.attack.testbed import VICTIM, Testbed
from tests.attack.verdicts import CALM, Verdict, spent, times, too_long, too_slow
from tests.attack.weapons import CUT, Line
from tests.project.reference.http import addresses
from upbridge.domain.webhooks import ANY_EVENT

#: The share of each kind in all odd requests. Most go where a request costs least: to the parser.
SHARES = {"routes": 0.2, "bodies": 0.12, "headers": 0.22, "raw": 0.46}
FUZZ = {kind: f"fuzzed {kind}" for kind in SHARES}
DAMAGED = "partners' damaged answers"

#: Requests before the memory is looked at, as a share of all that follow.
_WARM_UP = 0.05
_EVENTS = ("Orders.create", "Orders.update", "Products.update", "Products.delete", "Languages.update")
#: So many genuine webhook addresses stand among the routes, and it is so many steps from one to the next.
_HOOKS, _STEP = 24, 7
_MEMORY = 1.2
_COME_AGAIN = 503
_SHARE = 0.4
_CHANGES = 15
"""Changes in the simulated shop for each second of damaged answers."""
#: So far apart are the seeds of the changes of two seeds.
_FAR = 1_000_000


async def places(here: Testbed, scale: Scale) -> Places:
    """What the application serves, with genuine sessions and webhook addresses of shops."""
    if not here.fuzzed_sessions:
        for number in range(scale.shops):
            name = f"fuzzed{number}"
            await here.open_shop(name)
            here.fuzzed_sessions.extend([await here.enter(name) for _ in range(scale.sessions)])
        await here.quiet(*_shops(scale))
    routes = [
        (method, address.path)
        for address in addresses()
        if not address.path.endswith("/end")
        for method in address.methods
    ]
    hooks = [here.webhook(name, event) for name in _shops(scale) for event in _EVENTS]
    hooks += [
        f"/webhooks/uphance/{here.addresses.token(here.shops[name], 'uphance', ANY_EVENT)}"
        for name in _shops(scale)
    ]
    known = {
        "session": here.fuzzed_sessions,
        "event": _EVENTS,
        "system": ("upp", "uphance"),
    }
    return Places([*routes, *(("POST", hooks[_STEP * place % len(hooks)]) for place in range(_HOOKS))], known)


def _shops(scale: Scale) -> list[str]:
    return [f"fuzzed{number}" for number in range(scale.shops)]


async def fuzzed(kind: str, here: Testbed, scale: Scale, seed: int) -> Verdict:
    """Odd requests of one kind: none fails at the server, none leaves a traceback or memory behind."""
    known = await places(here, scale)
    count = round(scale.fuzzed * SHARES[kind])
    warm_up = range(-round(count * _WARM_UP), 0)
    await here.attack(Fuzz(here.port, kind, seed, known, warm_up), seconds=scale.seconds)
    calm = (await here.attack(None, seconds=max(scale.seconds * CALM, 1.0))).taken
    before, tracebacks = here.usage(), here.tracebacks()
    found = await here.attack(Fuzz(here.port, kind, seed, known, range(count)), seconds=scale.seconds)
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
        "sent": found.fired.sent,
        "rate": round(found.fired.sent / found.fired.seconds, 1),
        "statuses": {str(status): number for status, number in sorted(found.fired.statuses.items())},
        "memory_mib": [before.memory >> 20, memory >> 20],
        **spent(found, count),
        **times(found, calm),
    }
    return Verdict(FUZZ[kind], cells, broken, too_slow(found, calm))


async def damaged_answers(here: Testbed, scale: Scale, seed: int) -> Verdict:
    """Every system answers nonsense now and then while the genuine shop changes; afterwards all is there."""
    tracebacks, before = here.tracebacks(), here.usage()
    for system in ("upgates", "upp", "uphance"):
        await here.control("PUT", f"/faults/{system}", {"garble_share": _SHARE, "garble_seed": seed})
    changed = 0
    try:
        for _ in range(max(int(scale.seconds), 1)):
            wanted = {"changes": _CHANGES, "seed": seed * _FAR + changed}
            changed += (await here.control("POST", f"/shops/{VICTIM}/mutate", wanted))["changes"]
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
