"""Asking whether the service is ready costs next to nothing, however many ask."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine, event
from structlog.testing import capture_logs

from upbridge.core.errors import NotReady
from upbridge.store.schema import HEAD
from upbridge.web.readiness import KEPT, Readiness


class Asked:
    """The readiness of a database, with a clock that stands still."""

    def __init__(self, url: str) -> None:
        self.now = 0.0
        self.readiness = Readiness(url, seconds=lambda: self.now)
        self.statements = 0
        self.attempts = 0
        event.listen(Engine, "before_cursor_execute", self._count)
        event.listen(Engine, "do_connect", self._attempt)

    def _count(self, _connection: object, _cursor: object, statement: str, *_more: object) -> None:
        self.statements += "version_num" in statement

    def _attempt(self, *_how: object) -> None:
        self.attempts += 1

    async def close(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._count)
        event.remove(Engine, "do_connect", self._attempt)
        await self.readiness.close()


@pytest.fixture
async def asked(database_url: str) -> AsyncIterator[Asked]:
    """On the database of the test."""
    asked = Asked(database_url)
    yield asked
    await asked.close()


async def test_a_thousand_questions_within_a_second_are_one_statement(asked: Asked) -> None:
    answers = await asyncio.gather(*[asked.readiness.schema() for _ in range(500)])
    answers += [await asked.readiness.schema() for _ in range(500)]

    assert {one.revision for one in answers} == {HEAD}
    assert asked.statements == 1
    asked.now += KEPT
    await asked.readiness.schema()
    assert asked.statements == 2


async def test_that_it_does_not_answer_is_remembered_for_as_long() -> None:
    asked = Asked("postgresql://nobody:hush@127.0.0.1:1/none")
    for _ in range(3):
        with pytest.raises(NotReady) as refused:
            await asked.readiness.schema()
        assert "hush" not in str(refused.value)

    assert asked.attempts == 1
    await asked.close()


async def test_a_database_that_takes_no_write_is_not_ready_and_says_why_in_the_log_only(database_url: str) -> None:
    """As on a full disk: the schema can be read, and no webhook could be stored."""
    url = f"{database_url}{'&' if '?' in database_url else '?'}options=-c%20default_transaction_read_only%3Don"
    asked = Asked(url)

    with capture_logs() as logs, pytest.raises(NotReady, match="takes no write"):
        await asked.readiness.schema()
    await asked.close()

    assert [(line["event"], "read-only" in line["reason"]) for line in logs] == [("database_takes_no_write", True)]
