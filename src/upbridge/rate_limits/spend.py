"""What the statement that spends one call (`store/rate_limits.py`) has to know of the windows and the purposes."""

from datetime import datetime
from typing import Any

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.windows import CAP_PER_DAY, HOUR, KEEPS, RELEASE, day_start, hour_start, next_day


def spending(shop_id: ShopId, purpose: Purpose, now: datetime) -> dict[str, Any]:
    """The parameters of `store.rate_limits.enter`."""
    return {
        "shop": shop_id,
        "share": KEEPS[purpose],
        "now": now,
        "hour": hour_start(now),
        "day": day_start(now),
        "day_end": next_day(now),
        "cap": CAP_PER_DAY,
        "one_hour": HOUR,
        "kept_for": HOUR - RELEASE,
    }
