"""The addresses at which a reader ends the mails about a shop: computed, as those of webhooks are.

A token is the shop's id, a digest of the reader's address and a MAC over both. It ends the mails to that address
alone, and says nothing of it.
"""

import hmac
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.encryption import Cipher, digest, from_url_text, mac, url_text
from upbridge.domain.shop_id import ShopId
from upbridge.store.secrets import own_key

LENGTH = 64
"""Every token has so many characters."""

_NAME = "mail addresses"
_ID_BYTES = 16
_READER_BYTES = 12
_MAC_BYTES = 20


@dataclass(frozen=True, slots=True)
class MailReader:
    """Who reads mails about a shop: the first bytes of a digest of the address."""

    shop_id: ShopId
    mark: bytes

    def is_at(self, address: str | None) -> bool:
        """Whether it is the reader at *address*."""
        return address is not None and hmac.compare_digest(self.mark, _mark(address))


class StopAddresses:
    """Makes and reads the tokens."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def token(self, shop_id: ShopId, address: str) -> str:
        """The token with which the reader at *address* ends the mails about the shop."""
        named = shop_id.bytes + _mark(address)
        return url_text(named + self._mac(named))

    def reader(self, token: str) -> MailReader | None:
        """Whose token it is; None if it was never made here."""
        raw = from_url_text(token)
        if raw is None or len(token) != LENGTH:
            return None
        named, proof = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(proof, self._mac(named)):
            return None
        return MailReader(ShopId(UUID(bytes=named[:_ID_BYTES])), named[_ID_BYTES:])

    def _mac(self, named: bytes) -> bytes:
        return mac(self._key, "stop", named.hex())[:_MAC_BYTES]


def _mark(address: str) -> bytes:
    return digest(address)[:_READER_BYTES]


async def load_stop_addresses(engine: AsyncEngine, cipher: Cipher) -> StopAddresses:
    """The service's tokens; the first caller makes their key, every other reads it. Raises `DecryptionError`."""
    return StopAddresses(await own_key(engine, cipher, _NAME))
