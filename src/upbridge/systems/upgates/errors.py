"""What can be wrong with one entity of an answer of Upgates; the rest of the tree is `core/errors.py`."""

from upbridge.core.errors import UpbridgeError


class Unreadable(UpbridgeError):
    """One entity of an answer lacks something without which it cannot be understood."""

    status = 502
    code = "unreadable"
    merchant = "error.remote"

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key
        """Which entity: an order number, a product id, or `?` where even that is missing."""
        self.reason = reason
        """Which field and what is wrong with it; never the value."""
