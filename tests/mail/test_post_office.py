"""What was written is sent once as far as SMTP can; what the mail server does not take waits, and not for ever."""

import asyncio
from dataclasses import replace
from typing import Any

import structlog
from cryptography.fernet import Fernet
from sqlalchemy import text

from tests.support.clock import MovableClock
from tests.support.mail import Box
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.mail.composing import Content
from upbridge.mail.post_office import MOST_TRIES, PostOffice
from upbridge.store import letters
from upbridge.webhooks.addresses import load_addresses
from upbridge_sandbox.mail_box import MailFault

TO = "owner@example.com"
CONTENT = Content(language="cs", subject="Něco", heading="Něco se stalo")


async def write(post: PostOffice, once: str = "one", **more: Any) -> bool:
    async with post.engine.begin() as tx:
        return await post.write(tx, CONTENT, to=TO, once=once, **more)


async def rows(post: PostOffice) -> list[tuple[Any, ...]]:
    """Whether a letter's words are there, when it ended, why, and how often it was tried."""
    query = "SELECT sealed IS NOT NULL, ended_at IS NOT NULL, reason, attempts FROM letters ORDER BY id"
    async with post.engine.connect() as tx:
        return [tuple(row) for row in await tx.execute(text(query))]


async def test_a_letter_of_one_name_is_sent_once_by_several_processes(post: PostOffice, mail: Box) -> None:
    assert await write(post)
    assert not await write(post)

    await asyncio.gather(*(post.send_due() for _ in range(4)))
    await post.send_due()

    assert [one.recipients for one in mail.box.received] == [(TO,)]
    assert await rows(post) == [(False, True, None, 1)]


async def test_what_waits_is_sealed_and_nothing_of_it_is_logged(post: PostOffice, mail: Box) -> None:
    mail.box.fault = MailFault.LATER
    with structlog.testing.capture_logs() as logged:
        await write(post)
        await post.send_due()
        mail.box.fault = MailFault.REFUSE
        post.clock.move(hours=1)  # type: ignore[attr-defined]
        await post.send_due()

    async with post.engine.connect() as tx:
        stored = str((await tx.execute(text("SELECT * FROM letters"))).all())
    assert TO not in stored + str(logged)
    assert [one["event"] for one in logged] == ["mail_waits", "mail_refused"]


async def test_what_the_server_does_not_take_now_is_tried_again_with_the_same_name(
    post: PostOffice, mail: Box, watch: MovableClock
) -> None:
    mail.box.fault = MailFault.UNANSWERED
    await write(post)
    await post.send_due()
    mail.box.fault = MailFault.NONE

    await post.send_due()
    assert len(mail.box.received) == 1
    watch.move(minutes=1)
    await post.send_due()

    first, second = mail.box.received
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert await rows(post) == [(False, True, None, 2)]


async def test_a_server_that_fails_is_asked_once_a_round(post: PostOffice, mail: Box) -> None:
    mail.box.fault = MailFault.LATER
    for name in ("a", "b", "c"):
        await write(post, name)

    await post.send_due()

    assert [attempts for *_, attempts in await rows(post)] == [1, 0, 0]


async def test_a_refused_recipient_is_not_asked_again_and_keeps_no_other_waiting(
    post: PostOffice, mail: Box, watch: MovableClock
) -> None:
    mail.box.fault = MailFault.REFUSE
    await write(post, "a")
    await write(post, "b")

    assert await post.send_due() == 2
    mail.box.fault = MailFault.NONE
    watch.move(days=1)
    await post.send_due()

    assert not mail.box.received
    assert await rows(post) == [(False, True, "the mail server answers 550", 1)] * 2


async def test_a_letter_is_given_up_when_it_is_old(post: PostOffice, mail: Box, watch: MovableClock) -> None:
    mail.box.fault = MailFault.LATER
    await write(post)

    for _ in range(MOST_TRIES + 3):
        await post.send_due()
        watch.move(hours=1)

    assert await rows(post) == [(False, True, "the mail server answers 451", MOST_TRIES)]


async def test_a_letter_whose_sender_died_is_sent_by_another(
    post: PostOffice, mail: Box, watch: MovableClock
) -> None:
    await write(post)
    async with post.engine.begin() as tx:
        assert await letters.claim(tx, now=watch())

    await post.send_due()
    assert not mail.box.received
    watch.move(minutes=3)
    await post.send_due()

    assert len(mail.box.received) == 1


async def test_a_letter_that_no_key_opens_keeps_no_other_waiting(
    post: PostOffice, mail: Box, cipher: Cipher
) -> None:
    await write(post, "lost")
    async with post.engine.begin() as tx:
        await tx.execute(text("UPDATE letters SET sealed = 'x'"))
    await write(post, "good")

    await post.send_due()

    assert len(mail.box.received) == 1
    assert await rows(post) == [(False, True, "no key opens it", 1), (False, True, None, 1)]


async def test_letters_to_a_shop_go_with_the_shop(post: PostOffice, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    await write(post, shop_id=shop_id)

    async with post.engine.begin() as tx:
        await tx.execute(text("DELETE FROM shops"))

    assert await rows(post) == []


async def test_a_process_with_other_keys_leaves_a_letter_to_those_that_can_open_it(
    post: PostOffice, mail: Box, watch: MovableClock
) -> None:
    await load_addresses(post.engine, post.cipher)
    await write(post)

    await replace(post, cipher=Cipher([Fernet.generate_key().decode()])).send_due()
    watch.move(minutes=1)
    await post.send_due()

    assert len(mail.box.received) == 1
