"""Connections: connect Upp.ai and Uphance, test them, disconnect. What was typed is tested before it is stored.

A secret that is stored is "set, since …"; no page ever returns it. A wrong attempt keeps what was typed, except
for secrets.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.core.errors import BadRequest, Conflict, LoginRefused, NotFound, RemoteError, UpbridgeError
from upbridge.core.parsing import whole
from upbridge.domain.lane import Lane
from upbridge.engine.context import Service
from upbridge.engine.lanes import exclusive
from upbridge.operations.connect import connect_uphance, connect_upp, restore_connection
from upbridge.operations.connect import disconnect as disconnect_shop
from upbridge.store.connections import ConnectionRow, ConnectionState
from upbridge.systems.uphance.client import Organisation, login
from upbridge.systems.upp.client import UppClient
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.forms import as_typed, one

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


async def _page(here: PageContext, attempt: Attempt | None = None) -> Response:
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
    before = await _connected(here, "upp")
    try:
        row = await connect_upp(here.pages.act(), here.shop, client_id=client_id, client_secret=secret)
    except (RemoteError, Conflict) as error:
        return await _page(here, Attempt("upp", _words(here, "upp", error), typed))
    again = before is not None and before.account == row.account  # then no first import begins
    return here.go("connections", "test_upp" if again else "connected_upp")


@router.post("/connections/uphance")
async def uphance(here: Session, form: Posted) -> Response:
    """Connect Uphance; a login that sees several companies is asked for one of them."""
    service = here.pages.act()
    email, password, organisation = one(form, "email"), as_typed(form, "password"), one(form, "organisation")
    typed = {"email": email, "organisation": organisation}
    if not email or not password:
        return await _page(here, Attempt("uphance", here.texts.get("ui.connections.fill_in"), typed))
    try:
        await connect_uphance(service, here.shop, email=email, password=password, organisation=whole(organisation))
    except BadRequest:
        return await _page(here, await _choose(here, service, email, password, typed))
    except (RemoteError, Conflict) as error:
        return await _page(here, Attempt("uphance", _words(here, "uphance", error), typed))
    return here.go("connections", "connected_uphance")


async def _choose(
    here: PageContext, service: Service, email: str, password: str, typed: Mapping[str, str]
) -> Attempt:
    try:
        _, organisations = await login(
            service.http, service.settings.uphance_url, service.clock, email=email, password=password
        )
    except RemoteError as error:
        return Attempt("uphance", _words(here, "uphance", error), typed)
    if not organisations:
        return Attempt("uphance", here.texts.get("ui.connections.no_organisation"), typed)
    return Attempt("uphance", here.texts.get("ui.connections.choose"), typed, tuple(organisations))


@router.post("/connections/{system}/test")
async def test(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Try the stored login now, and say plainly how it went. A connection that was broken goes on if it works."""
    service, row = here.pages.act(), await _connected(here, system)
    if row is None:
        return here.go("connections")
    try:
        if system == "upp":
            secret = await here.pages.connections.vault(here.shop.id, system).secret()
            client = UppClient(service.http, service.settings.upp_url, service.clock)
            await client.test_login(secret["client_id"], secret["client_secret"])
        else:
            # One at a time: two who renew the same token at once would take it from each other. Whoever holds the
            # connection is using it right now, and may be waiting for an answer in vain.
            async with exclusive(here.pages.engine, Lane.push(here.shop.id, "uphance")) as mine:
                if mine is None:
                    return here.go("connections", "test_later")
                await service.uphance(here.shop, row).get("/organisations")
    except RemoteError as error:
        return await _page(here, Attempt(system, _words(here, system, error)))
    mended = await restore_connection(service, here.shop, system)
    return here.go("connections", "mended" if mended else f"test_{system}")


@router.get("/connections/{system}/disconnect")
async def ask(here: Session, system: str) -> Response:
    """Say what disconnecting means, and ask."""
    if await _connected(here, system) is None:
        return here.go("connections")
    return here.page("connections", template="disconnect", system=system)


@router.post("/connections/{system}/disconnect")
async def disconnect(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Forget the connection; the links stay, so that a return doubles nothing. The second click finds none."""
    if await _connected(here, system) is not None:
        with suppress(Conflict):
            await disconnect_shop(here.pages.act(), here.shop, system)
    return here.go("connections", f"disconnected_{system}")


async def _connected(here: PageContext, system: str) -> ConnectionRow | None:
    """The connection to *system*; None if there is none (any more): the page may have been open for a while."""
    if system not in here.pages.systems.titles:
        raise NotFound
    return (await here.pages.connections.of(here.shop.id)).get(system)


def _words(here: PageContext, system: str, error: UpbridgeError) -> str:
    """What went wrong. Unlike a delivery, a login that a user tries here is not tried again by itself."""
    if isinstance(error, RemoteError) and not isinstance(error, LoginRefused):
        return here.texts.get("ui.connections.no_answer", system=here.pages.systems.title(system))
    return here.texts.get(error.merchant)
