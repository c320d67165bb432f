"""One spelling per JSON value, so that equal documents have equal hashes."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        whole = int(value)
        return whole if whole == value else float(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")


_ENCODER = json.JSONEncoder(
    default=_number, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


def canonical(value: Any) -> bytes:
    """*value* as JSON in UTF-8: sorted keys, no spaces, whole decimals as integers (1, not 1.0)."""
    return _ENCODER.encode(value).encode()


def fingerprint(body: bytes) -> bytes:
    """The 16 bytes by which a delivered document is remembered."""
    return hashlib.blake2b(body, digest_size=16).digest()
