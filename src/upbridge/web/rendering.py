"""What a page looks like: templates, texts, static files, and the page that a stranger gets."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

from upbridge.core.i18n import FALLBACK, LANGUAGES, Texts
from upbridge.core.package_files import package_file
from upbridge.settings import Settings
from upbridge.systems.base import Systems
from upbridge.web.formatting import written_day
from upbridge.web.rule_parts import rule_address
from upbridge.web.sessions import Ended
from upbridge.web.templates import page_templates

_MAX_LANGUAGES = 20
_ORDER_ID = "{id}"


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file, with the hash that its address carries."""

    body: bytes
    media_type: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Makes pages of templates: once per process by `Rendering.of`."""

    templates: Environment
    assets: Mapping[str, Asset]
    support_email: str | None
    support_phone: str | None
    ended_pages: dict[str, bytes] = field(default_factory=dict)
    """By language: strangers ask for no other page, so it is made once."""

    @classmethod
    def of(cls, settings: Settings, systems: Systems) -> "Rendering":
        """The templates, with what each of them may use."""
        assets, templates = load_assets(), page_templates()
        templates.globals["SYSTEMS"] = systems.titles
        templates.globals["system_title"] = systems.title
        templates.globals["leading_to"] = lambda page: rule_address(page, systems)
        templates.globals["written_day"] = written_day
        templates.globals["order_page"] = _order_pages(settings, systems)
        templates.globals["asset"] = lambda name: f"/ui/static/{name}?v={assets[name].version}"
        return cls(
            templates=templates,
            assets=assets,
            support_email=settings.support_email,
            support_phone=settings.support_phone,
        )

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


def _order_pages(settings: Settings, systems: Systems) -> Callable[[str, str], tuple[str, bool] | None]:
    """Where an order is opened in a system, by the system's name and the order's id there, and whether that is the
    order itself; None in a system without such pages."""
    addresses = {one.name: one.order_url(settings) for one in systems.connected if one.order_url is not None}

    def page(system: str, order_id: str) -> tuple[str, bool] | None:
        address = addresses.get(system)
        if address is None:
            return None
        return address.replace(_ORDER_ID, quote(order_id, safe="")), _ORDER_ID in address

    return page


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
