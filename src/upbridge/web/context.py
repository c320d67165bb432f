"""The pages' collaborators, put together once per process: sessions, views, templates, static files."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.bounds import FORM, Bounds
from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotReady
from upbridge.core.i18n import FALLBACK, LANGUAGES, Texts
from upbridge.core.package_files import package_file
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import Connections
from upbridge.store.shops import Shops
from upbridge.systems.base import Systems
from upbridge.web.actions import Actions
from upbridge.web.formatting import written_day
from upbridge.web.queries.start import Views
from upbridge.web.rule_parts import rule_address
from upbridge.web.security_headers import page_headers
from upbridge.web.sessions import Ended, Sessions
from upbridge.web.templates import page_templates
from upbridge.web.visits import Visits

#: Seconds that a page may take of our own, which is the database's: a shop of a hundred thousand variants takes
#: less than one (docs/benchmarks.md), and a person who waits longer thinks that all is lost.
PAGE_SECONDS = 8.0
_MAX_LANGUAGES = 20


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file, with the hash that its address carries."""

    body: bytes
    media_type: str
    version: str


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
    templates: Environment
    assets: Mapping[str, Asset]
    headers: Mapping[str, str]
    origin: str
    support_email: str | None
    support_phone: str | None
    sends_mail: bool = False
    """Whether this service sends mails at all."""
    deadline: float = PAGE_SECONDS
    form_bounds: Bounds = FORM
    visits: Visits = field(default_factory=Visits)
    ended_pages: dict[str, bytes] = field(default_factory=dict)
    """By language: strangers ask for no other page, so it is made once."""

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
        assets, ledger = load_assets(), Ledger(engine, clock)
        templates = page_templates()
        templates.globals["SYSTEMS"] = systems.titles
        templates.globals["system_title"] = systems.title
        templates.globals["leading_to"] = lambda page: rule_address(page, systems)
        templates.globals["written_day"] = written_day
        templates.globals["asset"] = lambda name: f"/ui/static/{name}?v={assets[name].version}"
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
            templates=templates,
            assets=assets,
            headers=page_headers(settings.frame_ancestors),
            origin=origin or settings.public_origin(),
            support_email=settings.support_email,
            support_phone=settings.support_phone,
            sends_mail=settings.mail is not None,
        )

    async def ticket_address(self, shop_id: ShopId, language: str) -> str:
        """The address that the admin frames: good once, for a minute (R17, R27)."""
        return f"{self.origin}/ui/open/{await self.sessions.issue(shop_id, language)}"

    def render(self, name: str, texts: Texts, *, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
        """The template *name* in the language of *texts*."""
        page = self.templates.get_template(name).render(
            t=texts.get,
            language=texts.language,
            support_email=self.support_email,
            support_phone=self.support_phone,
            has_text=texts.has,
            number=texts.number,
            moment=texts.moment,
            languages=LANGUAGES,
            **{"home": None, **values},
        )
        return HTMLResponse(page, status)

    def ended(self, ended: Ended, request: Request, lost: Mapping[str, str] | None = None) -> HTMLResponse:
        """How to go on after a ticket or a session has ended, in the last known or the browser's language. *lost*:
        rules that were typed and cannot be saved any more, to be typed once more."""
        language = ended.language or preferred(request.headers.get("accept-language", ""))
        if lost:
            return self.render("ended.html", Texts(language), status=HTTPStatus.GONE, lost=lost)
        page = self.ended_pages.get(language)
        if page is None:
            page = self.ended_pages[language] = bytes(self.render("ended.html", Texts(language), lost={}).body)
        return HTMLResponse(page, HTTPStatus.GONE)


def _not_ready() -> Actions:
    raise NotReady


def _nowhere(_shop: Shop, _system: str) -> str:
    raise NotReady


def load_assets() -> dict[str, Asset]:
    """The static files of the package, by name."""
    assets = {}
    for path in sorted((package_file("templates") / "static").iterdir()):
        body = path.read_bytes()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        assets[path.name] = Asset(body, media_type, hashlib.sha256(body).hexdigest()[:16])
    return assets


def preferred(accept_language: str) -> str:
    """The first of our languages that a browser asks for, by its weights; English if none."""
    wanted = []
    for position, part in enumerate(accept_language.split(",")[:_MAX_LANGUAGES]):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.strip().lower().partition("-")[0]
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0.0
        if language in LANGUAGES and quality > 0:
            wanted.append((-quality, position, language))
    return min(wanted)[2] if wanted else FALLBACK
