"""Hand mails over to the mail server, by SMTP (RFC 5321).

A server that has taken a mail and whose word is lost is asked again: nothing in SMTP tells the two apart. So a
mail is sent once as far as SMTP can; each try has the same Message-ID, by which a mail server may know it again.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib

from upbridge.core.deadline import time_limit
from upbridge.core.errors import Rejected, Unreachable
from upbridge.domain.mail import Letter, MailServer, Security

#: A mail server that has not taken a mail after so many seconds, from the connection on, is asked again later.
DEADLINE = 30.0
_GOODBYE = 2.0
_PERMANENT = 500


@dataclass(frozen=True, slots=True)
class Mailer:
    """Sends from one address by one server. *trust*: whose certificates are believed; None: the system's."""

    server: MailServer
    sender: Address
    deadline: float = DEADLINE
    trust: ssl.SSLContext | None = None

    async def send(self, letter: Letter, *, now: datetime) -> None:
        """Hand *letter* over. Raises `Rejected` if the server refuses the recipient or the mail for good, and
        `Unreachable` if it is worth another try: it is not known then whether the server has the mail."""
        message = composed(letter, self.sender, now)
        async with self._talking() as client:
            try:
                await client.send_message(message, sender=self.sender.addr_spec, recipients=[letter.to])
            except aiosmtplib.SMTPRecipientsRefused as error:
                raise _refused(error.recipients[0]) from error
            except aiosmtplib.SMTPDataError as error:
                raise _refused(error) from error

    async def check(self) -> str:
        """Connect and log in, as for a mail, and send none; returns how the way is protected. Raises
        `Unreachable`."""
        async with self._talking() as client:
            await client.noop()
            return "encrypted" if client.get_transport_info("sslcontext") else "not encrypted"

    @asynccontextmanager
    async def _talking(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that is open and logged in. What fails in it is `Unreachable`, the deadline too."""
        client = aiosmtplib.SMTP(
            hostname=self.server.host,
            port=self.server.port,
            username=self.server.user,
            password=self.server.password,
            # The library would ask the name service for our own name, and wait for it.
            local_hostname=self.sender.domain,
            use_tls=self.server.security is Security.TLS,
            start_tls=self.server.security is Security.STARTTLS,
            tls_context=self.trust,
            timeout=self.deadline,
        )
        try:
            async with time_limit(self.deadline):
                await client.connect()
                yield client
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(f"{self.server}: {_reason(error)}") from error
        finally:
            # What was said is said: a server that does not take its leave has the mail all the same.
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(_GOODBYE):
                    await client.quit()
            client.close()


def _reason(error: Exception) -> str:
    """What failed, in a line without an address."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"refuses the login ({error.code})"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"answers {error.code}"
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLError):
        return "its certificate is not believed"
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return "does not answer in time"
    if isinstance(error, aiosmtplib.SMTPException):
        return " ".join(str(error.message).split())[:200]
    return type(error).__name__


def _refused(error: aiosmtplib.SMTPResponseException) -> Rejected | Unreachable:
    reason = f"the mail server answers {error.code}"
    return Rejected(reason) if error.code >= _PERMANENT else Unreachable(reason)


def composed(letter: Letter, sender: Address, now: datetime) -> EmailMessage:
    """*letter* as it goes over the line: plain text first, the same as HTML beside it."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"  # no machine answers it (RFC 3834)
    if letter.stop is not None:
        message["List-Unsubscribe"] = f"<{letter.stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.plain)
    message.add_alternative(letter.html, subtype="html")
    return message
