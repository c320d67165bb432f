"""Connections: connect the shop to a system, test it, disconnect it. What is typed is tested before it is stored.

A secret that is stored is "set, since …"; no page ever returns it. A wrong attempt keeps what was typed, except
for secrets.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus

from fastapi import APIRouter, Response

from upbridge.core.errors import Conflict, LoginElsewhere, LoginRefused, NotFound, RemoteError, UpbridgeError
from upbridge.core.i18n import Texts
from upbridge.store import deliveries
from upbridge.store.connections import ConnectionRow, ConnectionState
from upbridge.systems.base import System
from upbridge.systems.connecting import HELD, ChoiceNeeded, LoginOption
from upbridge.web.dependencies import PageContext, PageRoute, Posted, Session
from upbridge.web.forms import as_typed, one

router = APIRouter(prefix="/s/{session}", route_class=PageRoute)


@dataclass(frozen=True, slots=True)
class ConnectForm:
    """What was typed for one system and why it did not work; secrets are not kept. *choices* are the options of a
    field that has to be chosen too, and *login* the sealed login that is taken with it."""

    system: str
    wrong: str
    typed: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    login: str = ""


def option_words(option: LoginOption, texts: Texts) -> str:
    """An option with what tells it apart."""
    said = []
    for name, value in option.about.items():
        key = f"ui.connections.about.{name}"
        if value is None:
            said.append(texts.get(f"ui.connections.about.no_{name}"))
        elif isinstance(value, date):
            said.append(texts.get(key, day=texts.full_day(value)))
        else:
            said.append(texts.get(key, count=value))
    return ", ".join((f"{option.name} ({option.id})", *said))


@router.get("/connections")
async def connections(here: Session) -> Response:
    """Each system: connected or not, since when, to which account."""
    return await _page(here)


async def _page(here: PageContext, attempt: ConnectForm | None = None) -> Response:
    return await here.page(
        "connections",
        status=HTTPStatus.OK if attempt is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        systems=[system for system in here.pages.systems.connected if system.connect is not None],
        rows=await here.pages.connections.of(here.shop.id),
        connected=ConnectionState.CONNECTED,
        attempt=attempt,
        heard=await _heard(here),
        held_login=HELD,
        webhook_url=lambda system: here.pages.webhook_address(here.shop, system),
    )


async def _heard(here: PageContext) -> Mapping[str, datetime | None]:
    """When each system that sends webhooks last did."""
    async with here.pages.engine.connect() as tx:
        return {
            system.name: await deliveries.last_from(tx, here.shop.id, system.name)
            for system in here.pages.systems.connected
            if system.calls_back
        }


@router.post("/connections/{system}")
async def connect(here: Session, form: Posted, system: str) -> Response:
    """Connect the shop; a login that leaves a choice is asked for it."""
    found = _system(here, system)
    assert found.connect is not None
    typed = {
        field.name: as_typed(form, field.name) if field.verbatim else one(form, field.name)
        for field in found.connect.fields
    }
    shown = {field.name: typed[field.name] for field in found.connect.fields if not field.secret}
    typed[HELD] = one(form, HELD)
    if not typed[HELD] and not all(typed[field.name] for field in found.connect.fields if field.needed):
        return await _page(here, ConnectForm(system, here.texts.get("ui.connections.fill_in"), shown))
    try:
        _, fresh = await here.pages.act().connections.connect(here.shop, system, typed)
    except ChoiceNeeded as choice:
        key = "choose" if choice.options else "no"
        wrong = here.texts.get(f"ui.connections.{key}_{choice.field}")
        options = [(one.id, option_words(one, here.texts)) for one in choice.options]
        return await _page(here, ConnectForm(system, wrong, shown, {choice.field: options}, choice.login))
    except (RemoteError, Conflict) as error:
        return await _page(here, ConnectForm(system, _words(here, system, error), shown))
    return here.go("connections", f"{'connected' if fresh else 'test'}_{system}")


@router.get("/connections/{system}")
async def there(here: Session, system: str) -> Response:
    """Where a form of the page was sent to, opened again: a tab that a browser has restored."""
    _system(here, system)
    return here.go("connections")


@router.post("/connections/{system}/test")
async def test(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Try the stored login now, and say plainly how it went. A connection that was broken goes on if it works."""
    editor, row = here.pages.act().connections, await _connected(here, system)
    if row is None:
        return here.go("connections")
    try:
        # A worker that holds the connection is using it right now, and may be waiting for an answer in vain.
        if not await editor.test(here.shop, row):
            return here.go("connections", f"test_later_{system}")
    except (RemoteError, Conflict) as error:
        return await _page(here, ConnectForm(system, _words(here, system, error)))
    mended = await editor.restore(here.shop, system)
    return here.go("connections", "mended" if mended else f"test_{system}")


@router.get("/connections/{system}/disconnect")
async def ask(here: Session, system: str) -> Response:
    """Say what disconnecting means, and ask."""
    if await _connected(here, system) is None:
        return here.go("connections")
    return await here.page("connections", template="disconnect", system=system)


@router.post("/connections/{system}/disconnect")
async def disconnect(here: Session, form: Posted, system: str) -> Response:  # noqa: ARG001 - Posted guards
    """Forget the connection; the links stay, so that a return doubles nothing. The second click finds none."""
    if await _connected(here, system) is not None:
        with suppress(Conflict):
            await here.pages.act().connections.disconnect(here.shop, system)
    return here.go("connections", f"disconnected_{system}")


async def _connected(here: PageContext, system: str) -> ConnectionRow | None:
    """The connection to *system*; None if there is none (any more): the page may have been open for a while."""
    _system(here, system)
    return (await here.pages.connections.of(here.shop.id)).get(system)


def _system(here: PageContext, name: str) -> System:
    found = here.pages.systems.get(name)
    if found is None or found.connect is None:
        raise NotFound
    return found


def _words(here: PageContext, system: str, error: UpbridgeError) -> str:
    """What went wrong. Unlike a delivery, a login that a user tries here is not tried again by itself."""
    if isinstance(error, RemoteError):
        why = "no_answer"
        if isinstance(error, LoginRefused):
            why = "elsewhere" if isinstance(error, LoginElsewhere) else "refused"
        return here.texts.get(f"ui.connections.{why}", system=here.pages.systems.title(system))
    return here.texts.get(error.merchant)
