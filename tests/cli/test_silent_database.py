"""A database that falls silent in the middle of a command ends it."""

import queue

from tests.support.silent_servers import silent_server
from upbridge.cli.silent_database import watch

LONGEST = 30


def test_a_server_that_takes_connections_and_says_nothing_is_silent() -> None:
    said: queue.Queue[str] = queue.Queue()
    with silent_server() as port:
        over = watch(f"postgresql://someone@127.0.0.1:{port}/none", end=said.put, every=0.01, deadline=0.2)
        reason = said.get(timeout=LONGEST)
        over.set()

    assert "does not answer within 0.2 s" in reason


def test_a_server_that_answers_or_refuses_is_not(database_url: str) -> None:
    said: queue.Queue[str] = queue.Queue()
    for address in (database_url, "postgresql://someone@127.0.0.1:1/none"):
        over = watch(address, end=said.put, every=0.0, deadline=LONGEST)
        over.wait(0.5)
        over.set()

    assert said.empty()
