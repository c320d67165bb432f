"""The three slots of a shop: at most three calls in flight over all processes (R49).

A slot is a row with an expiry; whoever takes one has the shop's `budgets` row locked, so nobody takes it at the
same time. The third slot is for urgent purposes only: a first import that keeps two calls in flight for an hour
must not make an order wait for its turn.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, bindparam, text

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.windows import KEEPS

SLOTS = 3
#: How many of them the purposes take that keep budget back for others.
SHARED_SLOTS = 2

#: Takes a free slot, the urgent ones their own first, and counts the call. Returns the slot, or no row.
COUNTED_SLOT = text("""
    WITH taken AS (
        INSERT INTO call_leases (shop_id, slot, holder, first, expires_at)
        SELECT :shop, free.slot, :holder, :first, :until
        FROM generate_series(:slots, 1, -1) AS free (slot)
        WHERE NOT EXISTS (
            SELECT FROM call_leases l WHERE l.shop_id = :shop AND l.slot = free.slot AND l.expires_at > :now
        )
        LIMIT 1
        ON CONFLICT (shop_id, slot)
        DO UPDATE SET holder = excluded.holder, first = excluded.first, expires_at = excluded.expires_at
        RETURNING slot
    ), counted AS (
        INSERT INTO api_calls (shop_id, hour, access, purpose, count)
        SELECT :shop, :hour, :access, :purpose, 1 FROM taken
        ON CONFLICT (shop_id, hour, access, purpose) DO UPDATE SET count = api_calls.count + 1
    )
    SELECT slot FROM taken
""").bindparams(*(bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "until", "hour")))


def leasing(
    shop_id: ShopId,
    holder: UUID,
    *,
    access: str,
    purpose: Purpose,
    first: bool,
    hour: datetime,
    now: datetime,
    until: datetime,
) -> dict[str, Any]:
    """The parameters of `COUNTED_SLOT`: *holder* takes a slot until *until* for a call counted in *hour*."""
    return {
        "shop": shop_id,
        "holder": holder,
        "access": access,
        "purpose": purpose.name.lower(),
        "first": first,
        "slots": SHARED_SLOTS if KEEPS[purpose] else SLOTS,
        "hour": hour,
        "now": now,
        "until": until,
    }
