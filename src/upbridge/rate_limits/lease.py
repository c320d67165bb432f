"""The three slots of a shop: at most three calls in flight over all processes (R49).

A slot is a row with an expiry. The caller that takes one holds a lock on the shop's `budgets` row, so no two
callers take the same slot. The third slot is for urgent purposes only: a first import that keeps two calls in
flight for an hour must not make an order wait for its turn.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from upbridge.domain.purpose import Purpose
from upbridge.rate_limits.windows import KEEPS

SLOTS = 3
#: How many of them the purposes take that keep budget back for others.
SHARED_SLOTS = 2


def leasing(holder: UUID, *, access: str, purpose: Purpose, now: datetime, until: datetime) -> dict[str, Any]:
    """What `store.rate_limits.enter` has to know of the slot that *holder* takes until *until*."""
    return {
        "holder": holder,
        "access": access,
        "purpose": purpose.name.lower(),
        "slots": SHARED_SLOTS if KEEPS[purpose] else SLOTS,
        "now": now,
        "until": until,
    }
