"""Whether anything holds the event loop: while one callback runs, the webhooks of all shops wait.

It is the processor's time of the loop's thread that counts, not the wall's: a machine that others use too changes
nothing. The collector's time does not count either: it is that of the whole test process.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from upbridge.core.i18n import load_texts
from upbridge.web.templates import compile_templates

MOST = 0.05
"""Seconds of one callback."""


@dataclass
class Held:
    """The longest that a callback took so far, and what it was."""

    seconds: float = 0.0
    by: str = ""
    collecting: float = field(default=0.0, repr=False)


@contextmanager
def held_loop() -> Iterator[Held]:
    """Watch every callback of every loop in the block."""
    held, run = Held(), asyncio.Handle._run
    began_to_collect = 0.0

    def collector(phase: str, _info: dict[str, int]) -> None:
        nonlocal began_to_collect
        if phase == "start":
            began_to_collect = time.thread_time()
        else:
            held.collecting += time.thread_time() - began_to_collect

    def watched(handle: asyncio.Handle) -> None:
        began, collected = time.thread_time(), held.collecting
        run(handle)
        took = time.thread_time() - began - (held.collecting - collected)
        if took > held.seconds:
            held.seconds, held.by = took, repr(handle)

    gc.callbacks.append(collector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", watched)
        try:
            yield held
        finally:
            gc.callbacks.remove(collector)


@pytest.fixture
def calm_loop() -> Iterator[Held]:
    """No callback of this test holds the loop for longer than `MOST`."""
    compile_templates()  # as a web process does before its first request
    load_texts()
    with held_loop() as held:
        yield held
    assert held.seconds <= MOST, f"the loop was held for {held.seconds * 1000:.0f} ms by {held.by}"
