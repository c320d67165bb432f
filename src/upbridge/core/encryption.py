"""Secrets at rest: encrypted with Fernet, newest key first, decrypted only by an explicit call."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import NewType

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Ciphertext = NewType("Ciphertext", bytes)


#: What one `Cipher` remembers at most: two seconds of a first import.
_MOST_REMEMBERED = 4_000


class DecryptionError(Exception):
    """A stored value could not be decrypted: none of the configured keys encrypted it."""


class Cipher:
    """Encrypts with the newest key and decrypts with any of them.

    Keys are url-safe base64 of 32 bytes each, newest first. A `Ciphertext` carries no plaintext, so a
    row or a log line that shows it shows nothing.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._soon: dict[bytes, bytes] = {}  # by the digest of what was made of them, which is larger
        self._stamps = [mac(key.encode(), "stamp") for key in keys]

    def encrypt(self, value: str | bytes, *, soon: bool = False) -> Ciphertext:
        """Encrypt *value* (text becomes UTF-8) with the newest key. *soon*: this process is likely to decrypt it
        within seconds, so it remembers the value until then, of thousands the newest; for nothing personal."""
        plain = value.encode() if isinstance(value, str) else value
        sealed = self._fernet.encrypt(plain)
        if soon:
            if len(self._soon) >= _MOST_REMEMBERED:
                del self._soon[next(iter(self._soon))]
            self._soon[digest(sealed)] = plain
        return Ciphertext(sealed)

    def decrypt(self, ciphertext: bytes) -> bytes:
        """The bytes that were encrypted; raises `DecryptionError` if no key fits."""
        sealed = bytes(ciphertext)
        if self._soon and (remembered := self._soon.pop(digest(sealed), None)) is not None:
            return remembered
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise DecryptionError(str(DecryptionError.__doc__)) from error

    def decrypt_text(self, ciphertext: bytes) -> str:
        """The text that was encrypted; raises `DecryptionError` if no key fits."""
        return self.decrypt(ciphertext).decode()

    def stamp(self, *parts: str) -> bytes:
        """What only a holder of the keys can make of *parts*: 32 bytes, by the newest key."""
        return mac(self._stamps[0], *parts)

    def stamped(self, stamp: bytes, *parts: str) -> bool:
        """Whether *stamp* is how a stamp of *parts* begins, by any of the keys."""
        return any(hmac.compare_digest(mac(key, *parts)[: len(stamp)], stamp) for key in self._stamps)

    def rotate(self, ciphertext: bytes) -> Ciphertext:
        """The same value under the newest key; raises `DecryptionError` if no key fits."""
        try:
            return Ciphertext(self._fernet.rotate(bytes(ciphertext)))
        except InvalidToken as error:
            raise DecryptionError(str(DecryptionError.__doc__)) from error


def digest(value: str | bytes) -> bytes:
    """SHA-256 of a secret, for looking it up without keeping it."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()


def mac(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 over *parts*, each closed by a zero byte so that no two lists collide."""
    return hmac.digest(key, b"".join(part.encode() + b"\0" for part in parts), "sha256")


def url_text(raw: bytes) -> str:
    """*raw* as a part of an address."""
    return base64.urlsafe_b64encode(raw).decode()


def from_url_text(text: str) -> bytes | None:
    """What `url_text` made *text* of; None if it made nothing like it."""
    try:
        return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return None
