"""Codes of goods, and when two of them are the same."""


def folded(name: str) -> str:
    """*name* as those compare it who ignore case and the blanks around it."""
    return name.strip().casefold()
