"""The webhook addresses: check the token, read the body, store, answer. Nothing else happens here (R36)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from fastapi import APIRouter, Request, Response

from upbridge.core.bounds import WEBHOOK
from upbridge.core.deferred import Deferred
from upbridge.core.errors import NotFound, Refused, UpbridgeError
from upbridge.core.request_bodies import declared_size, request_body, skip_body
from upbridge.core.telemetry.metrics import WEBHOOK_DELIVERIES, WEBHOOK_SECONDS
from upbridge.core.telemetry.seldom import Seldom
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.domain.webhooks import ANY_EVENT, is_about_facts, is_subscribed, route
from upbridge.systems.base import Source, System
from upbridge.systems.registry import SYSTEMS
from upbridge.webhooks.addresses import Recognised, WebhookAddresses
from upbridge.webhooks.inbox import Inbox
from upbridge.webhooks.parsing import (
    ChangedKeys,
    everything,
    object_of,
    read_connected,
    read_upgates,
)

log = structlog.get_logger(__name__)
router = APIRouter()


class _Container(Protocol):
    @property
    def inbox(self) -> Inbox: ...

    @property
    def addresses(self) -> Deferred[WebhookAddresses]: ...

    @property
    def seldom(self) -> Seldom: ...


async def platform(request: Request) -> Response:
    """A delivery from Upgates: 204 once it is committed."""
    return await _receive(request, source=PLATFORM, event=request.path_params["event"])


async def _read(source: str, event: str, body: bytes) -> ChangedKeys:
    connected = _source(source)
    payload = {} if connected is None and is_about_facts(event) else await object_of(body)
    return read_upgates(event, payload) if connected is None else read_connected(connected, payload)


def _source(name: str) -> Source | None:
    """What is read from the connected system of that name; None for the shop itself."""
    system = SYSTEMS.get(name)
    return None if system is None else system.source


async def _take(
    request: Request, inbox: Inbox, found: Recognised, *, source: str, event: str
) -> ChangedKeys | None:
    """Store a delivery record by record, in its turn; None if it is over the shop's quota and left to the net."""
    quota = inbox.quotas.of(found.shop_id)
    wait = quota.arrives(min(declared_size(request), WEBHOOK.bytes))
    if wait is None:
        await skip_body(request, WEBHOOK)
        changed = everything(_source(source))
        await inbox.store_together(
            found.shop_id, source=source, event=event, changed=changed, generation=found.generation
        )
        return None
    if wait:
        await asyncio.sleep(wait)
    body = await request_body(request, WEBHOOK)
    changed = await _read(source, event, body)
    quota.read(changed.records)
    await inbox.store(
        found.shop_id, source=source, event=event, changed=changed, generation=found.generation, waited=wait
    )
    return changed


def _of(system: System) -> Callable[[Request], Awaitable[Response]]:
    async def connected(request: Request) -> Response:
        """A delivery from a connected system: 204 once it is committed."""
        return await _receive(request, source=system.name, event=ANY_EVENT)

    return connected


# Starlette's own routes: there is nothing to inject or to validate, and looking for it took time (decision 0008).
router.add_route(route(PLATFORM), platform, methods=["POST"])
for _system in SYSTEMS.connected:
    if _system.calls_back:
        router.add_route(route(_system.name), _of(_system), methods=["POST"])


async def _receive(request: Request, *, source: str, event: str) -> Response:
    container: _Container = request.app.state.container
    started = time.perf_counter()
    outcome = "refused"
    changed: ChangedKeys | None = None
    shop_id: ShopId | None = None
    try:
        found = container.addresses.get().shop(request.path_params["token"], source, event)
        if found is None or (source == PLATFORM and not is_subscribed(event)):
            raise NotFound("no shop listens at this address")
        shop_id = found.shop_id
        changed = await _take(request, container.inbox, found, source=source, event=event)
        outcome = "stored" if changed is not None else "left_to_net"
    except UpbridgeError as error:
        outcome = error.code if isinstance(error, Refused) else "not_stored"
        raise
    finally:
        seconds = time.perf_counter() - started
        WEBHOOK_DELIVERIES.labels(source=source, outcome=outcome).inc()
        WEBHOOK_SECONDS.observe(seconds)
        if changed is not None and outcome == "stored":
            log.info(
                "webhook_received",
                source=source,
                event_name=event,
                shop_id=str(shop_id),
                outcome=outcome,
                records=changed.records,
                unreadable=changed.unreadable,
                ms=round(seconds * 1000, 1),
            )
        elif times := container.seldom.times(source, shop_id, outcome):
            log.info(
                "webhook_refused",
                source=source,
                shop_id=str(shop_id) if shop_id is not None else None,
                outcome=outcome,
                times=times,
            )
    return Response(status_code=204)
