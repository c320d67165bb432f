"""One simulated e-shop at Upgates: its goods, its orders, the add-on's access to it."""

import copy
import hashlib
import random
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upbridge_sandbox.faults import ShopFaults, WebhookFaults
from upbridge_sandbox.seed.formats import Json, moment
from upbridge_sandbox.seed.orders import OrderFactory
from upbridge_sandbox.seed.products import Goods, ProductFactory
from upbridge_sandbox.shop_facts import ShopFacts

#: what the add-on asked for in the Marketplace: service -> privilege (GET /status)
RIGHTS = {
    "config": "readonly",
    "languages": "readonly",
    "order-statuses": "readonly",
    "orders": "all",
    "owner": "readonly",
    "payments": "readonly",
    "pricelists": "readonly",
    "products": "all",
    "shipments": "readonly",
    "customers": "deny",
    "invoices": "deny",
}


@dataclass(slots=True)
class Access:
    """The add-on's API user in this shop. Deleted on deactivation; then every call is 401."""

    user: str
    key: str
    active: bool = True
    #: why it is gone: "deactivated" or "replaced"; empty while it lives
    gone: str = ""
    #: calls that were under way when it died are forgiven until then
    forgiven_until: datetime | None = None
    status_calls: int = 0


@dataclass(slots=True)
class Webhook:
    """One subscription of the add-on (GET /webhooks shows it)."""

    id: int
    name: str
    url: str
    event: str
    active_yn: bool
    creation_time: str
    last_success_call: str | None = None
    last_success_call_status: int | None = None
    last_error_call: str | None = None
    last_error_call_status: int | None = None

    def as_json(self, *, short: bool = False) -> Json:
        """The subscription as the API shows it; `last_success_call_status` is typed as a time there by mistake."""
        head = ("id", "active_yn", "name", "url", "event")
        return {name: value for name, value in asdict(self).items() if not short or name in head}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call: when, what, how long the add-on took. `outcome`: ok, late, refused, lost, unreachable."""

    at: datetime
    webhook: int
    event: str
    records: int
    seconds: float
    status: int
    outcome: str
    attempt: int
    ids: tuple[str, ...]

    def as_json(self) -> Json:
        """The delivery as the control API lists it."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(slots=True)
class Tariff:
    """Hourly and daily limits of the shop's API; both windows are fixed (Rate Limiting)."""

    hour: int
    day: int
    hour_used: int = 0
    day_used: int = 0
    hour_start: datetime | None = None
    day_start: datetime | None = None


#: tariff -> calls an hour, calls a day on top; a package adds 25 an hour and 400 a day
TARIFFS = {
    "bronze": (10, 100),
    "silver": (15, 300),
    "gold": (50, 600),
    "platinum": (100, 1500),
    "exclusive": (100, 1500),
}
PACKAGE = (25, 400)


@dataclass(slots=True)
class Shop:
    """One e-shop."""

    name: str
    token: str
    goods: Goods
    product_factory: ProductFactory
    order_factory: OrderFactory
    orders: dict[str, Json]
    broken: dict[str, str]
    rng: random.Random
    language: str = "cs"
    version: int = 1
    active: bool = False
    access: Access | None = None
    former: dict[str, Access] = field(default_factory=dict)
    rights: dict[str, str] = field(default_factory=lambda: dict(RIGHTS))
    server: str = ""
    """Where the shop has moved to; empty before its first move."""
    old_servers: dict[str, int] = field(default_factory=dict)
    """Where it has been, and how many calls came there since."""
    tariff: Tariff | None = None
    closed_since: datetime | None = None
    closed_until: datetime | None = None
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    next_webhook: int = 1
    webhook_faults: WebhookFaults = field(default_factory=WebhookFaults)
    faults: ShopFaults = field(default_factory=ShopFaults)
    unseen: set[str] = field(default_factory=set)
    """Order numbers and product ids whose last change the next look does not show."""
    before: dict[str, Json] = field(default_factory=dict)
    """What the next look at these shows instead: the version before their last change."""
    puts: int = 0
    """How often orders were changed by the API."""
    facts: ShopFacts = field(default_factory=ShopFacts)
    deliveries: deque[Delivery] = field(default_factory=lambda: deque(maxlen=20_000))
    lost_records: list[tuple[str, str]] = field(default_factory=list)
    history: dict[str, list[Json]] = field(default_factory=dict)
    versions: dict[str, list[Json]] = field(default_factory=dict)
    deleted_products: dict[int, Json] = field(default_factory=dict)
    deleted_orders: dict[str, Json] = field(default_factory=dict)
    refuse_puts: set[str] = field(default_factory=set)
    ignore_page_items: bool = False
    frame: Json | None = None
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=200))

    @property
    def host(self) -> str:
        """The administration's address, as it stands in `admin_url`."""
        return f"https://{self.name}.admin.s24.upgates.com"

    @property
    def project_name(self) -> str:
        """The name by which webhooks call the shop."""
        return f"Šatník {self.name}"

    def knows(self, user: str) -> bool:
        """Whether *user* is or was the add-on's API user here."""
        return (self.access is not None and self.access.user == user) or user in self.former

    def new_access(self) -> Access:
        """Create a fresh API user; it becomes the current one with `adopt`."""
        digest = hashlib.sha256(f"{self.token}/{self.rng.random()}".encode()).hexdigest()
        return Access(user=f"{digest[:8]}", key=digest[8:40])

    def adopt(self, access: Access, now: datetime) -> None:
        """Make *access* the add-on's API user; the one before it dies."""
        self.retire("replaced", now)
        self.access = access

    def retire(self, why: str, now: datetime, grace: float = 5.0) -> None:
        """Delete the API user and all that belongs to it: webhooks too (add-on documentation, deactivation)."""
        if self.access is None:
            return
        self.access.gone = why
        self.access.forgiven_until = now + timedelta(seconds=grace)
        self.former[self.access.user] = self.access
        self.access = None
        self.webhooks.clear()

    def touch_order(self, order: Json, now: datetime) -> None:
        """Note a changed order: its time and its version."""
        order["last_update_time"] = moment(now)
        self.keep_version(order)

    def keep_version(self, order: Json) -> None:
        """Remember how an order looks now: a copy in a target may rightly be older than the newest state."""
        self.versions.setdefault(order["order_number"], []).append(copy.deepcopy(order))

    def look(self, key: str, entity: Json | None) -> Json | None:
        """*entity* as this look at it by its id or number shows it: if it comes too soon, as it was before, or not
        at all. The next one does not."""
        before = self.before.pop(key, None)
        if key in self.unseen:
            self.unseen.discard(key)
            return None
        return before if before is not None and entity is not None else entity

    def looks(self, found: dict[str, Json]) -> list[Json]:
        """The same of several, by their ids or numbers."""
        shown = (self.look(key, entity) for key, entity in found.items())
        return [one for one in shown if one is not None]

    def as_json(self) -> dict[str, Any]:
        """The shop as the control API lists it; without its secrets."""
        return {
            "name": self.name,
            "token": self.token,
            "project_name": self.project_name,
            "active": self.active,
            "version": self.version,
            "language": self.language,
            "products": len(self.goods.products),
            "variants": sum(len(item["variants"]) for item in self.goods.products.values()),
            "orders": len(self.orders),
            "broken_orders": dict(self.broken),
            "webhooks": [hook.event for hook in self.webhooks.values() if hook.active_yn],
            "api_user_active": self.access is not None and self.access.active,
            "rights": dict(self.rights),
            "tariff": None if self.tariff is None else {"hour": self.tariff.hour, "day": self.tariff.day},
            "faults": self.faults.as_json(),
            "facts": self.facts.as_json(),
            "webhook_faults": self.webhook_faults.as_json(),
            "lost_records": len(self.lost_records),
        }
