"""What machines ask: alive, ready, numbers, who are you."""

import hmac

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import DBAPIError

from upbridge import __version__
from upbridge.db import Database, revision_of
from upbridge.errors import NotFound
from upbridge.schema import HEAD
from upbridge.settings import Settings
from upbridge.telemetry.gauges import render

log = structlog.get_logger(__name__)
router = APIRouter()

DOCS = "https://github.com/upbridge/upbridge"


@router.get("/")
async def who() -> dict[str, str]:
    """Name and version; nothing about shops."""
    return {"name": "Upbridge", "version": __version__, "docs": DOCS}


@router.get("/livez")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """The database answers and its schema is the one that this code wants."""
    database: Database = request.app.state.database
    try:
        current = await revision_of(database.engine)
    except (DBAPIError, OSError) as error:
        return JSONResponse({"status": "no database", "reason": type(error).__name__}, status_code=503)
    if current != HEAD:
        return JSONResponse({"status": "schema is not at head", "revision": current}, status_code=503)
    if request.app.state.addresses is None:
        return JSONResponse({"status": "starting"}, status_code=503)
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus metrics, for those who hold the token; with no token set there are none (404)."""
    settings: Settings = request.app.state.settings
    if settings.metrics_token is None and not settings.allow_insecure:
        raise NotFound("metrics are switched off")
    if settings.metrics_token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        wanted = settings.metrics_token.get_secret_value()
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            return JSONResponse({"error": "unauthorized", "detail": "a bearer token is needed"}, status_code=401)
    database: Database = request.app.state.database
    return PlainTextResponse(
        await render(database.engine, request.app.state.clock()), media_type="text/plain; version=0.0.4"
    )
