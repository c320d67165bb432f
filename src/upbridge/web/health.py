"""What machines ask: alive, ready, numbers, who are you."""

import hmac

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from upbridge import __version__
from upbridge.core.deadline import with_deadline
from upbridge.core.errors import NotFound, NotReady
from upbridge.settings import Settings
from upbridge.store.database import Database, revision_of
from upbridge.store.metric_samples import render
from upbridge.store.schema import HEAD

log = structlog.get_logger(__name__)
router = APIRouter()

DOCS = "https://github.com/upbridge/upbridge"
#: A database that accepts and does not answer is none; whoever asks waits no longer than this, in seconds.
PATIENCE = 2.0
#: Load balancers like to ask without wanting an answer's body.
_READ = ["GET", "HEAD"]


@router.api_route("/", methods=_READ)
async def who() -> dict[str, str]:
    """Name and version; nothing about shops."""
    return {"name": "Upbridge", "version": __version__, "docs": DOCS}


@router.api_route("/livez", methods=_READ)
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=_READ)
async def ready(request: Request) -> Response:
    """The database answers and its schema is the one that this code wants."""
    database: Database = request.app.state.database
    try:
        current = await with_deadline(PATIENCE, revision_of(database.engine))
    except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
        return JSONResponse({"status": "no database", "reason": type(error).__name__}, status_code=503)
    if current != HEAD:
        return JSONResponse({"status": "schema is not at head", "revision": current}, status_code=503)
    if request.app.state.addresses is None:
        return JSONResponse({"status": "starting"}, status_code=503)
    return JSONResponse({"status": "ok"})


@router.api_route("/metrics", methods=_READ)
async def metrics(request: Request) -> Response:
    """Prometheus metrics, for those who hold the token; with no token set there are none (404)."""
    settings: Settings = request.app.state.settings
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
    database: Database = request.app.state.database
    try:
        text = await with_deadline(PATIENCE, render(database.engine, request.app.state.clock()))
    except (PoolTimeout, TimeoutError) as error:
        raise NotReady("the database does not answer") from error
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
