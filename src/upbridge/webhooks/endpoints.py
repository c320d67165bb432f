"""The webhook addresses: check the token, read the hints, store, answer. Nothing else happens here (R36)."""

import time
from typing import Protocol

import structlog
from fastapi import APIRouter, Request, Response

from upbridge.core.bodies import request_body
from upbridge.core.deferred import Deferred
from upbridge.core.errors import NotFound, Refused, UpbridgeError
from upbridge.core.telemetry.metrics import WEBHOOK_DELIVERIES, WEBHOOK_SECONDS
from upbridge.domain.shop_id import ShopId
from upbridge.webhooks.addresses import ANY_EVENT, WebhookAddresses
from upbridge.webhooks.inbox import Inbox
from upbridge.webhooks.parsing import MAX_BYTES, ChangedKeys, known_event, read_upgates, read_uphance

log = structlog.get_logger(__name__)
router = APIRouter()


class _Container(Protocol):
    @property
    def inbox(self) -> Inbox: ...

    @property
    def addresses(self) -> Deferred[WebhookAddresses]: ...


async def upgates(request: Request) -> Response:
    """A delivery from Upgates: 204 once it is committed."""
    return await _receive(request, source="upgates", event=request.path_params["event"])


async def uphance(request: Request) -> Response:
    """A delivery from Uphance: 204 once it is committed."""
    return await _receive(request, source="uphance", event=ANY_EVENT)


# Starlette's own routes: there is nothing to inject or to validate, and looking for it took time (decision 0008).
router.add_route("/webhooks/upgates/{event}/{token}", upgates, methods=["POST"])
router.add_route("/webhooks/uphance/{token}", uphance, methods=["POST"])


async def _receive(request: Request, *, source: str, event: str) -> Response:
    container: _Container = request.app.state.container
    started = time.perf_counter()
    outcome = "stored"
    hints: ChangedKeys | None = None
    shop_id: ShopId | None = None
    try:
        shop_id = container.addresses.get().shop(request.path_params["token"], source, event)
        if shop_id is None or (source == "upgates" and not known_event(event)):
            raise NotFound("no shop listens at this address")
        body = await request_body(request, limit=MAX_BYTES)
        hints = read_upgates(event, body) if source == "upgates" else read_uphance(body)
        await container.inbox.store(
            shop_id, source=source, event=event, body=body if hints.kept is None else hints.kept, hints=hints
        )
    except UpbridgeError as error:
        outcome = error.code if isinstance(error, Refused) else "not_stored"
        raise
    finally:
        seconds = time.perf_counter() - started
        WEBHOOK_DELIVERIES.labels(source=source, outcome=outcome).inc()
        WEBHOOK_SECONDS.observe(seconds)
        log.info(
            "webhook_received",
            source=source,
            event_name=event if shop_id is not None else None,
            shop_id=str(shop_id) if shop_id is not None else None,
            outcome=outcome,
            records=hints.records if hints is not None else None,
            unreadable=hints.unreadable if hints is not None else None,
            ms=round(seconds * 1000, 1),
        )
    return Response(status_code=204)
