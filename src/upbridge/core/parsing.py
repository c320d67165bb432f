"""Whole numbers as people type them."""

#: Every number with this many digits fits into the database's `bigint`.
_LONGEST = 18


def whole(text: str, *, longest: int = _LONGEST) -> int | None:
    """Return the number that *text* is; None if it is none, or has more than *longest* digits.

    `²` is a digit for Python and not a number, and Python refuses to read thousands of digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None
