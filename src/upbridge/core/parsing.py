"""Whole numbers as people type them."""

#: Digits of the longest number that fits into the database's `bigint`, whatever they are.
_LONGEST = 18


def whole(text: str, *, longest: int = _LONGEST) -> int | None:
    """The number that *text* is; None if it is none, or has more than *longest* digits.

    `²` is a digit for Python and no number, and to read thousands of digits is an error of its own.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None
