"""The pages alone, served over rows that a test writes: shops in each state that the first page tells apart.

No worker runs beside them, so a state stays as it was written; the time stands still at noon.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.support.clock import NOON, MovableClock
from tests.support.pages import pages_app
from tests.support.rows import (
    Row,
    change_row,
    connection_row,
    document_row,
    insert_rows,
    lane_row,
    link_row,
    order_event_row,
    order_row,
    problem_row,
    run_row,
    shop_row,
)
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.engine.completeness import Counted, keep_count
from upbridge.rate_limits.ledger import Ledger
from upbridge.settings import Settings
from upbridge.store.connections import Connections
from upbridge.store.database import sqlalchemy_url
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge.systems.uphance.system import UPHANCE
from upbridge.web.context import Pages
from upbridge.worker_container import WorkerContainer
from upbridge_sandbox.demo.processes import free_port

T = TypeVar("T")
_DAYS = 12


@dataclass(frozen=True, slots=True)
class Furnished:
    """The pages of a database, and a way to work on it from a test that is not asynchronous."""

    pages: Pages
    engine: AsyncEngine
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* returns in the loop of the pages."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def open(self, name: str, language: str = "cs") -> str:
        """The address of the first page, for a visitor of a new shop in the state *name*."""
        shop_id = self.run(furnish(self.engine, name))
        ticket = self.run(self.pages.ticket_address(shop_id, language))
        return self.enter(ticket)

    @staticmethod
    def enter(ticket: str) -> str:
        """The address of the first page that *ticket* leads to."""
        with httpx.Client(trust_env=False) as client:
            answer = client.get(ticket)
        return str(httpx.URL(ticket).join(answer.headers["location"]))


@contextmanager
def furnished(database_url: str, encryption_key: str, *, rehearses: bool = False) -> Iterator[Furnished]:
    """The pages over the database, as long as the block lasts. *rehearses*: a change of rules shows first what it
    would do in Uphance."""
    port, ready = free_port(), threading.Event()
    holder: dict[str, Any] = {}

    async def serve() -> None:
        engine, clock, cipher = (
            create_async_engine(sqlalchemy_url(database_url)),
            MovableClock(),
            Cipher([encryption_key]),
        )
        origin = f"http://127.0.0.1:{port}"
        settings = Settings(
            _env_file=None, public_url=origin, allow_insecure=True, support_email="help@upbridge.example"
        )
        async with httpx.AsyncClient(transport=httpx.MockTransport(_no_network)) as http:
            service = WorkerContainer(
                settings=settings,
                systems=SYSTEMS,
                engine=engine,
                cipher=cipher,
                clock=clock,
                http=http,
                ledger=Ledger(engine, clock, sleep=clock.sleep),
                targets={},
                webhook_url=lambda shop, source, event: f"{origin}/webhooks/{source}/{shop.id}/{event}",
            )
            assert UPHANCE.target is not None
            if rehearses:
                service = replace(service, targets={UPHANCE.name: UPHANCE.target(service.tools)})
            pages = Pages.of(
                settings,
                systems=SYSTEMS,
                engine=engine,
                shops=Shops(engine, cipher, SYSTEMS.settings),
                connections=Connections(engine, cipher),
                cipher=cipher,
                clock=clock,
                act=lambda: service.actions,
                webhook_address=lambda shop, system: f"{origin}/webhooks/{system}/{shop.id}",
            )
            server = uvicorn.Server(uvicorn.Config(pages_app(pages), port=port, log_level="error"))
            holder.update(server=server, furnished=Furnished(pages, engine, asyncio.get_running_loop()))
            serving = asyncio.ensure_future(server.serve())
            while not server.started and not serving.done():  # noqa: ASYNC110 - the server gives no event for this
                await asyncio.sleep(0.01)
            ready.set()
            await serving
        await engine.dispose()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    if not ready.wait(30):
        raise AssertionError("the pages did not start")
    try:
        yield holder["furnished"]
    finally:
        holder["server"].should_exit = True
        thread.join(30)


async def _no_network(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("the pages call no system for this")


# --- shops in each state ------------------------------------------------------------------------------------


async def furnish(engine: AsyncEngine, name: str) -> ShopId:
    """A new shop in the state *name*."""
    rights = {"orders": "deny", "products": "all"} if name == "rights" else {"orders": "all", "products": "all"}
    facts = {"company": "Šatník u Lípy s.r.o.", "currencies": {"cs": "CZK"}, "rights": rights}
    facts |= {"status_names": {"1": {"cs": "Přijatá", "sk": "Prijatá", "en": "Received"}}}
    shop = shop_row(facts=facts, facts_at=NOON, settings={} if name == "half" else {"stock.write": True})
    shop_id = ShopId(shop.values["id"])
    await insert_rows(engine, shop)
    broken = name == "login"
    channels = {"channels": [{"id": 6933, "name": "Web", "currency": "CZK"}], "organisation": {"name": "Lípa"}}
    rows = [connection_row(shop_id, "upp")]
    if name != "half":
        state = {"state": "broken" if broken else "connected", "facts": channels}
        rows.append(connection_row(shop_id, "uphance", **state))
    await insert_rows(engine, *rows, *_imports(shop_id, name))
    if name != "half":
        await _days(engine, shop_id)
    await STATES[name](engine, shop_id)
    return shop_id


def _imports(shop_id: ShopId, name: str) -> list[Row]:
    ended = {"state": "done", "total": 60, "done": 60, "finished_at": NOON - timedelta(days=_DAYS)}
    products = {
        "half": {"state": "running", "total": 2799, "done": 500},
        "paused": {"state": "paused", "total": 2799, "done": 500},
    }
    return [
        run_row(shop_id, "product", **products.get(name, ended)),
        run_row(shop_id, "order", **ended),
    ]


async def _days(engine: AsyncEngine, shop_id: ShopId) -> None:
    """Orders and deliveries of some days, today the last, and what the shop counts itself."""
    rows: list[Row] = []
    for back in range(_DAYS):
        for place in range(38 if back == 0 else 20):
            number = f"2600{1000 - back * 50 + place}"
            made = NOON - timedelta(days=back, minutes=5 * place)
            kept = {"ordered_at": made, "read_at": made, "outline": _outline(place)}
            rows.append(order_row(shop_id, number, **kept))
            for target in ("upp", "uphance"):
                at = made + timedelta(seconds=2 + place % 3)
                rows += [
                    link_row(shop_id, target, number, remote_id=f"8{number}", updated_at=at),
                    order_event_row(shop_id, number, "delivered", target=target, at=at, since=made),
                ]
            if place < 12:
                rows += [
                    link_row(shop_id, "upgates", number, kind="shipment", remote_id=number, updated_at=made),
                    order_event_row(shop_id, number, "delivered", target="upgates", at=made, since=made),
                ]
    for target, kind in (("upp", "product"), ("upgates", "stock")):
        rows.append(link_row(shop_id, target, "7", kind=kind, updated_at=NOON - timedelta(minutes=2)))
    await insert_rows(engine, *sorted(rows, key=lambda row: row.table.name))
    known = 38 + 20 * (_DAYS - 1)
    async with engine.begin() as tx:
        await keep_count(tx, shop_id, "order", Counted(known, known, NOON, NOON - timedelta(days=30)))


def _outline(place: int) -> dict[str, Any]:
    lines = [
        {"code": f"GAR-00{503 + place}-BLK-44", "title": "Šaty Lípa, černé", "quantity": "1", "amount": "2640"},
        {"code": "SAL-0007", "title": "Šála vlněná", "quantity": "2", "amount": f"{598 + place}"},
    ]
    charged = {"total": f"{3327 + place}", "shipping": "89", "currency": "CZK"}
    address = f"https://satnik.admin.upgates.com/orders/edit/{place}"
    return {**charged, "status_id": 1, "origin": "frontend", "admin_url": address, "lines": lines}


async def _nothing_more(_engine: AsyncEngine, _shop_id: ShopId) -> None:
    """The state is in what every shop has."""


async def _login(engine: AsyncEngine, shop_id: ShopId) -> None:
    waiting = [document_row(shop_id, "uphance", f"26001{number}", since=NOON) for number in range(5)]
    about = {
        "kind": "connection",
        "key": "connection.refused",
        "parent": "uphance",
        "params": {"system": "Uphance"},
    }
    await insert_rows(engine, *waiting, problem_row(shop_id, "uphance", **about))


async def _silent(engine: AsyncEngine, shop_id: ShopId) -> None:
    since = NOON - timedelta(minutes=21)
    changes = [
        change_row(shop_id, "order", f"26009{number}", marked_at=since, due_at=since) for number in range(6)
    ]
    rests = {"reason": "500", "since": since, "until": NOON + timedelta(minutes=4)}
    await insert_rows(engine, *changes, lane_row(shop_id, "pull", "upgates", **rests))


async def _rights(engine: AsyncEngine, shop_id: ShopId) -> None:
    about = {"kind": "right", "key": "shop.no_right", "target": "upgates", "params": {"service": "orders"}}
    await insert_rows(engine, problem_row(shop_id, "orders", **about))


def _dress(number: int) -> dict[str, str]:
    return {"title": f"Šaty Lípa {number}", "sku": f"SAT-{number:03}"}


async def _problems(engine: AsyncEngine, shop_id: ShopId) -> None:
    sums = {"lines": "2640.00", "discounts": "-264.00", "shipping": "89.00", "payment": "0.00"}
    sums |= {"sum": "2465.00", "expected": "2502.00", "difference": "-37.00", "currency": "CZK"}
    causes: list[tuple[str, int, dict[str, Any]]] = [
        ("order.unknown_sku", 50, {"params": {"codes": ["GAR-00503-BLK-44"]}}),
        ("order.no_channel", 21, {"params": {"currency": "USD", "language": "cs"}}),
        *(
            ("product.no_price", 1, {"kind": "product", "target": "upp", "params": _dress(number)})
            for number in range(1, 15)
        ),
        ("order.no_customer", 4, {"params": {}}),
        ("order.totals_differ", 1, {"params": sums}),
    ]
    await insert_rows(
        engine,
        *(
            problem_row(
                shop_id, f"26001{place * 100 + number:03}", key=key, since=NOON - timedelta(hours=3), **more
            )
            for place, (key, count, more) in enumerate(causes)
            for number in range(count)
        ),
    )


async def _guard(engine: AsyncEngine, shop_id: ShopId) -> None:
    tally = {"changed": 94, "zeroed": 94, "matched": 95, "percent": 30}
    about = {"kind": "stock", "key": "stock.guard", "target": "upgates", "parent": "stock.guard", "params": tally}
    parked = {"kind": "stock", "state": "parked", "reason": "stock.guard"}
    await insert_rows(
        engine,
        problem_row(shop_id, "stock.guard", **about),
        *(document_row(shop_id, "upgates", f"v-{number}", **parked) for number in range(94)),
    )


STATES: Mapping[str, Callable[[AsyncEngine, ShopId], Awaitable[None]]] = {
    "well": _nothing_more,
    "half": _nothing_more,
    "login": _login,
    "silent": _silent,
    "rights": _rights,
    "paused": _nothing_more,
    "problems": _problems,
    "guard": _guard,
}
