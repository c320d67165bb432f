"""Mail: addresses, the server that takes it, and a letter before it is on its way."""

import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from enum import StrEnum
from urllib.parse import unquote, urlsplit

_LONGEST_ADDRESS = 254
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})*")
_NAMED = re.compile(r'"?(?P<name>[^<>"@\x00-\x1f]+)"?\s*<(?P<address>[^<>]+)>')


class NoAddress(ValueError):
    """The text is no address that a mail can be sent to."""


def email_address(text: str) -> str:
    """*text* without blanks around it, if it is one plain address; raises `NoAddress`.

    Quoted local parts and letters beyond ASCII are refused: hardly a mail server takes them.
    """
    address = text.strip()
    if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        raise NoAddress("an e-mail address such as owner@example.com")
    return address


def sender(text: str) -> Address:
    """Who a mail is from: an address, or a name and an address in angle brackets; raises `NoAddress`."""
    named = _NAMED.fullmatch(text.strip())
    if named is None:
        return Address(addr_spec=email_address(text))
    return Address(named["name"].strip(), addr_spec=email_address(named["address"]))


class Security(StrEnum):
    """How the way to the mail server is protected."""

    NONE = "smtp"
    STARTTLS = "smtp+starttls"
    TLS = "smtps"


_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed over."""

    security: Security
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.security}://{self.host}:{self.port}"


def mail_server(url: str) -> MailServer:
    """The server that *url* names; raises `ValueError` with what is wrong, never with the password."""
    try:
        parts = urlsplit(url)
        security = Security(parts.scheme)
        port = parts.port
    except ValueError:
        raise ValueError("not smtp://, smtp+starttls:// or smtps:// with a host and perhaps a port") from None
    if not parts.hostname or port == 0 or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("must be a scheme, perhaps user:password@, a host and perhaps a port, and nothing more")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has a user or a password, but not both")
    return MailServer(
        security,
        parts.hostname,
        port or _PORTS[security],
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail, ready to be sent. It is sealed as long as it waits: it has an address."""

    to: str
    subject: str
    plain: str
    html: str
    message_id: str
    """The same in each try: so a server that has it already can tell."""
    stop: str | None = None
    """Where one POST ends such mails."""
