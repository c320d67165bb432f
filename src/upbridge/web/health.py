"""What machines ask: alive, ready, numbers, who are you."""

import hmac
from typing import Any, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge import HOMEPAGE, __version__
from upbridge.core.clock import Clock
from upbridge.core.deadline import with_deadline
from upbridge.core.deferred import Deferred
from upbridge.core.errors import NotFound, NotReady
from upbridge.insights.flow_states import CountedLights
from upbridge.insights.gauges import gauges
from upbridge.settings import Settings
from upbridge.store.database import Database
from upbridge.store.metric_samples import render
from upbridge.web.context import Pages
from upbridge.web.readiness import DATABASE_SECONDS, Readiness

log = structlog.get_logger(__name__)
router = APIRouter()

#: Load balancers like to ask without wanting an answer's body.
_READ = ["GET", "HEAD"]


class _Container(Protocol):
    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def pages(self) -> Pages: ...

    @property
    def lights(self) -> CountedLights: ...

    @property
    def readiness(self) -> Readiness: ...

    @property
    def addresses(self) -> Deferred[Any]: ...


@router.api_route("/", methods=_READ)
async def who() -> dict[str, str]:
    """Name and version; nothing about shops."""
    return {"name": "Upbridge", "version": __version__, "docs": HOMEPAGE}


@router.api_route("/livez", methods=_READ)
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=_READ)
async def ready(request: Request) -> Response:
    """The database takes a write, or did within the last second, and this code may run on its schema."""
    container: _Container = request.app.state.container
    try:
        current = await container.readiness.schema()
    except NotReady as error:
        return JSONResponse({"status": "no database", "reason": str(error)}, status_code=503)
    if not current.usable:
        return JSONResponse({"status": "schema is not at head", "revision": current.revision}, status_code=503)
    if not container.addresses.ready:
        return JSONResponse({"status": "starting"}, status_code=503)
    return JSONResponse({"status": "ok"})


async def _metrics(container: _Container) -> str:
    engine, now = container.database.engine, container.clock()
    shining, revision = await container.lights.at(now), container.settings.revision
    return await render(engine, await gauges(engine, container.pages.systems, shining, now=now, revision=revision))


@router.api_route("/metrics", methods=_READ)
async def metrics(request: Request) -> Response:
    """Prometheus metrics, for those who hold the token; with no token set there are none (404)."""
    container: _Container = request.app.state.container
    settings = container.settings
    if settings.metrics_token is None and not settings.allow_insecure:
        raise NotFound("metrics are switched off")
    if settings.metrics_token is not None:
        scheme, given = get_authorization_scheme_param(request.headers.get("authorization"))
        wanted = settings.metrics_token.get_secret_value()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), wanted.encode()):
            return JSONResponse(
                {"error": "unauthorized", "detail": "a bearer token is needed"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
    try:
        text = await with_deadline(DATABASE_SECONDS, _metrics(container))
    except (PoolTimeout, TimeoutError) as error:
        raise NotReady("the database does not answer") from error
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
