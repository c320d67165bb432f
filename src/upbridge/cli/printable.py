"""What strangers wrote, on a terminal: nothing in it is obeyed."""

import sys


def shown(text: str) -> str:
    """*text* with an escape in the place of each sign that is not printed; a line break stays."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def is_text(written: str) -> bool:
    """Whether *written* has no byte that was not text: such a one can neither be stored nor sent."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def console_error(message: str) -> None:
    """One line that says what went wrong."""
    sys.stderr.write(f"error: {shown(message)}\n")
