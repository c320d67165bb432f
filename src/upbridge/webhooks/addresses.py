"""The secret addresses of webhooks: computed, not looked up.

A token is the shop's id and a MAC over (source, event, shop) under a key that this service made for itself, so
an unknown token is refused without asking the database, each shop and event has a secret of its own (R41), and
nothing has to be stored to recognise it. Why not a column: docs/decisions/0002.
"""

import base64
import binascii
import hmac
import secrets
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher, mac
from upbridge.domain.shop_id import ShopId
from upbridge.store import secrets as store

#: The event of a system that has one address for all of them.
ANY_EVENT = "any"

_NAME = "webhook addresses"
_ID_BYTES = 16
_MAC_BYTES = 20


class WebhookAddresses:
    """Makes and reads webhook tokens."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, shop_id: ShopId, source: str, event: str) -> str:
        """The token of one shop, source and event (url-safe, 48 characters)."""
        return base64.urlsafe_b64encode(shop_id.bytes + self._mac(shop_id, source, event)).decode()

    def shop(self, token: str, source: str, event: str) -> ShopId | None:
        """The shop that *token* was made for, or None if we never made it."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError, ValueError):
            return None
        if len(raw) != _ID_BYTES + _MAC_BYTES:
            return None
        shop_id = ShopId(UUID(bytes=raw[:_ID_BYTES]))
        genuine = hmac.compare_digest(raw[_ID_BYTES:], self._mac(shop_id, source, event))
        return shop_id if genuine else None

    def _mac(self, shop_id: ShopId, source: str, event: str) -> bytes:
        return mac(self._key, source, event, str(shop_id))[:_MAC_BYTES]


async def load_addresses(engine: AsyncEngine, cipher: Cipher) -> WebhookAddresses:
    """The service's addresses; the first caller makes the key, every other reads it."""
    async with engine.begin() as tx:
        value = await store.keep(tx, _NAME, cipher.encrypt(secrets.token_bytes(32)))
    return WebhookAddresses(cipher.decrypt(value))
