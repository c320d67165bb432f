"""What strangers wrote, on a terminal: nothing in it is obeyed."""

import sys


def shown(text: str) -> str:
    """*text* with an escape in the place of each sign that is not printed; a line break stays."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def console_error(message: str) -> None:
    """One line that says what went wrong."""
    sys.stderr.write(f"error: {shown(message)}\n")
