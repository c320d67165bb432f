"""Mails are handed over once as far as SMTP can, over a way that is verified, and never for ever."""

from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import NOON, expired
from tests.support.mail import Box, certificate, letter, listening
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.mail import mail_server
from upbridge.mail.smtp import Mailer
from upbridge_sandbox.mail_box import MailFault

FROM = Address("Upbridge", addr_spec="upbridge@example.com")


def mailer(url: str, **more: Any) -> Mailer:
    return Mailer(mail_server(url), FROM, **more)


async def test_a_letter_arrives_with_both_parts_and_the_way_to_stop_it() -> None:
    stop = "https://upbridge.example/ui/mail/abc"
    async with listening() as here:
        await mailer(here.url()).send(letter(stop=stop), now=NOON)

        (one,) = here.box.received
    assert (one.sender, one.recipients) == ("upbridge@example.com", ("owner@example.com",))
    assert one.subject == "Příliš žluťoučký kůň"
    assert (one.body("plain"), one.body("html")) == ("Ahoj\n", "<p>Ahoj</p>\n")
    headers = one.as_json()["headers"]
    assert headers["From"] == "Upbridge <upbridge@example.com>"
    assert headers["Message-ID"] == "<1@upbridge.example>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Unsubscribe"] == f"<{stop}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert here.box.logins == 1


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_an_encrypted_way_is_taken_only_to_a_server_that_proves_its_name(
    tmp_path: Path, scheme: str
) -> None:
    own = certificate(tmp_path)
    way = {"tls": own.shown} if scheme == "smtps" else {"starttls": own.shown}
    async with listening(**way) as here:
        with pytest.raises(Unreachable, match="certificate is not believed"):
            await mailer(here.url(scheme)).send(letter(), now=NOON)
        assert not here.box.received
        assert not here.box.logins

        await mailer(here.url(scheme), trust=own.trusted).send(letter(), now=NOON)

        assert [one.encrypted for one in here.box.received] == [True]


async def test_a_server_that_does_not_encrypt_where_it_should_gets_neither_login_nor_mail() -> None:
    async with listening() as here:
        with pytest.raises(Unreachable, match="STARTTLS"):
            await mailer(here.url("smtp+starttls")).send(letter(), now=NOON)

        assert not here.box.logins
        assert not here.box.received


@pytest.mark.parametrize(
    ("fault", "error", "kept"),
    [
        (MailFault.REFUSE, Rejected, 0),
        (MailFault.LATER, Unreachable, 0),
        (MailFault.CUT, Unreachable, 0),
        (MailFault.UNANSWERED, Unreachable, 1),
    ],
)
async def test_only_a_refusal_is_final(fault: MailFault, error: type[Exception], kept: int) -> None:
    async with listening() as here:
        here.box.fault = fault

        with pytest.raises(error) as caught:
            await mailer(here.url()).send(letter(), now=NOON)

        assert len(here.box.received) == kept
    assert "owner@example.com" not in str(caught.value)


async def test_a_wrong_login_is_reported_without_the_password() -> None:
    async with listening() as here:
        with pytest.raises(Unreachable, match="refuses the login") as caught:
            await mailer(here.url(login="me:hush@")).send(letter(), now=NOON)

    assert "hush" not in str(caught.value)


async def test_an_address_where_no_server_listens_is_a_matter_for_another_try() -> None:
    with pytest.raises(Unreachable):
        await mailer("smtp://127.0.0.1:9").send(letter(), now=NOON)


async def test_a_silent_server_is_left_at_the_deadline() -> None:
    async with listening() as here:
        here.box.fault = MailFault.SILENT

        with pytest.raises(Unreachable, match="does not answer in time"):
            await expired(mailer(here.url()).send(letter(), now=NOON), lambda: greeted(here))


async def greeted(here: Box) -> None:
    """Wait until a client has greeted the mail server."""
    await here.box.greeted.wait()


async def test_a_check_logs_in_and_sends_nothing() -> None:
    async with listening() as here:
        assert await mailer(here.url()).check() == "not encrypted"

        assert here.box.logins == 1
        assert not here.box.received
