"""The web side, assembled: nothing is decided here, nothing happens on import."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from upbridge import __version__
from upbridge.bootstrap import create_service, http_client
from upbridge.core.clock import Clock, utc_now
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.core.errors import NotReady, UpbridgeError
from upbridge.core.telemetry.database_outage import DATABASE
from upbridge.core.telemetry.logging import configure_logging
from upbridge.engine.context import Service
from upbridge.installation import endpoints as lifecycle_endpoints
from upbridge.installation.keys import SignatureKeys
from upbridge.installation.service import LifecycleService
from upbridge.settings import DEFAULT_PORT, Settings, load_settings, log_format
from upbridge.store.connections import Connections
from upbridge.store.database import Database, open_database
from upbridge.store.metric_samples import keep_writing
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge.web import health
from upbridge.web import routes as pages_endpoints
from upbridge.web.context import Pages
from upbridge.webhooks import endpoints as inbox_endpoints
from upbridge.webhooks.addresses import UPHANCE_EVENT, load_addresses
from upbridge.webhooks.inbox import Inbox, inbox_engine

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0


def create_app(settings: Settings, *, clock: Clock = utc_now, port: int = DEFAULT_PORT) -> FastAPI:
    """The web application; opens the database when it starts and lets go of it when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(settings, watch=True))
            http = await stack.enter_async_context(http_client(settings))
            await assemble(app, settings, database, http, clock=clock, port=port)
            stack.push_async_callback(app.state.inbox_engine.dispose)
            stack.push_async_callback(app.state.lifecycle.keys.close)
            loading = asyncio.create_task(_load_addresses(app, database, http, clock=clock, port=port))
            stack.callback(loading.cancel)
            counting = asyncio.create_task(keep_writing(database.engine))
            stack.callback(counting.cancel)
            yield

    app = FastAPI(
        title="Upbridge",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # it would lead to whatever host the caller names
    )
    app.include_router(inbox_endpoints.router)  # first: routes are tried in this order
    app.include_router(health.router)
    app.include_router(lifecycle_endpoints.router)
    app.include_router(pages_endpoints.router)
    app.add_exception_handler(UpbridgeError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def assemble(
    app: FastAPI,
    settings: Settings,
    database: Database,
    http: httpx.AsyncClient,
    *,
    clock: Clock,
    port: int = DEFAULT_PORT,
) -> None:
    """Put what the endpoints need on `app.state`."""
    cipher = Cipher(settings.keys())
    shops = Shops(database.engine, cipher, SYSTEMS.settings)
    app.state.settings = settings
    app.state.database = database
    app.state.clock = clock
    app.state.addresses = None
    app.state.service = None

    def act() -> Service:
        if app.state.service is None:
            raise NotReady
        service: Service = app.state.service
        return service

    app.state.inbox_engine = inbox_engine(database.conninfo)
    app.state.inbox = Inbox(app.state.inbox_engine, clock, coalesce_seconds=settings.coalesce_seconds)
    app.state.pages = Pages.of(
        settings,
        systems=SYSTEMS,
        engine=database.engine,
        shops=shops,
        connections=Connections(database.engine, cipher),
        clock=clock,
        origin=settings.public_origin(port),
        act=act,
        uphance_address=lambda shop_id: act().webhook_url(shop_id, "uphance", UPHANCE_EVENT),
    )
    app.state.lifecycle = LifecycleService.of(
        settings,
        engine=database.engine,
        shops=shops,
        keys=SignatureKeys(http, settings.signature_key_url, clock),
        open_door=app.state.pages.open_door,
        clock=clock,
    )


async def _load_addresses(
    app: FastAPI, database: Database, http: httpx.AsyncClient, *, clock: Clock, port: int
) -> None:
    """The webhook key lies in the database: until that answers, webhooks and forms are asked to come again."""
    settings: Settings = app.state.settings
    while True:
        try:
            await app.state.inbox.warm_up()
            # Wakes nobody: a sweep finds what a form leaves within a second.
            app.state.service = await create_service(settings, database, http, clock=clock, port=port)
            app.state.addresses = await load_addresses(database.engine, Cipher(settings.keys()))
        except (DBAPIError, PoolTimeout, OSError) as error:
            if not DATABASE.explains(error):
                log.warning("webhook_addresses_not_loaded", reason=type(error).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
        except DecryptionError:
            log.error("encryption_keys_do_not_fit", see="UPBRIDGE_ENCRYPTION_KEYS")  # noqa: TRY400
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


def factory() -> FastAPI:
    """For the web server's worker processes: settings from the environment."""
    settings = load_settings()
    configure_logging(log_format(settings))
    return create_app(settings)


# --- errors -------------------------------------------------------------------------------------------------


def _answer(status: int, code: str, detail: str) -> JSONResponse:
    return JSONResponse({"error": code, "detail": detail}, status_code=status)


async def _expected(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpbridgeError)
    if isinstance(error, NotReady):
        log.warning("not_ready", reason=str(error))
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


async def _database(_request: Request, error: Exception) -> JSONResponse:
    log.warning("database_failed", error=type(error).__name__)
    return _answer(503, NotReady.code, (NotReady.__doc__ or "").strip())


async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", error=type(error).__name__, exc_info=error)
    return _answer(500, "internal", "something unexpected happened; it was logged")
