"""What the status of an order means: the only place that knows Upgates' types of statuses.

A shop names its statuses as it likes; Upgates gives each of them a type (API v2, Order statuses). A status
without a type, or one that we have not heard of, is none of what is asked here.

Assumption: of the types of the add-on Home Credit only `HomecreditCanceled` ends an order; the others are steps
on its way.
"""

from typing import Final, Protocol

from upbridge.domain.shop_profile import ShopProfile

#: The types that send an order to a warehouse, unless the shop chose statuses itself.
READY: Final = ("Received", "PaymentSuccessful")
SHIPPED: Final = "Sent"

_CANCELLED = frozenset({"Canceled", "HomecreditCanceled"})
_FAILED = frozenset({"PaymentFailed", "PaymentCanceled", "Unresolved"})

#: No order in one of these is sent.
ENDED: Final = _CANCELLED | _FAILED


class HasStatus(Protocol):
    """An order, or what is kept of one."""

    @property
    def status_id(self) -> int | None: ...


def is_cancelled(order: HasStatus, facts: ShopProfile) -> bool:
    """Whether *order* is off, for every target."""
    return _type_of(order, facts) in _CANCELLED


def is_failed(order: HasStatus, facts: ShopProfile) -> bool:
    """Whether *order* was not paid and is not shipped as it is."""
    return _type_of(order, facts) in _FAILED


def is_at_rest(order: HasStatus, facts: ShopProfile) -> bool:
    """Whether *order* is not on its way: it failed, or the shop has shipped it itself."""
    return is_failed(order, facts) or _type_of(order, facts) == SHIPPED


def _type_of(order: HasStatus, facts: ShopProfile) -> str | None:
    return facts.status_type(order.status_id)
