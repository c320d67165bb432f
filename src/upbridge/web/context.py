"""The collaborators of the pages, put together once per process: what they read and do, within which bounds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.bounds import FORM, Bounds
from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotReady
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import Connections
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems
from upbridge.web.actions import Actions
from upbridge.web.queries.start import Views
from upbridge.web.rendering import Rendering
from upbridge.web.security_headers import page_headers
from upbridge.web.sessions import Sessions
from upbridge.web.visits import Visits

#: Seconds that a page may take of our own, which is the database's: a shop of a hundred thousand variants takes
#: less than one (docs/benchmarks.md), and a person who waits longer thinks that all is lost.
PAGE_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What the pages work with: made once per process by `Pages.of`."""

    sessions: Sessions
    views: Views
    shops: Shops
    connections: Connections
    ledger: Ledger
    systems: Systems
    engine: AsyncEngine
    clock: Clock
    act: Callable[[], Actions]
    """What forms call. Raises `NotReady` until the key of the webhook addresses is loaded from the database."""
    webhook_address: Callable[[Shop, str], str]
    """Where a system reaches us for one shop; raises `NotReady` likewise."""
    rendering: Rendering
    headers: Mapping[str, str]
    origin: str
    sends_mail: bool = False
    """Whether this service sends mails at all."""
    deadline: float = PAGE_SECONDS
    form_bounds: Bounds = FORM
    visits: Visits = field(default_factory=Visits)

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        systems: Systems,
        engine: AsyncEngine,
        shops: Shops,
        connections: Connections,
        cipher: Cipher,
        clock: Clock,
        origin: str | None = None,
        act: Callable[[], Actions] | None = None,
        webhook_address: Callable[[Shop, str], str] | None = None,
    ) -> "Pages":
        """The pages as the settings want them. *origin*: where browsers reach them, if it is not the setting;
        *act* and *webhook_address*: what forms call and what a page shows; without them they are not ready."""
        ledger = Ledger(engine, clock)
        return cls(
            sessions=Sessions(engine, clock, cipher),
            views=Views(engine, systems=systems, ledger=ledger, clock=clock),
            shops=shops,
            connections=connections,
            ledger=ledger,
            systems=systems,
            engine=engine,
            clock=clock,
            act=act or _not_ready,
            webhook_address=webhook_address or _nowhere,
            rendering=Rendering.of(settings, systems),
            headers=page_headers(settings.frame_ancestors),
            origin=origin or settings.public_origin(),
            sends_mail=settings.mail is not None,
        )

    async def ticket_address(self, shop_id: ShopId, language: str) -> str:
        """The address that the admin frames: good once, for a minute (R17, R27)."""
        return f"{self.origin}/ui/open/{await self.sessions.issue(shop_id, language)}"


def _not_ready() -> Actions:
    raise NotReady


def _nowhere(_shop: Shop, _system: str) -> str:
    raise NotReady
