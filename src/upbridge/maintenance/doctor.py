"""The doctor: one line for each thing that has to be right, and what to do where it is not."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from upbridge.core.clock import Clock, utc_now
from upbridge.core.database_failure import reason_of
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import NotReady, RemoteError, Unreachable
from upbridge.core.parsing import http_date
from upbridge.domain.mail import Security, sender
from upbridge.engine import deleted_orders
from upbridge.mail.smtp import Mailer
from upbridge.settings import Settings, is_loopback
from upbridge.store import secrets, shops
from upbridge.store.database import Database, open_database
from upbridge.store.probes import lost_limit, mixed_sessions, not_writable
from upbridge.store.schema_version import schema_version
from upbridge.systems.base import Systems
from upbridge.systems.http.transport import Remote, http_client
from upbridge.systems.upgates.signature_key import fetch_key

_SECONDS = 5.0
_MAX_SKEW = timedelta(seconds=30)
_OLDEST_POSTGRES = 150000
_MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    check: str
    state: Literal["ok", "warn", "bad"]
    detail: str


async def examine(settings: Settings, systems: Systems, *, clock: Clock = utc_now) -> list[Finding]:
    """Look at everything; a part that fails never hides the others."""
    findings = _settings(settings)
    try:
        async with open_database(settings, pool_size=1) as database:
            findings += await _database(database, settings)
    except NotReady as error:
        findings.append(Finding("database", "bad", str(error)))
    async with http_client() as http:
        checks: list[Callable[[], Awaitable[list[Finding]]]] = [
            lambda: _signature_key(http, settings, clock),
            lambda: _mail(settings),
        ]
        for system in systems.connected:
            if system.url is not None:
                remote = Remote(system.name, http, clock, _SECONDS)
                checks.append(partial(_reachable, remote, system.title.lower(), system.url(settings)))
        for found in await asyncio.gather(*(check() for check in checks)):
            findings += found
    return findings


def _settings(settings: Settings) -> list[Finding]:
    findings = [Finding("settings", "ok", "complete")]
    if settings.signature_token is None:
        findings.append(
            Finding("signature token", "bad", "set UPBRIDGE_SIGNATURE_TOKEN: signed calls are answered 503")
        )
    else:
        findings.append(Finding("signature token", "ok", "set"))
    origin = settings.public_origin()
    if settings.public_url is None:
        findings.append(
            Finding("public url", "warn", f"{origin} is for this machine only; set UPBRIDGE_PUBLIC_URL")
        )
    elif origin.startswith("http://"):
        findings.append(Finding("public url", "warn", f"{origin} is not https: for sandbox and tests only"))
    else:
        findings.append(Finding("public url", "ok", origin))
    if settings.allow_insecure:
        findings.append(Finding("insecure", "warn", "UPBRIDGE_ALLOW_INSECURE=1: for sandbox and tests only"))
    return findings


async def _database(database: Database, settings: Settings) -> list[Finding]:
    try:
        async with database.engine.connect() as tx:
            number = int(await tx.scalar(text("SHOW server_version_num")) or 0)
            version = await tx.scalar(text("SHOW server_version"))
    except (DBAPIError, OSError) as error:
        return [Finding("database", "bad", reason_of(error))]
    kind = "embedded" if database.embedded is not None else "given"
    old = number < _OLDEST_POSTGRES
    findings = [
        Finding("database", "bad" if old else "ok", f"Postgres {version}, {kind}{', 15 is needed' if old else ''}")
    ]
    findings += await _sessions(database)
    current = await schema_version(database.engine)
    if current.problem is not None:
        return [*findings, Finding("schema", "bad", current.problem)]
    newer = ", newer than this version: it runs on it" if current.newer else ""
    findings.append(Finding("schema", "ok", f"at {current.revision}{newer}"))
    return [
        *findings,
        await _keys(database, Cipher(settings.keys())),
        await _webhooks(database),
        await _deletions(database),
    ]


async def _sessions(database: Database) -> list[Finding]:
    """Whether a session is one: all that holds a shop's lane, and each limit, stands on that."""
    wrong = await mixed_sessions(database.conninfo) or await lost_limit(database.engine)
    full = await not_writable(database.engine)
    return [
        Finding("sessions", "bad" if wrong else "ok", wrong or "locks and time limits hold"),
        Finding("disk", "bad" if full else "ok", full or "a write was taken"),
    ]


async def _keys(database: Database, cipher: Cipher) -> Finding:
    """Whether the keys open what is stored: with a wrong one the service starts, and can do nothing."""
    async with database.engine.connect() as tx:
        sealed = await secrets.values(tx)
    try:
        for value in sealed:
            cipher.decrypt(value)
    except DecryptionError:
        return Finding("encryption key", "bad", "none opens what is stored; see UPBRIDGE_ENCRYPTION_KEYS")
    return Finding("encryption key", "ok", "opens what is stored" if sealed else "nothing is stored yet")


async def _webhooks(database: Database) -> Finding:
    """Whether Upgates reached us last, as its own lists of webhooks say; each shop is asked daily (R45)."""
    async with database.engine.connect() as tx:
        rows = await shops.failed_webhooks(tx)
    if not rows:
        return Finding("webhooks", "ok", "Upgates tells of no last call that failed")
    shown = [f"{row.key} {row.event} at {row.at}: {row.status or 'no answer'}" for row in rows[:_MOST_FAILURES]]
    more = [f"and {len(rows) - _MOST_FAILURES} more"] if len(rows) > _MOST_FAILURES else []
    return Finding("webhooks", "warn", "; ".join(["last calls failed: " + shown[0], *shown[1:], *more]))


async def _deletions(database: Database) -> Finding:
    """Whether a deletion whose webhook is lost is found: not every version of the API lists deleted orders."""
    async with database.engine.connect() as tx:
        number = await deleted_orders.unlisted(tx)
    told = "no shop refuses the list of them"
    if number:
        told = (
            f"{number} shops do not list them: a deletion without a webhook is seen while the order is open only"
        )
    return Finding("deleted orders", "ok", told)


async def _signature_key(http: httpx.AsyncClient, settings: Settings, clock: Clock) -> list[Finding]:
    try:
        answer = await fetch_key(http, settings.signature_key_url, clock, deadline=_SECONDS)
        key = load_pem_public_key(answer.body)
    except (RemoteError, ValueError) as error:
        return [Finding("signature key", "bad", f"not readable: {error}; see UPBRIDGE_SIGNATURE_KEY_URL")]
    findings = [Finding("signature key", "ok", type(key).__name__.lstrip("_"))]
    served_at = http_date(answer.headers.get("date", ""))
    if served_at is not None:
        skew = abs(clock() - served_at)
        state: Literal["ok", "bad"] = "ok" if skew <= _MAX_SKEW else "bad"
        findings.append(Finding("clock", state, f"{skew.total_seconds():.0f} s from the key host's clock"))
    else:
        findings.append(Finding("clock", "warn", "the key host does not say what time it is"))
    return findings


async def _mail(settings: Settings) -> list[Finding]:
    """Whether the mail server lets us in; nothing is sent."""
    if settings.mail is None or settings.mail_from is None:
        return [Finding("mail", "ok", "no mail server is set (UPBRIDGE_SMTP_URL): nobody is written to")]
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


async def _reachable(remote: Remote, name: str, url: str) -> list[Finding]:
    """Any answer proves the way there, a refusal too; nothing is asked that counts as a login."""
    try:
        answer = await remote.exchange("GET", url, operation="GET /")
    except Unreachable as error:
        return [Finding(name, "bad", f"{url} does not answer: {error}")]
    if answer.outcome.system_failing:
        return [Finding(name, "warn", f"{url} answers, but with {answer.outcome.status}")]
    return [Finding(name, "ok", f"{url} answers")]
