"""An order's number as people type it."""

import re

#: What stands before the number in the references that other systems are given: "UPG-shop-", or "shop-".
_REFERENCE = r"^(?:upg-)?{key}-(?=\S)"


def number_in(typed: str, shop_key: str) -> str:
    """The number that is meant by *typed*: "#2600", "2600", "UPG-shop-2600" and "shop-2600" are one."""
    bare = typed.strip().lstrip("#").strip()
    return re.sub(_REFERENCE.format(key=re.escape(shop_key)), "", bare, flags=re.IGNORECASE)
