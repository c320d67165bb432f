"""A mail server that delivers nothing: it keeps what was sent, for the page that shows it and for tests."""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

#: The login that it takes.
USER, PASSWORD = "upbridge", "sandbox-mail"
_KEPT = 200


class MailFault(StrEnum):
    """What it does instead of taking a mail."""

    NONE = "none"
    REFUSE = "refuse"
    """It knows no recipient (550)."""
    LATER = "later"
    """It takes the mail another time (451)."""
    SILENT = "silent"
    """It greets, and says nothing more."""
    CUT = "cut"
    """It ends the connection in the middle of a mail."""
    UNANSWERED = "unanswered"
    """It takes the mail and ends the connection before it has said so."""


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it came."""

    id: int
    at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    encrypted: bool
    """Whether it came over TLS."""

    @property
    def message(self) -> EmailMessage:
        """The mail with its headers and parts."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def subject(self) -> str:
        """What it is about, as a person reads it: a space that breaks no line looks like any other."""
        return str(self.message["Subject"] or "").replace("\N{NO-BREAK SPACE}", " ")

    def body(self, kind: str) -> str:
        """Its part of *kind* (`plain`, `html`), as a person reads it; nothing where it has none."""
        part = self.message.get_body((kind,))
        said = "" if part is None else str(part.get_content())
        return said.replace("\r\n", "\n").replace("\N{NO-BREAK SPACE}", " ")

    def as_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        headers = {name: str(value) for name, value in self.message.items()}
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "from": self.sender,
            "to": list(self.recipients),
            "subject": self.subject,
            "headers": headers,
            "plain": self.body("plain"),
            "html": self.body("html"),
        }


@dataclass(slots=True)
class MailBox:
    """What was sent, newest last, and the fault that is switched on."""

    fault: MailFault = MailFault.NONE
    received: deque[Received] = field(default_factory=lambda: deque(maxlen=_KEPT))
    greeted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has greeted it."""
    logins: int = 0
    _count: int = 0

    # --- what the protocol asks of its handler --------------------------------------------------------------

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """A client greets."""
        self.greeted.set()
        if self.fault is MailFault.SILENT:
            await asyncio.Event().wait()
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A client names a recipient."""
        if self.fault is MailFault.REFUSE:
            return "550 5.1.1 there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A client has sent a whole mail."""
        if self.fault is MailFault.LATER:
            return "451 4.3.2 not now"
        assert isinstance(server.transport, asyncio.WriteTransport)
        if self.fault is not MailFault.CUT:
            self._keep(envelope, encrypted=server.transport.get_extra_info("sslcontext") is not None)
        if self.fault in {MailFault.CUT, MailFault.UNANSWERED}:
            server.transport.abort()
        return "250 OK"

    def _keep(self, envelope: Envelope, *, encrypted: bool) -> None:
        self._count += 1
        assert isinstance(envelope.original_content, bytes)
        self.received.append(
            Received(
                id=self._count,
                at=datetime.now(UTC),
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                raw=envelope.original_content,
                encrypted=encrypted,
            )
        )

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        """A client logs in."""
        self.logins += 1
        good = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False)


@contextlib.asynccontextmanager
async def running_mail_box(
    box: MailBox,
    listener: socket.socket,
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """*box* takes mails at *listener* as long as the block lasts. *starttls*: it offers to encrypt; *tls*: it
    speaks nothing else."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            box,
            hostname="mail.sandbox",
            ident="simulated mail server",
            tls_context=starttls,
            authenticator=box.login,
            auth_require_tls=False,
            timeout=60,
            loop=loop,
        )

    server = await loop.create_server(protocol, sock=listener, ssl=tls)
    try:
        yield
    finally:
        server.close()
