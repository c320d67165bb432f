"""A mail server on this machine that keeps what it is sent."""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.clock import NOON
from upbridge.domain.mail import Letter
from upbridge_sandbox.mail_box import PASSWORD, USER, MailBox, running_mail_box

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Box:
    """A mail box and where it listens."""

    box: MailBox
    port: int

    def url(self, scheme: str = "smtp", *, login: str = f"{USER}:{PASSWORD}@") -> str:
        return f"{scheme}://{login}{HOST}:{self.port}"


@contextlib.asynccontextmanager
async def listening(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Box]:
    """A mail box on a free port."""
    listener = socket.create_server((HOST, 0))
    box = MailBox()
    async with running_mail_box(box, listener, starttls=starttls, tls=tls):
        yield Box(box, listener.getsockname()[1])


@dataclass(frozen=True)
class Certificate:
    """A certificate for this machine: what its owner shows, and what who believes it trusts."""

    shown: ssl.SSLContext
    trusted: ssl.SSLContext


def certificate(folder: Path) -> Certificate:
    """A certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=3650))
        .not_valid_after(NOON + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(path)
    return Certificate(shown, ssl.create_default_context(cafile=str(path)))


def letter(**changes: str | None) -> Letter:
    """A letter to a merchant."""
    values = {
        "to": "owner@example.com",
        "subject": "Příliš žluťoučký kůň",
        "plain": "Ahoj\n",
        "html": "<p>Ahoj</p>\n",
        "message_id": "<1@upbridge.example>",
        "stop": None,
        **changes,
    }
    return Letter(**values)  # type: ignore[arg-type]
