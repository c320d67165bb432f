"""The doctor's look outside: the signature key, the clock, the other systems, and the way back to ourselves."""

from dataclasses import replace
from datetime import timedelta

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from upbridge.core.bounds import ANSWER
from upbridge.core.clock import Clock
from upbridge.core.errors import RemoteError, Unreachable
from upbridge.core.parsing import http_date
from upbridge.domain.mail import Security, sender
from upbridge.mail.smtp import Mailer
from upbridge.maintenance.doctor.finding import Finding
from upbridge.settings import Settings, is_loopback
from upbridge.systems.http.published_key import fetch_key
from upbridge.systems.http.transport import Remote

#: For each answer from outside.
_SECONDS = 5.0
#: What an answer to the doctor may have.
LOOK = replace(ANSWER, seconds=_SECONDS)
_MAX_SKEW = timedelta(seconds=30)
#: What `/livez` answers.
_ALIVE = b'{"status":"ok"}'


async def look_at_signature_key(http: httpx.AsyncClient, settings: Settings, clock: Clock) -> list[Finding]:
    """Whether the key is there that signed calls are checked with; its host also says what time it is."""
    try:
        answer = await fetch_key(http, settings.signature_key_url, clock, deadline=_SECONDS)
        key = load_pem_public_key(answer.body)
    except (RemoteError, ValueError) as error:
        return [
            Finding("signature key", "bad", f"not readable: {_why(error)}; see UPBRIDGE_SIGNATURE_KEY_URL"),
            Finding("clock", "warn", "not compared: the key host, which would say what time it is, gives no key"),
        ]
    findings = [Finding("signature key", "ok", type(key).__name__.lstrip("_"))]
    served_at = http_date(answer.headers.get("date", ""))
    if served_at is None:
        return [*findings, Finding("clock", "warn", "the key host does not say what time it is")]
    ahead = clock() - served_at
    how = (
        f"{abs(ahead).total_seconds():.0f} s {'fast' if ahead > timedelta(0) else 'slow'}, by the key host's clock"
    )
    if abs(ahead) <= _MAX_SKEW:
        return [*findings, Finding("clock", "ok", how)]
    return [*findings, Finding("clock", "bad", f"{how}: set it by NTP, or signed calls are refused")]


def _why(error: Exception) -> str:
    """The words of the library where it has some: an unknown name, a refusal, a certificate."""
    said = str(error.__cause__ or "")
    return f"{error} ({said})" if said else str(error)


async def look_at_system(remote: Remote, name: str, url: str) -> list[Finding]:
    """Any answer proves the way there, a refusal too; nothing is asked that counts as a login."""
    try:
        answer = await remote.exchange("GET", url, operation="GET /")
    except Unreachable as error:
        return [Finding(name, "bad", f"{url} does not answer: {_why(error)}")]
    if answer.outcome.system_failing:
        return [Finding(name, "warn", f"{url} answers, but with {answer.outcome.status}")]
    return [Finding(name, "ok", f"{url} answers")]


async def look_at_mail(settings: Settings) -> list[Finding]:
    """Whether the mail server lets us in; nothing is sent."""
    if settings.mail is None or settings.mail_from is None:
        return [Finding("mail", "ok", "no mail server is set (UPBRIDGE_SMTP_URL): no mail is sent")]
    server = settings.mail
    try:
        way = await Mailer(server, sender(settings.mail_from), _SECONDS).check()
    except Unreachable as error:
        return [Finding("mail", "bad", f"{error}; see UPBRIDGE_SMTP_URL")]
    told = f"{server} takes mails, {way}"
    if settings.operator_email is None:
        told += "; no operator hears of a shop that stops (UPBRIDGE_OPERATOR_EMAIL)"
    bare = server.security is Security.NONE and server.password is not None and not is_loopback(server.host)
    if bare:
        told += "; the password travels in clear: use smtps:// or smtp+starttls://"
    return [Finding("mail", "warn" if bare or settings.operator_email is None else "ok", told)]


async def look_at_public_address(http: httpx.AsyncClient, settings: Settings, clock: Clock) -> list[Finding]:
    """Whether our own public address leads to us. From here: a router may lead others there and not us."""
    if settings.public_url is None:
        return []
    origin = settings.public_origin()
    remote = Remote("self", http, clock, LOOK)
    try:
        answer = await remote.exchange("GET", f"{origin}/livez", operation="GET /livez")
    except Unreachable as error:
        return [Finding("public address", "warn", f"{origin} does not answer from here: {_why(error)}")]
    status = answer.outcome.status
    if answer.accepted and answer.body.strip() == _ALIVE:
        return [Finding("public address", "ok", f"{origin} leads here")]
    if answer.outcome.system_failing:
        return [Finding("public address", "bad", f"{origin} answers with {status}: does `upbridge serve` run?")]
    return [Finding("public address", "bad", f"{origin} leads to something else, which answers with {status}")]
