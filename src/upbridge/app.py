"""The web side, assembled: nothing is decided here, nothing happens on import."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from upbridge import __version__
from upbridge.core.clock import Clock, utc_now
from upbridge.core.collector import spare_what_is_here, spare_what_stays
from upbridge.core.database_failure import reason_of
from upbridge.core.deadline import left_behind_ends
from upbridge.core.errors import NotReady, UpbridgeError
from upbridge.core.i18n import load_texts
from upbridge.core.telemetry.logging import configure_logging
from upbridge.core.telemetry.loop_watch import watch_loop
from upbridge.core.telemetry.tracing import configure_tracing, tracing
from upbridge.domain.webhooks import ROOT
from upbridge.installation import endpoints as installation_endpoints
from upbridge.settings import DEFAULT_PORT, Settings, load_settings, log_format, log_level
from upbridge.store.database import open_database
from upbridge.store.metric_samples import keep_writing
from upbridge.systems.http.transport import http_client
from upbridge.web import health
from upbridge.web import routes as pages_endpoints
from upbridge.web.security_headers import ProtectedApp, common_headers
from upbridge.web.templates import compile_templates
from upbridge.web.traced_requests import TracedRequests
from upbridge.web_container import connections_of_web, create_web_container
from upbridge.webhooks import endpoints as inbox_endpoints

log = structlog.get_logger(__name__)

_END_SECONDS = 6.0
"""How long the end of the process waits for work that was left behind: the driver tells the server for five."""


#: So long at most the first calls wait on a socket that was held for them, until a webhook can be stored. If the
#: database is away, a webhook is better refused: it comes again.
FIRST_CALLS_WAIT = 5.0


def create_app(
    settings: Settings, *, clock: Clock = utc_now, port: int = DEFAULT_PORT, first_calls_wait: float = 0.0
) -> FastAPI:
    """The web application; opens the database when it starts and lets go of it when it ends.

    It answers nothing in its first *first_calls_wait* seconds unless a webhook can be stored sooner.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings, watch=True))
            # What was left behind holds connections of the database.
            stack.push_async_callback(left_behind_ends, within=_END_SECONDS)
            http = await stack.enter_async_context(http_client())
            compile_templates()
            container = create_web_container(settings, database, http, clock=clock, port=port)
            load_texts()  # systems have brought theirs
            app.state.container = container
            log.info("web_started", most_connections=connections_of_web())
            stack.push_async_callback(container.close)
            background = (
                container.load_webhook_key(),
                container.wake_ups.run(),
                keep_writing(database.engine),
                watch_loop(),
                container.mail.run(),
            )
            tasks = [asyncio.create_task(task) for task in background]
            stack.push_async_callback(_end, tasks)
            if first_calls_wait:
                await asyncio.wait(tasks[:1], timeout=first_calls_wait)
            if gc.get_freeze_count():  # a server's own process, which spares what was there before this
                spare_what_is_here()
            yield

    app = ProtectedApp(
        title="Upbridge",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would redirect to a host that the caller names
        # FastAPI's spans would hold addresses, which carry secrets; TracedRequests writes routes instead.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        exception_handlers=_ANSWERS,
    )
    if tracing():
        app.add_middleware(TracedRequests)  # which sees webhooks as well
    else:
        app.answer_directly(ROOT, inbox_endpoints.router.routes)
    app.protect_with(common_headers(https=settings.public_origin(port).startswith("https:")))
    app.include_router(inbox_endpoints.router)  # first: routes are tried in this order
    app.include_router(health.router)
    app.include_router(installation_endpoints.router)
    app.include_router(pages_endpoints.router)
    return app


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel *tasks* and see them end: what one has opened it closes before the loop is gone."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def factory(first_calls_wait: float = 0.0) -> FastAPI:
    """For the web server's worker processes: settings from the environment."""
    settings = load_settings()
    configure_logging(log_format(settings), level=log_level(settings))
    configure_tracing(os.environ)
    app = create_app(settings, first_calls_wait=first_calls_wait)
    spare_what_is_here()
    spare_what_stays()
    return app


def factory_for_held_socket() -> FastAPI:
    """The same, where a supervisor holds the socket."""
    return factory(FIRST_CALLS_WAIT)


# --- errors -------------------------------------------------------------------------------------------------


def _answer(status: int, code: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": code, "detail": detail}, status_code=status)


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpbridgeError)
    if isinstance(error, NotReady):
        if times := request.app.state.container.seldom.times("not_ready", str(error)):
            log.warning("not_ready", reason=str(error), times=times)
        return _answer(error.status, error.code, (NotReady.__doc__ or "").strip())
    return _answer(error.status, error.code, str(error))


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()}))
    return _answer(400, "bad_request", f"wrong or missing: {fields}")


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = _answer(error.status_code, "http", str(error.detail))
    answer.headers.update(error.headers or {})  # what is allowed here, where the method is not
    return answer


async def _database(request: Request, error: Exception) -> JSONResponse:
    reason = reason_of(error)
    if times := request.app.state.container.seldom.times("database_failed", reason):
        log.warning("database_failed", error=reason, times=times)
    return _answer(503, NotReady.code, (NotReady.__doc__ or "").strip())


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", error=type(error).__name__, exc_info=error)
    return _answer(500, "internal", "something unexpected happened; it was logged")


_ANSWERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    UpbridgeError: _expected,
    RequestValidationError: _malformed,
    HTTPException: _http,
    DBAPIError: _database,
    Exception: _unexpected,
}
