"""No password of another system is guessed through us."""

import asyncio
from datetime import timedelta

import pytest

from tests.operations.connecting import make_unconnected, uphance, upp
from tests.support.engine import Engine, MakeEngine
from upbridge.core.errors import LoginRefused
from upbridge.operations.login_attempts import MOST, WITHIN, TooManyLogins


@pytest.fixture
async def machine(make_engine: MakeEngine) -> Engine:
    return await make_unconnected(make_engine)


async def wrong(machine: Engine) -> type[Exception]:
    """What a wrong login ends with."""
    try:
        await uphance(machine, password="wrong")
    except (LoginRefused, TooManyLogins) as error:
        return type(error)
    raise AssertionError("it was taken")


async def test_the_sixth_wrong_login_within_a_quarter_of_an_hour_is_not_tried(machine: Engine) -> None:
    ended = [await wrong(machine) for _ in range(MOST + 3)]

    assert ended[MOST:] == [TooManyLogins] * 3
    assert not any(one is TooManyLogins for one in ended[:MOST])
    with pytest.raises(TooManyLogins, match="5 wrong logins at uphance"):
        await uphance(machine, password="right")


async def test_many_at_once_are_as_few(machine: Engine) -> None:
    ended = await asyncio.gather(*[wrong(machine) for _ in range(20)])

    assert ended.count(TooManyLogins) == 20 - MOST


async def test_another_system_and_a_later_moment_are_free(machine: Engine) -> None:
    for _ in range(MOST):
        await wrong(machine)

    await upp(machine)
    machine.watch.move(seconds=WITHIN / timedelta(seconds=1))
    await uphance(machine)


async def test_a_login_that_works_leaves_no_mark(machine: Engine) -> None:
    for _ in range(MOST + 2):
        await uphance(machine)

    assert await machine.rows("SELECT 1 FROM history WHERE what = 'wrong_login'") == []
