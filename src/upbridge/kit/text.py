"""One spelling per value, so that equal means equal: JSON as we write it, names as others compare them, and whole
numbers as people type them."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in a document")


def canonical(value: Any) -> bytes:
    """*value* as JSON in UTF-8: sorted keys, no spaces, whole decimals as integers (1, not 1.0)."""
    return json.dumps(
        value, default=_number, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def fingerprint(body: bytes) -> bytes:
    """The 16 bytes by which a delivered document is remembered."""
    return hashlib.blake2b(body, digest_size=16).digest()


#: Digits of the longest number that fits into the database's `bigint`, whatever they are.
_LONGEST = 18


def whole(text: str, *, longest: int = _LONGEST) -> int | None:
    """The number that *text* is; None if it is none, or has more than *longest* digits.

    `²` is a digit for Python and no number, and to read thousands of digits is an error of its own.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None


def folded(name: str) -> str:
    """*name* as those compare it who ignore case and the blanks around it."""
    return name.strip().casefold()
