"""A command ends with one line when the database stops answering in the middle of it.

A statement that waits for a silent server cannot be given up from within: the driver first tells the server, and
waits for that. So a thread asks beside the work whether the server still answers, and ends the process.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

import psycopg

from upbridge.settings import Settings

_EVERY_SECONDS = 1.5
_DEADLINE_SECONDS = 7.0
"""Both together are less than the nine seconds that a command waits for its first answer: what that leaves behind
is waited for at its end, and tells more than one line."""


@contextlib.contextmanager
def ended_by_silence(settings: Settings) -> Iterator[None]:
    """End the process if the given database is silent for seven seconds while the block runs."""
    if settings.embedded:
        yield
        return
    watching = watch(settings.given_database(), end=_end)
    try:
        yield
    finally:
        watching.set()


def watch(
    conninfo: str,
    *,
    end: Callable[[str], object],
    every: float = _EVERY_SECONDS,
    deadline: float = _DEADLINE_SECONDS,
) -> threading.Event:
    """Ask the database every so many seconds, from a thread; call *end* with the reason if it has not answered
    within *deadline* seconds; a refusal is an answer. Returns what stops it."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(every):
            asked = threading.Thread(target=_ask, args=(conninfo,), daemon=True)
            asked.start()
            asked.join(deadline)
            if asked.is_alive() and not over.is_set():
                end(f"the database does not answer within {deadline:g} s; see UPBRIDGE_DATABASE_URL")
                return

    threading.Thread(target=look, daemon=True).start()
    return over


def _ask(conninfo: str) -> None:
    # A refusal is an answer: the statements of the command meet it, too, and say it.
    with contextlib.suppress(psycopg.Error, OSError), psycopg.connect(conninfo) as tx:
        tx.execute("SELECT 1")


def _end(reason: str) -> None:
    sys.stderr.write(f"error: {reason}\n")
    sys.stderr.flush()
    os._exit(1)
