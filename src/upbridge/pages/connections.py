"""Connections: connect Upp.ai and Uphance, test them, disconnect. What was typed is tested before it is stored.

A secret that is stored is "set, since …"; no page ever returns it. A wrong attempt keeps what was typed, except
for secrets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.errors import BadRequest, Conflict, NotFound, RemoteError, UpbridgeError
from upbridge.pages.door import Here, PageRoute, Posted, Session, one
from upbridge.pages.views.start import SYSTEMS
from upbridge.shops.connections import ConnectionState
from upbridge.sync.connect import connect_uphance, connect_upp
from upbridge.sync.connect import disconnect as disconnect_shop
from upbridge.sync.lanes import Lane, exclusive
from upbridge.sync.service import Service
from upbridge.systems.uphance.client import Organisation, login
from upbridge.systems.upp.client import UppClient

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was typed for one system and why it did not work; secrets are not kept."""

    system: str
    wrong: str
    typed: Mapping[str, str] = field(default_factory=dict)
    organisations: tuple[Organisation, ...] = ()


@router.get("/connections")
async def connections(here: Session) -> Response:
    """Both systems: connected or not, since when, to which account."""
    return await _page(here)


async def _page(here: Here, attempt: Attempt | None = None) -> Response:
    return here.page(
        "connections",
        status=HTTPStatus.OK if attempt is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        rows=await here.pages.connections.of(here.shop.id),
        connected=ConnectionState.CONNECTED,
        attempt=attempt,
        webhook_url=here.pages.uphance_address(here.shop.id),
    )


@router.post("/connections/upp")
async def upp(here: Session, form: Posted) -> Response:
    """Connect Upp.ai."""
    client_id, secret = one(form, "client_id"), one(form, "client_secret")
    typed = {"client_id": client_id}
    if not client_id or not secret:
        return await _page(here, Attempt("upp", here.texts.get("ui.connections.fill_in"), typed))
    try:
        await connect_upp(here.pages.act(), here.shop, client_id=client_id, client_secret=secret)
    except (RemoteError, Conflict) as error:
        return await _page(here, Attempt("upp", _words(here, error), typed))
    return here.go("connections", "connected_upp")


@router.post("/connections/uphance")
async def uphance(here: Session, form: Posted) -> Response:
    """Connect Uphance; a login that sees several companies is asked for one of them."""
    service = here.pages.act()
    email, password, organisation = one(form, "email"), one(form, "password"), one(form, "organisation")
    typed = {"email": email, "organisation": organisation}
    number = int(organisation) if organisation.isascii() and organisation.isdigit() else None
    if not email or not password:
        return await _page(here, Attempt("uphance", here.texts.get("ui.connections.fill_in"), typed))
    try:
        await connect_uphance(service, here.shop, email=email, password=password, organisation=number)
    except BadRequest:
        return await _page(here, await _choose(here, service, email, password, typed))
    except (RemoteError, Conflict) as error:
        return await _page(here, Attempt("uphance", _words(here, error), typed))
    return here.go("connections", "connected_uphance")


async def _choose(here: Here, service: Service, email: str, password: str, typed: Mapping[str, str]) -> Attempt:
    try:
        _, organisations = await login(
            service.http, service.settings.uphance_url, service.clock, email=email, password=password
        )
    except RemoteError as error:
        return Attempt("uphance", _words(here, error), typed)
    if not organisations:
        return Attempt("uphance", here.texts.get("ui.connections.no_organisation"), typed)
    return Attempt("uphance", here.texts.get("ui.connections.choose"), typed, tuple(organisations))


@router.post("/connections/{system}/test")
async def test(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Try the stored login now, and say plainly how it went."""
    service, rows = here.pages.act(), await here.pages.connections.of(here.shop.id)
    if system not in rows or system not in SYSTEMS:
        raise NotFound
    try:
        if system == "upp":
            secret = await here.pages.connections.vault(here.shop.id, system).secret()
            client = UppClient(service.http, service.settings.upp_url, service.clock)
            await client.test_login(secret["client_id"], secret["client_secret"])
        else:
            # One at a time: two who renew the same token at once would take it from each other. Whoever holds the
            # connection is using it right now, which is a test too.
            async with exclusive(here.pages.engine, Lane(here.shop.id, "push:uphance")) as mine:
                if mine is not None:
                    await service.uphance(here.shop, rows[system]).get("/organisations")
    except RemoteError as error:
        return await _page(here, Attempt(system, _words(here, error)))
    return here.go("connections", f"test_{system}")


@router.get("/connections/{system}/disconnect")
async def ask(here: Session, system: str) -> Response:
    """Say what disconnecting means, and ask."""
    if system not in await here.pages.connections.of(here.shop.id) or system not in SYSTEMS:
        raise NotFound
    return here.page("connections", template="disconnect", system=system)


@router.post("/connections/{system}/disconnect")
async def disconnect(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Forget the connection; the links stay, so that a return doubles nothing."""
    if system not in await here.pages.connections.of(here.shop.id) or system not in SYSTEMS:
        raise NotFound
    await disconnect_shop(here.pages.act(), here.shop, system)
    return here.go("connections", f"disconnected_{system}")


def _words(here: Here, error: UpbridgeError) -> str:
    return here.texts.get(error.merchant)
