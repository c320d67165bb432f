"""Whole numbers as people type them, moments as HTTP writes them, arrays as PHP writes them, and text that a
database stores.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: Every number with this many digits fits into the database's `bigint`.
_LONGEST = 18
#: No id of anything is longer.
LONGEST_KEY = 100


def digits(text: str, *, longest: int = _LONGEST) -> int | None:
    """Return the number that *text* is; None if it is none, or has more than *longest* digits.

    `²` is a digit for Python and not a number, and Python refuses to read thousands of digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None


def key_of(value: object) -> str | None:
    """Return an id as text; None if it is longer than any real id, or has characters that no table stores."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    key = str(value).strip()
    return key if 0 < len(key) <= LONGEST_KEY and key.isprintable() else None


def storable(text: str) -> str:
    """Return *text* as every table takes it: without NUL, and with `?` for each lone surrogate."""
    return (text if text.isascii() else text.encode("utf-8", "replace").decode()).replace("\0", "")


def array(value: Any) -> Any:
    """The values of an array that PHP wrote as an object, because it has gaps or keys of its own; else *value*."""
    return list(value.values()) if isinstance(value, Mapping) else value


def http_date(text: str) -> datetime | None:
    """The moment that *text* names as HTTP writes it; None if it names none. Without an offset it is UTC."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, IndexError, TypeError):  # no date, or one that no calendar holds
        return None
