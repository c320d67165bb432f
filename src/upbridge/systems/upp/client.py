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
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from weakref import WeakValueDictionary

import httpx

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import LoginRefused, Rejected, RemoteError, Unreachable
from upbridge.systems.connecting import Vault
from upbridge.systems.http.classify import Action, about_items
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.token_life import token_life
from upbridge.systems.http.transport import HttpAnswer, Remote

#: The most products, orders or days in one call.
BATCH = 1000

_TOKEN_PATH = "/auth/oauth/token"  # noqa: S105 - an address, no secret
_VERSION = {"Api-Version": "1"}
#: Renew at this share of a token's life, so that no batch starts with a dying one.
_RENEW_AT = 0.8
#: Assumed life of a token whose answer does not say; documented are 86,400 s.
_SHORT_LIFE = timedelta(hours=1)
#: Wait this long where "too many requests" comes without a time.
_PAUSE = timedelta(seconds=60)
#: As much of an answer as is read at all, and as is kept of a refusal.
_READ, _KEEP = 65_536, 2048


class UppClient:
    """Speaks to Upp for any number of shops; what is one shop's comes from its `Vault`.

    Every method raises `LoginRefused` (credentials do not work), `Throttled` (and until when), `Unreachable` (no
    usable answer: repeat later; `Failed` if it was a 500) or, where items are sent, `Rejected` with what the
    server said about them (at most 2 kB) and `answered`, the status.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, clock: Clock) -> None:
        self._remote = Remote("upp", http, clock)
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
        if answer.outcome.action is Action.CREDENTIALS:
            token = await self._token(vault, refused=token)
            answer = await self._post_json(path, body, token)
        if not answer.accepted:
            secret = await vault.secret()
            raise self._error(answer, (token, secret.get("client_secret", "")))

    async def _post_json(self, path: str, body: bytes, token: str) -> HttpAnswer:
        return await self._post(path, content=body, headers={"Authorization": f"Bearer {token}"})

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
            kept = await self._kept_token(vault, client_id)  # another worker may have renewed it while we waited
            if kept is not None and kept != refused:
                return kept
            token, life = await self._new_token(client_id, client_secret)
            renew_at = self._clock() + life * _RENEW_AT
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

    async def _new_token(self, client_id: str, client_secret: str) -> tuple[str, timedelta]:
        """A new token and its life."""
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        answer = await self._post(_TOKEN_PATH, form=form)
        if answer.outcome.refuses_grant:  # Assumption: as RFC 6749, 5.2 has it; Upp.ai documents no status
            raise LoginRefused("Upp.ai refused the client id and secret")
        if not answer.accepted:
            # Nothing that this answer says is repeated: an error page may echo the form.
            raise self._error(answer, secrets=None)
        return _read_token(answer.json())

    # --- the wire ---------------------------------------------------------------------------------------------

    async def _post(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """One call, of whose answer at most `_READ` bytes are read."""
        return await self._remote.exchange(
            "POST",
            self._base + path,
            operation=f"POST {path}",
            headers={**_VERSION, **(headers or {})},
            content=content,
            form=form,
            limit=_READ,
            truncate=True,
        )

    def _error(self, answer: HttpAnswer, secrets: Sequence[str] | None) -> RemoteError:
        """What *answer* means as an error. *secrets* None: keep nothing that it says, and blame no item."""
        error = error_of(answer, now=self._clock(), pause=_PAUSE)
        if not isinstance(error, Rejected):
            return error
        if secrets is None or not about_items(error.answered):
            return Unreachable(str(error))
        words = _clean(answer.body, secrets)
        return type(error)(words, status=error.answered) if words else error


def _read_token(answer: Any) -> tuple[str, timedelta]:
    """Token and life from the answer of the token call; raises `Unreachable` if it has no usable token."""
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise Unreachable(f"POST {_TOKEN_PATH}: an answer without a usable token")
    try:
        seconds = float(answer.get("expires_in"))
    except (TypeError, ValueError):
        seconds = None
    return token, token_life(seconds, assumed=_SHORT_LIFE)


def _clean(body: bytes, secrets: Sequence[str]) -> str:
    """The first 2 kB of what the server said: printable (the database takes no zero byte), without *secrets*."""
    text = body.decode("utf-8", errors="replace")
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    text = "".join(char if char.isprintable() else " " for char in text).strip()
    return text.encode()[:_KEEP].decode(errors="ignore")
