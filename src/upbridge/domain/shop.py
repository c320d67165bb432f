"""The shop: who it is, which state it is in, what is known about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import ShopSettings


class ShopState(StrEnum):
    """Where a shop stands; docs/shop-states.md draws the arrows."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """Nothing is called but a probe once an hour: Upgates refuses us, or an operator said so (see `reason`)."""
    UNINSTALLING = "uninstalling"
    """Deactivated and stopped; one question to Upgates will say whether it is true (R28-R30)."""
    UNINSTALLED = "uninstalled"
    """Credentials destroyed. Settings and links stay for a return, until `upbridge shops erase`."""


#: Why a shop is suspended.
BY_OPERATOR = "operator"
BY_UPGATES = "refused"
BY_LOST_KEY = "unreadable"
"""None of our keys opens its credentials: Upgates has refused nothing."""
BY_SHOP = "shop"
"""Its own staff paused everything, on a page."""
#: Reasons that only a person ends.
BY_A_PERSON = (BY_OPERATOR, BY_SHOP)

PROBE_PAUSE = timedelta(hours=1)
"""How long a shop that is suspended, or being uninstalled, is left alone after it was asked whether it is back."""

#: States in which a webhook is still worth storing.
LISTENING = (ShopState.ACTIVE, ShopState.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Shop:
    """A row of `shops`, without its credentials: those are opened only for a call (`Shops.credentials`)."""

    id: ShopId
    key: str
    token: str
    state: ShopState
    reason: str | None
    state_since: datetime
    api_url: str
    version: int | None
    language: str
    settings: ShopSettings
    facts: Mapping[str, Any] | None
    facts_at: datetime | None
    subscribed_at: datetime | None
    reconciled_at: datetime | None
    probed_at: datetime | None
    signed_at: datetime | None
    installed_at: datetime
    uninstalled_at: datetime | None
    webhook_generation: int
    """How often the addresses of its webhooks were renewed."""
    webhook_failures: Sequence[Mapping[str, Any]] | None
    """The last calls of webhooks that had failed when they were compared last."""

    @property
    def name(self) -> str:
        """The company where it is known, else the key."""
        return str((self.facts or {}).get("company") or self.key)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a call to the shop's API needs. The key never shows in a repr."""

    api_url: str
    api_user: str
    api_key: str = field(repr=False)
