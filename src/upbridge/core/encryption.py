"""Secrets at rest: sealed with Fernet, newest key first, opened only by an explicit call."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import NewType

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Sealed = NewType("Sealed", bytes)


class BrokenSeal(Exception):
    """A sealed value could not be opened: none of the configured keys made it."""


class Sealer:
    """Seals with the newest key and opens with any of them.

    Keys are url-safe base64 of 32 bytes each, newest first. A sealed value carries no plaintext and its
    `repr` is ciphertext, so a row or a log line that shows it shows nothing.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, value: str | bytes) -> Sealed:
        """Encrypt *value* (text becomes UTF-8) with the newest key."""
        return Sealed(self._fernet.encrypt(value.encode() if isinstance(value, str) else value))

    def open(self, sealed: bytes) -> bytes:
        """The bytes that were sealed; raises `BrokenSeal` if no key fits."""
        try:
            return self._fernet.decrypt(bytes(sealed))
        except InvalidToken as error:
            raise BrokenSeal(str(BrokenSeal.__doc__)) from error

    def open_text(self, sealed: bytes) -> str:
        """The text that was sealed; raises `BrokenSeal` if no key fits."""
        return self.open(sealed).decode()

    def rotate(self, sealed: bytes) -> Sealed:
        """The same value under the newest key; raises `BrokenSeal` if no key fits."""
        try:
            return Sealed(self._fernet.rotate(bytes(sealed)))
        except InvalidToken as error:
            raise BrokenSeal(str(BrokenSeal.__doc__)) from error


def digest(value: str | bytes) -> bytes:
    """SHA-256 of a secret, for looking it up without keeping it."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()


def mac(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 over *parts*, each closed by a zero byte so that no two lists collide."""
    return hmac.digest(key, b"".join(part.encode() + b"\0" for part in parts), "sha256")
