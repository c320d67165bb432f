"""What a process does about mail follows from its settings, and one thing that fails ends no other."""

from typing import Any

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.mail import Box
from tests.support.rows import insert_rows, problem_row
from tests.support.shops import KEY, MakeShop
from upbridge.core.encryption import Cipher
from upbridge.mail.rounds import Rounds
from upbridge.settings import Settings
from upbridge.systems.registry import SYSTEMS

MAIL = {"mail_from": "Upbridge <upbridge@example.com>"}
ALL = {**MAIL, "operator_email": "operator@example.com"}


def rounds(engine: AsyncEngine, clock: MovableClock, **given: Any) -> Rounds:
    settings = Settings(_env_file=None, **given)
    cipher = Cipher([KEY])
    origin = "https://upbridge.example"
    return Rounds.of(settings, engine=engine, cipher=cipher, systems=SYSTEMS, clock=clock, origin=origin)


async def test_without_a_mail_server_nothing_runs(engine: AsyncEngine, watch: MovableClock) -> None:
    made = rounds(engine, watch)

    assert made == Rounds()
    await made.run()


async def test_one_round_looks_for_both_readers_and_sends(
    engine: AsyncEngine, watch: MovableClock, mail: Box, make_shop: MakeShop
) -> None:
    await make_shop(key="gone", state="suspended", reason="refused")
    shop_id = await make_shop(settings={"notify.email": "owner@example.com"})
    await insert_rows(engine, problem_row(shop_id, "1", since=watch()))
    made = rounds(engine, watch, smtp_url=mail.url(), **ALL)

    for _ in range(5):
        await made.once()
        watch.move(seconds=10)

    assert {one.recipients[0] for one in mail.box.received} == {"operator@example.com", "owner@example.com"}


async def test_an_operator_who_is_not_set_gets_no_mail(
    engine: AsyncEngine, watch: MovableClock, mail: Box, make_shop: MakeShop
) -> None:
    await make_shop(key="gone", state="suspended", reason="refused")

    await rounds(engine, watch, smtp_url=mail.url(), **MAIL).once()

    assert not mail.box.received


@pytest.mark.parametrize("insecure", [False, True])
async def test_the_night_is_quiet_but_in_the_sandbox(
    engine: AsyncEngine, watch: MovableClock, mail: Box, insecure: bool
) -> None:
    made = rounds(engine, watch, smtp_url=mail.url(), allow_insecure=insecure, **MAIL)

    assert made.merchants is not None
    assert made.merchants.nights is not insecure


async def test_keys_that_open_nothing_do_not_end_the_mails_to_the_operator(
    engine: AsyncEngine, watch: MovableClock, mail: Box, make_shop: MakeShop
) -> None:
    await make_shop(key="gone", state="suspended", reason="refused")
    async with engine.begin() as tx:
        await tx.execute(text("INSERT INTO secrets VALUES ('mail addresses', 'sealed by a key that is lost')"))
    made = rounds(engine, watch, smtp_url=mail.url(), **ALL)

    with structlog.testing.capture_logs() as logged:
        await made.once()

    assert [one.recipients for one in mail.box.received] == [("operator@example.com",)]
    assert "encryption_keys_do_not_fit" in {one["event"] for one in logged}
