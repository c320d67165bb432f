"""A shop's name at targets: made once, kept for ever."""

import re
from urllib.parse import urlsplit

_KEY_LENGTH = 40


def shop_key(api_url: str) -> str:
    """The first label of the address's host, as far as it makes a name."""
    label = (urlsplit(api_url).hostname or "").split(".", 1)[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", label)[:_KEY_LENGTH].strip("-") or "shop"


def free_key(wanted: str, taken: set[str]) -> str:
    """*wanted*, or with `-2`, `-3` … where it is taken."""
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted}-{number}" in taken:
        number += 1
    return f"{wanted}-{number}"
