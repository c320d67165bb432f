"""The calls that Upp.ai publishes (Developer guide, client onboarding), with the token behind them.

    POST /auth/oauth/token   form, client credentials; no refresh token
    POST /ingest/bulk        {"products": […]}, at most 1,000; 202 means accepted, nothing more is ever said
    POST /orders/bulk        […], at most 1,000; an order that exists is updated
    POST /cpa                cost per acquisition, a row per day

Documented answers are 200, 201, 202 and 401. What a validation error looks like is not, nor a rate limit: both
are read by the table of `systems/http/classify.py`. Repeating any of these calls is safe. Nothing here logs, and
no error text holds a token or a secret, even if the server echoes one.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, cast
from weakref import WeakValueDictionary

import httpx

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import LoginRefused, Rejected, RemoteError, Throttled, Unreachable
from upbridge.systems.base import Vault
from upbridge.systems.http.classify import Action, judge

#: The most products, orders or days in one call.
BATCH = 1000

_TOKEN_PATH = "/auth/oauth/token"  # noqa: S105 - an address, no secret
_VERSION = {"Accept": "application/json", "Api-Version": "1"}
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
#: Renew at this share of a token's life, so that no batch starts with a dying one.
_RENEW_AT = 0.8
#: Assumed life of a token whose answer does not say; documented are 86,400 s.
_SHORT_LIFE = 3600.0
#: Wait this long where "too many requests" comes without a time.
_PAUSE = timedelta(seconds=60)
#: As much of an answer as is read at all, and as is kept of a refusal.
_READ, _KEEP = 65_536, 2048
#: Refusals that can be about the items. Any other (404, 415, …) says that the service is not what it should be:
#: looking for the bad item would refuse all of them.
_ABOUT_ITEMS = frozenset({400, 409, 413, 422})


class Stumbled(Unreachable):
    """They answered 500: their trouble, or an item that they choke on."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class UppClient:
    """Speaks to Upp for any number of shops; what is one shop's comes from its `Vault`.

    Every method raises `LoginRefused` (credentials do not work), `Throttled` (and until when), `Unreachable` (no
    usable answer: repeat later; `Stumbled` if it was a 500) or, where items are sent, `Rejected` with what the
    server said about them (at most 2 kB) and `answered`, the status.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, clock: Clock) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._clock = clock
        self._renewals: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def test_login(self, client_id: str, client_secret: str) -> None:
        """Ask for a token and forget it. Raises `LoginRefused`, `Throttled` or `Unreachable`."""
        await self._new_token(client_id, client_secret)

    async def ingest(self, vault: Vault, products: Sequence[bytes]) -> None:
        """Send *products*, JSON objects as written by the mapping, at most `BATCH`."""
        await self._send(vault, "/ingest/bulk", b'{"products":[' + b",".join(products) + b"]}")

    async def send_orders(self, vault: Vault, orders: Sequence[bytes]) -> None:
        """Send *orders*, JSON objects as written by the mapping, at most `BATCH`. Existing ones are updated."""
        await self._send(vault, "/orders/bulk", b"[" + b",".join(orders) + b"]")

    async def send_cpa(self, vault: Vault, discriminator: str, days: Sequence[tuple[date, Decimal]]) -> None:
        """Send the average cost of winning a customer for each of *days*.

        *discriminator* is an id that Upp gives the account. The guide calls `date` the time of an order; it is the
        day, written as in its example: midnight UTC.
        """
        payload = [{"date": f"{day.isoformat()}T00:00:00.000Z", "cpa": cpa} for day, cpa in days]
        for start in range(0, len(payload), BATCH):
            body = {"discriminator": discriminator, "payload": payload[start : start + BATCH]}
            await self._send(vault, "/cpa", canonical(body))

    async def _send(self, vault: Vault, path: str, body: bytes) -> None:
        """One call; a 401 renews the token and repeats once, a second one raises `LoginRefused`."""
        token = await self._token(vault)
        answer = await self._post_json(path, body, token)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            token = await self._token(vault, refused=token)
            answer = await self._post_json(path, body, token)
        secrets = (token, (await vault.secret()).get("client_secret", ""))
        error = self._error(path, answer, secrets=secrets)
        if error is not None:
            raise error

    async def _post_json(self, path: str, body: bytes, token: str) -> _Answer:
        headers = {**_VERSION, "Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        return await self._post(path, content=body, headers=headers)

    # --- the token --------------------------------------------------------------------------------------------

    async def _token(self, vault: Vault, *, refused: str | None = None) -> str:
        """A token that is neither due for renewal nor *refused*; one renewal at a time per Upp client."""
        secret = await vault.secret()
        client_id, client_secret = secret.get("client_id"), secret.get("client_secret")
        if not client_id or not client_secret:
            raise LoginRefused("no client id and secret of Upp.ai are stored")
        kept = await self._kept_token(vault, client_id)
        if kept is not None and kept != refused:
            return kept
        async with self._renewals.setdefault(client_id, asyncio.Lock()):
            kept = await self._kept_token(vault, client_id)  # somebody may have renewed it while we waited
            if kept is not None and kept != refused:
                return kept
            token, life = await self._new_token(client_id, client_secret)
            renew_at = self._clock() + timedelta(seconds=life * _RENEW_AT)
            await vault.save_tokens(
                {"access_token": token, "client_id": client_id, "renew_at": renew_at.isoformat()},
                renew_at=renew_at,
            )
            return token

    async def _kept_token(self, vault: Vault, client_id: str) -> str | None:
        """The token in the vault, unless it is due, or belongs to credentials that were replaced since."""
        tokens = await vault.tokens()
        if not tokens or tokens.get("client_id") != client_id:
            return None
        renew_at = datetime.fromisoformat(tokens["renew_at"])
        return None if renew_at <= self._clock() else str(tokens["access_token"])

    async def _new_token(self, client_id: str, client_secret: str) -> tuple[str, float]:
        """A new token and its life in seconds."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        answer = await self._post(_TOKEN_PATH, data=form, headers=_VERSION)
        # Assumption: wrong credentials are answered 400 or 401, as RFC 6749, 5.2 has it; Upp documents neither.
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise LoginRefused("Upp.ai refused the client id and secret")
        # Nothing that this answer says is repeated: an error page may echo the form.
        error = self._error(_TOKEN_PATH, answer, secrets=None)
        if error is not None:
            raise error
        return _read_token(answer.body)

    # --- the wire ---------------------------------------------------------------------------------------------

    async def _post(
        self,
        path: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        data: Mapping[str, str] | None = None,
    ) -> _Answer:
        """One exchange, redirects not followed (the secret is for this host), at most `_READ` bytes read."""
        body = bytearray()
        try:
            async with self._http.stream(
                "POST",
                self._base + path,
                content=content,
                data=data,
                headers=dict(headers),
                timeout=_TIMEOUT,
                follow_redirects=False,
            ) as response:
                async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as chunks:
                    async for chunk in chunks:
                        body += chunk
                        if len(body) >= _READ:
                            break
                return _Answer(response.status_code, response.headers, bytes(body[:_READ]))
        except httpx.HTTPError as error:
            raise Unreachable(f"Upp.ai {path}: {type(error).__name__}") from error

    def _error(self, path: str, answer: _Answer, *, secrets: Sequence[str] | None) -> RemoteError | None:
        """What *answer* means as an error, or None if it was accepted. *secrets* None: keep nothing it says."""
        now = self._clock()
        verdict = judge(answer.status, answer.headers, now=now)
        said = f"Upp.ai {path}: {answer.status} {verdict.reason}"
        about_items = secrets is not None and answer.status in _ABOUT_ITEMS
        error: RemoteError | None
        match verdict.action:
            case Action.ACCEPT:
                error = None
            case Action.LOGIN:
                error = LoginRefused(said)
            case Action.WAIT:
                error = Throttled(said, until=verdict.until or now + _PAUSE)
            case Action.RETRY if verdict.until is not None:
                error = Throttled(said, until=verdict.until)
            case Action.RETRY if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                error = Stumbled(said)
            case Action.REFUSE | Action.SPLIT if about_items:
                error = Rejected(_clean(answer.body, secrets or ()) or said, status=answer.status)
            case _:
                error = Unreachable(said)
        return error


def _read_token(body: bytes) -> tuple[str, float]:
    """Token and life from the answer of the token call; raises `Unreachable` if it has no usable token."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise Unreachable(f"Upp.ai {_TOKEN_PATH}: an answer without a usable token")
    try:
        life = float(answer.get("expires_in"))
    except (TypeError, ValueError):
        life = _SHORT_LIFE
    return token, life if 0 < life < float("inf") else _SHORT_LIFE


def _clean(body: bytes, secrets: Sequence[str]) -> str:
    """The first 2 kB of what the server said: printable (the database takes no zero byte), without *secrets*."""
    text = body.decode("utf-8", errors="replace")
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    text = "".join(char if char.isprintable() else " " for char in text).strip()
    return text.encode()[:_KEEP].decode(errors="ignore")
