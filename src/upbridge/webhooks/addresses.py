"""The secret addresses of webhooks: computed, not looked up.

A token is the shop's id, its generation of addresses and a MAC over (source, event, shop, generation) under a key
that this service made for itself, so an unknown token is refused without asking the database, each shop and event
has a secret of its own (R41), and nothing has to be stored to recognise it. Addresses that may have leaked are
renewed by the next generation (`store.shops.renew_webhooks`). Why not a column: docs/decisions/0002.
"""

import hmac
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher, from_url_text, mac, url_text
from upbridge.domain.shop_id import ShopId
from upbridge.store.secrets import own_key

_NAME = "webhook addresses"
_ID_BYTES = 16
_GENERATION_BYTES = 4
_MAC_BYTES = 20
_MOST_KEPT = 10_000
"""Addresses that were recognised lately; to compute one again takes a twentieth of a webhook's time."""


class Recognised(NamedTuple):
    """Whose address it is, and of which generation."""

    shop_id: ShopId
    generation: int


class WebhookAddresses:
    """Makes and reads webhook tokens."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._genuine: dict[tuple[str, str, str], Recognised] = {}

    def token(self, shop_id: ShopId, source: str, event: str, generation: int = 0) -> str:
        """The token of one shop, source and event (url-safe, 48 characters or a few more)."""
        number = generation.to_bytes(_GENERATION_BYTES) if generation else b""
        raw = shop_id.bytes + number + self._mac(shop_id, source, event, generation)
        return url_text(raw)

    def shop(self, token: str, source: str, event: str) -> Recognised | None:
        """The shop that *token* was made for, or None if we never made it."""
        asked = (token, source, event)
        found = self._genuine.get(asked)
        if found is None:
            found = self._recognised(*asked)
            if found is not None:  # what strangers send is never kept
                if len(self._genuine) >= _MOST_KEPT:
                    self._genuine.clear()
                self._genuine[asked] = found
        return found

    def _recognised(self, token: str, source: str, event: str) -> Recognised | None:
        raw = from_url_text(token)
        if raw is None or len(raw) not in (_ID_BYTES + _MAC_BYTES, _ID_BYTES + _GENERATION_BYTES + _MAC_BYTES):
            return None
        shop_id = ShopId(UUID(bytes=raw[:_ID_BYTES]))
        generation = int.from_bytes(raw[_ID_BYTES:-_MAC_BYTES])
        genuine = hmac.compare_digest(raw[-_MAC_BYTES:], self._mac(shop_id, source, event, generation))
        return Recognised(shop_id, generation) if genuine else None

    def _mac(self, shop_id: ShopId, source: str, event: str, generation: int) -> bytes:
        renewed = (str(generation),) if generation else ()
        return mac(self._key, source, event, str(shop_id), *renewed)[:_MAC_BYTES]


async def load_addresses(engine: AsyncEngine, cipher: Cipher) -> WebhookAddresses:
    """The service's addresses; the first caller makes the key, every other reads it."""
    return WebhookAddresses(await own_key(engine, cipher, _NAME))
