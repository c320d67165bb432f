"""Who is sent what: the verdict on an order for one target. Pure.

the shop's settings ─► OrderPolicy of a target ─┬─► what the target is sent
                                                ├─► whose goods are reserved
                                                └─► how far back the first import reads
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from upbridge.domain.shop_profile import ShopProfile
from upbridge.domain.statuses import HasStatus, is_at_rest, is_cancelled, is_failed


class Eligibility(StrEnum):
    """What a target is to do with an order."""

    SENT = "sent"
    """The target is sent the order."""
    NOT_CHOSEN = "not_chosen"
    """The settings leave it out: nothing is sent, or it has another origin or does not count in the statistics."""
    CANCELLED = "cancelled"
    TOO_OLD = "too_old"
    """It was placed before the first order that the target is sent."""
    UNKNOWN = "unknown"
    """What its status means is not known: the shop's list of statuses lacks it."""
    AT_REST = "at_rest"
    """It is not on its way: the payment failed, or the shop has shipped it itself."""
    WAITS = "waits"
    """It is on its way, and its status does not send it yet."""


class Judged(HasStatus, Protocol):
    """What the verdict on an order looks at."""

    @property
    def created_at(self) -> datetime: ...

    @property
    def origin(self) -> str: ...

    @property
    def in_statistics(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class OrderPolicy:
    """Which orders of a shop one target is sent."""

    enabled: bool
    since: datetime
    """Orders that were placed in an earlier second are not sent: a shop tells whole seconds."""
    origins: Collection[str]
    statuses: Collection[int] | None = None
    """Ids of the statuses that send; None: all do that are not cancelled."""
    statistics_only: bool = False
    """Orders that the shop leaves out of its statistics are not sent."""

    def judge(self, order: Judged, facts: ShopProfile) -> Eligibility:
        """The verdict on *order* as it is now; of several reasons against it the first in `Eligibility`."""
        if not self._chooses(order):
            return Eligibility.NOT_CHOSEN
        if is_cancelled(order, facts):
            return Eligibility.CANCELLED
        if order.created_at < self.since.replace(microsecond=0):
            return Eligibility.TOO_OLD
        return self._by_status(order, facts)

    def _by_status(self, order: Judged, facts: ShopProfile) -> Eligibility:
        chosen = self.statuses is not None and order.status_id in self.statuses
        if not chosen and not facts.has_status(order.status_id):
            return Eligibility.UNKNOWN
        if self.statuses is None or (chosen and not is_failed(order, facts)):
            return Eligibility.SENT
        return Eligibility.AT_REST if is_at_rest(order, facts) else Eligibility.WAITS

    def _chooses(self, order: Judged) -> bool:
        return self.enabled and order.origin in self.origins and (order.in_statistics or not self.statistics_only)
