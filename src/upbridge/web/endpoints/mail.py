"""What the links in mails open, without a session: how to get to the add-on, and the end of such mails.

A GET changes nothing, because programs that look mails through follow every link; the button, or the one click of
a mail program (RFC 8058), is a POST. The token in the address is all that is asked for: it ends mails and nothing
else.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from upbridge.core.errors import NotFound
from upbridge.core.i18n import Texts
from upbridge.domain.shop import Shop
from upbridge.mail.stopping import LENGTH
from upbridge.web.context import Pages
from upbridge.web.dependencies import PageRoute, PagesHere
from upbridge.web.rendering import preferred

router = APIRouter(prefix="/mail", route_class=PageRoute)

_OFF = {"notify.email": "", "notify.digest": ""}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The shop that a link in a mail is about. *reads*: its mails still go to the address that the token was made
    for."""

    shop: Shop
    reads: bool

    @property
    def texts(self) -> Texts:
        return Texts(self.shop.language)


async def _asked(token: str, pages: Pages) -> _Asked:
    """Raises `NotFound` for a token that was never made here, or of a shop that was erased."""
    if len(token) != LENGTH:  # asks no database
        raise NotFound
    reader = (await pages.act().stop_addresses()).reader(token)
    if reader is None:
        raise NotFound
    shop = await pages.shops.get(reader.shop_id)
    return _Asked(shop, reader.is_at(shop.settings.text("notify.email")))


@router.get("/where")
async def where(request: Request, pages: PagesHere) -> Response:
    """How the add-on is opened: not by a link."""
    return pages.rendering.render("mail_where.html", Texts(preferred(request.headers.get("accept-language", ""))))


@router.get("/{token}")
async def look(token: str, pages: PagesHere) -> Response:
    """Ask whether the mails should end."""
    return _page(pages, await _asked(token, pages))


@router.post("/{token}")
async def stop(token: str, pages: PagesHere) -> Response:
    """End the mails to the address that the token was made for."""
    asked = await _asked(token, pages)
    if asked.reads:
        await pages.act().settings.change(asked.shop, _OFF)
    return _page(pages, _Asked(asked.shop, reads=False))


def _page(pages: Pages, asked: _Asked) -> Response:
    return pages.rendering.render("mail_stop.html", asked.texts, reads=asked.reads, shop=asked.shop.name)
