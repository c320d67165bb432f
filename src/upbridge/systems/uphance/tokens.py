"""The tokens of an Uphance login: requested with a password once, renewed by refresh grant, stored encrypted.

Introduction, Authentication: there is no client id; it is the login of a real user. The answer says how long a
token lives (once a year, today a week). Assumption: a refresh may give a new refresh token and end the old one, so
the token that comes back is kept. No error here repeats the server's text, because an answer may echo the
password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upbridge.core.errors import LoginRefused, Unreachable
from upbridge.systems.http.token_life import token_life
from upbridge.systems.uphance.schemas import string, whole

#: Renew at this share of a token's life, and this long before its end at the latest.
_RENEW_AT = 0.8
_MARGIN = timedelta(seconds=60)
#: Assumed life of a token whose answer does not say; documented are 604,800 s.
_SHORT_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token with its successor and the moment from which it is to be renewed."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    renew_at: datetime
    organisation: int | None = None
    """Which one was chosen for the access token last, by us."""

    def stored(self) -> dict[str, Any]:
        """As the vault keeps them."""
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "renew_at": self.renew_at.isoformat(),
            "organisation": self.organisation,
        }

    @classmethod
    def kept(cls, stored: Mapping[str, Any]) -> "Tokens":
        """As the vault kept them."""
        return cls(
            stored["access_token"],
            stored.get("refresh_token"),
            datetime.fromisoformat(stored["renew_at"]),
            stored.get("organisation"),
        )


def read_tokens(payload: Any, *, now: datetime, refresh: str | None = None) -> Tokens:
    """The tokens in an answer of POST /oauth/token; *refresh* is the one used, kept if no new one came.

    Raises `LoginRefused` for an answer that names an `error` and `Unreachable` for one without a token.
    """
    if not isinstance(payload, dict):
        raise Unreachable("Uphance answered a login with something that is no token")
    if payload.get("error"):
        raise LoginRefused("Uphance refused the login")
    access = string(payload.get("access_token"))
    if access is None:
        raise Unreachable("Uphance answered a login without a token")
    life = token_life(whole(payload.get("expires_in")), assumed=_SHORT_LIFE)
    return Tokens(
        access=access,
        refresh=string(payload.get("refresh_token")) or refresh,
        # Measured by our clock: theirs (`created_at`) may differ from it.
        renew_at=now + max(min(life * _RENEW_AT, life - _MARGIN), timedelta(0)),
    )
