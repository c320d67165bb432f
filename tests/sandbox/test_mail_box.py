"""The simulated mail server: what was sent is shown, and it can fail."""

import aiosmtplib
import httpx
import pytest

from tests.support.clock import NOON
from tests.support.mail import letter
from upbridge.core.errors import Unreachable
from upbridge.domain.mail import mail_server, sender
from upbridge.mail.smtp import Mailer
from upbridge_sandbox import Sandbox


async def send(box: Sandbox, **changes: str) -> None:
    mailer = Mailer(mail_server(box.addresses.mail), sender("upbridge@example.com"))
    await mailer.send(letter(**changes), now=NOON)


async def test_what_was_sent_is_listed_and_opens_as_html_and_as_plain_text(box: Sandbox) -> None:
    await send(box, subject="Něco", html="<h2>V HTML</h2>", plain="V textu\n")

    (mail,) = (await box.control("GET", "/mail"))["mails"]
    assert (mail["to"], mail["subject"], mail["plain"]) == (["owner@example.com"], "Něco", "V textu\n")
    async with httpx.AsyncClient(base_url=box.addresses.admin, trust_env=False) as browser:
        assert "Něco" in (await browser.get("/mail")).text
        page = (await browser.get(f"/mail/{mail['id']}")).text
        assert "V textu" in page
        assert f'src="/mail/{mail["id"]}/html"' in page
        alone = await browser.get(f"/mail/{mail['id']}/html")
        assert "<h2>V HTML</h2>" in alone.text
        assert "default-src 'none'" in alone.headers["content-security-policy"]
        assert (await browser.get("/mail/99")).status_code == 404


async def test_a_fault_is_switched_by_control_and_by_the_page_and_ends_with_all_others(box: Sandbox) -> None:
    await box.control("PUT", "/mail/fault", {"fault": "later"})
    with pytest.raises(Unreachable):
        await send(box)
    async with httpx.AsyncClient(base_url=box.addresses.admin, trust_env=False) as browser:
        await browser.post("/control/mail/fault", data={"method": "PUT", "fault": "cut"})
        with pytest.raises(Unreachable):
            await send(box)
        await box.control("DELETE", "/faults")
        await send(box)
        assert len((await box.control("GET", "/mail"))["mails"]) == 1
        await browser.post("/control/mail", data={"method": "DELETE"})

    assert (await box.control("GET", "/mail"))["mails"] == []


async def test_another_login_sends_nothing(box: Sandbox) -> None:
    address = mail_server(box.addresses.mail)
    client = aiosmtplib.SMTP(hostname=address.host, port=address.port, local_hostname="test", start_tls=False)
    await client.connect()
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await client.login("upbridge", "wrong")
    await client.quit()

    assert (await box.control("GET", "/mail"))["mails"] == []
