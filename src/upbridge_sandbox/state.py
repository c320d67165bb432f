"""The state of all simulated systems: shops, tenants, organisations, and what was noticed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from upbridge_sandbox.call_log import CallLog
from upbridge_sandbox.faults import Faults
from upbridge_sandbox.mail_box import MailBox, MailFault
from upbridge_sandbox.rng import RandomStreams
from upbridge_sandbox.shop import Shop
from upbridge_sandbox.signing import Signer
from upbridge_sandbox.uphance.organisations import Uphance, system_clock
from upbridge_sandbox.upp.tenant import Tenant

SYSTEMS = ("upgates", "upp", "uphance", "key")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the simulated systems listen."""

    admin: str
    upgates: str
    upp: str
    uphance: str
    key: str
    mail: str
    """The mail server, with its login."""

    def as_json(self) -> dict[str, str]:
        """The addresses; the sandbox prints them as one line when it is up."""
        return asdict(self)


@dataclass(slots=True)
class State:
    """Everything that the simulated systems know. One process, one loop: no locks.

    *clock* is the moment, *sleep* how a slow system waits: a test may give it a time of its own.
    """

    signature_token: str
    addon_url: str | None
    seed: int = 1
    clock_factor: float = 1.0
    shift: timedelta = timedelta()
    shops: dict[str, Shop] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    uphance: Uphance = field(default_factory=Uphance)
    faults: dict[str, Faults] = field(default_factory=lambda: {name: Faults() for name in SYSTEMS})
    signer: Signer = field(default_factory=Signer)
    mail_box: MailBox = field(default_factory=MailBox)
    wrong_logins: dict[str, list[datetime]] = field(default_factory=dict)
    addresses: Addresses | None = None
    clock: Callable[[], datetime] = system_clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: RandomStreams = field(init=False)
    call_log: CallLog = field(init=False)

    def __post_init__(self) -> None:
        self.rng = RandomStreams(self.seed)
        self.call_log = CallLog(self.now)
        self.uphance.clock = self.now

    def now(self) -> datetime:
        """The sandbox's moment; the control API can push it forward."""
        return self.clock() + self.shift

    def wait(self, published_seconds: float) -> float:
        """How long a published delay lasts here: 5 minutes are 3 seconds at a factor of 100."""
        return published_seconds / self.clock_factor

    def shop_of_user(self, user: str) -> Shop | None:
        """The shop that an API user belongs to, present or past."""
        return next((shop for shop in self.shops.values() if shop.knows(user)), None)

    def shop_of_token(self, token: str) -> Shop | None:
        """The shop with this add-on token."""
        return next((shop for shop in self.shops.values() if shop.token == token), None)

    def sellable(self) -> set[str | None]:
        """The codes and EANs of all goods that an order may name."""
        goods = [item.variant or item.product for shop in self.shops.values() for item in shop.order_factory.pool]
        return {thing[name] for thing in goods for name in ("code", "ean")} - {None}

    def api_url(self, shop: Shop) -> str:
        """Where the shop's API is now: a shop that moves gets another host and keeps the path."""
        assert self.addresses is not None
        here = urlsplit(self.addresses.upgates)
        place = here if not shop.server else here._replace(netloc=f"{shop.server}:{here.port}")
        return f"{place.geturl()}/api/v2"

    def clear_faults(self) -> None:
        """Every system and every webhook works again."""
        for faults in self.faults.values():
            faults.clear()
        self.uphance.lists.clear()
        self.mail_box.fault = MailFault.NONE
        for shop in self.shops.values():
            shop.webhook_faults.clear()
            shop.faults.clear()
            shop.unseen.clear()
            shop.before.clear()
            shop.refuse_puts.clear()

    def as_json(self) -> dict[str, Any]:
        """A small picture of everything, for the control API."""
        return {
            "time": self.now().isoformat(),
            "addon_url": self.addon_url,
            "clock_factor": self.clock_factor,
            "addresses": self.addresses.as_json() if self.addresses else None,
            "shops": [shop.as_json() for shop in self.shops.values()],
            "tenants": [tenant.as_json() for tenant in self.tenants.values()],
            "uphance": self.uphance.as_json(),
            "violations": len(self.call_log.violations),
            "faults": {name: faults.as_json() for name, faults in self.faults.items()},
        }
