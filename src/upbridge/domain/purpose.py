"""What a call to a shop's API is for: the order of need when calls are scarce."""

from enum import IntEnum


class Purpose(IntEnum):
    """What a call is for; the smaller, the more urgent (docs/decisions/0003)."""

    LIFECYCLE = 0
    """Facts, webhooks, probes: a handful, and nothing works without them."""
    ORDERS = 1
    """Shipments and order changes."""
    STOCK = 2
    PRODUCTS = 3
    SAFETY = 4
    IMPORT = 5


#: Below this are all priorities.
EVERYTHING = 100
