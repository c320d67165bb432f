"""One call to Uphance: the JSON of the answer, or an error of our tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from upbridge.core.canonical_json import canonical
from upbridge.domain.masking import unsaid
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.exact_json import decode
from upbridge.systems.http.transport import Remote
from upbridge.systems.uphance.schemas import string

#: Wait this long where "too many requests" comes without a time.
_PAUSE = timedelta(seconds=60)
#: As much of a refusal's words as is kept.
_KEEP = 500


@dataclass(frozen=True, slots=True)
class Exchange:
    """Calls to Uphance at *base_url*, each with the token that it is given."""

    remote: Remote
    base_url: str

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
    ) -> Any:
        """Make one call; returns the JSON that it answers, None if the answer is empty. Raises `RemoteError`."""
        answer = await self.remote.exchange(
            method,
            self.base_url.rstrip("/") + path,
            operation=_operation(method, path),
            headers=None if token is None else {"Authorization": f"Bearer {token}"},
            params=query,
            content=None if body is None else canonical(body),
        )
        if not answer.accepted:
            # What a login answers is never repeated: it may echo the password.
            said = "" if path.startswith("/oauth/") else unsaid(_said(answer.body), body)
            raise error_of(answer, now=self.remote.clock(), pause=_PAUSE, words=said)
        return answer.json() if answer.body or answer.body_error else None


def _operation(method: str, path: str) -> str:
    """The call's name in metrics and errors, with ids left out: `GET /products/{id}`."""
    return f"{method} /" + "/".join("{id}" if part.isdigit() else part for part in path.split("/")[1:])


def _said(body: bytes) -> str:
    """The server's words, cut: `message`, `error`, `error.message`, `error.reason` (Assumption: errors are not
    documented). Anything else in the body is left alone: it may echo a customer."""
    try:
        payload = decode(body)
    except ValueError:
        return ""
    if not isinstance(payload, dict):
        return ""
    error = payload.get("error")
    inner = error if isinstance(error, dict) else {}
    candidates = (payload.get("message"), error, inner.get("message"), inner.get("reason"))
    return next((text[:_KEEP] for text in map(string, candidates) if text), "")
