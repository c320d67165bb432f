"""A tiny Uphance in memory, at the transport: it applies writes and can lose its answers.

The sandbox keeps the published rules; this one is as bad as no rule forbids. It takes rows that a test made up,
knows no filter, has pages of three, and carries out what no caller waits for any more.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.support.broken import broken
from tests.support.clock import MovableClock
from tests.support.uphance import BOOK
from upbridge.domain.delivery import Document, Link, LinkState
from upbridge.domain.order import OrderLine
from upbridge.domain.product import Variant
from upbridge.domain.shop_id import ShopId
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.resource_types import ResourceType
from upbridge.systems.uphance.sku_copy import SkuCopy
from upbridge.systems.uphance.target import UphanceTarget
from upbridge.systems.uphance.tokens import Tokens
from upbridge.systems.uphance.unread_rows import Sights, UnreadGap

Hook = Callable[[httpx.Request], httpx.Response | Exception | None]
BASE = "https://uphance.test"
Row = dict[str, Any]


@dataclass
class FakeVault:
    """A connection's secrets, in the open."""

    kept: Mapping[str, Any] | None = None
    renew_at: datetime | None = None

    async def secret(self) -> Mapping[str, str]:
        return {}

    async def tokens(self) -> Mapping[str, Any] | None:
        return self.kept

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        self.kept, self.renew_at = tokens, renew_at


@dataclass
class FakeLinks:
    """Links in memory; `history` has every state that was saved, `saves` what was saved together."""

    rows: dict[tuple[str, str], Link] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    saves: list[list[tuple[str, str]]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    linked: dict[str, int] = field(default_factory=dict)
    put_back: datetime | None = None
    unwanted: set[str] = field(default_factory=set)

    async def put_back_at(self) -> datetime | None:
        return self.put_back

    async def get(self, kind: str, key: str) -> Link | None:
        return self.rows.get((kind, key))

    async def is_wanted(self, document: Document) -> bool:
        return document.key not in self.unwanted

    async def save(self, *links: Link) -> None:
        self.saves.append([(link.kind, link.state) for link in links])
        self.history += self.saves[-1]
        for link in links:
            self.rows[link.kind, link.key] = link

    async def high_water(self, kind: str) -> int | None:
        found = [link for (row_kind, _), link in self.rows.items() if row_kind == kind]
        numbers = [self.told[kind]] if kind in self.told else []
        numbers += [int(link.remote_id) for link in found if link.remote_id is not None]
        return max(numbers, default=None)

    async def reached(self, kind: str, number: int) -> None:
        self.told[kind] = number

    async def linked_up_to(self, kind: str) -> int | None:
        if kind not in self.linked:
            self.linked[kind] = await self.high_water(kind) or 0
        return self.linked[kind]

    async def adopt(self, kind: str, found: Sequence[Link], *, up_to: int) -> list[str]:
        news = [
            link
            for link in found
            if (there := self.rows.get((kind, link.key))) is None or there.state is LinkState.UNSENT
        ]
        for link in news:
            await self.save(link)
        self.linked[kind] = up_to
        return [link.key for link in news]


@dataclass
class FakeMemory:
    """What is known beside the links: the keys of all shops; and what was asked to be read again."""

    keys: Sequence[str] = ("shop",)
    again: list[str] = field(default_factory=list)
    kept: dict[str, Sequence[UnreadGap]] = field(default_factory=dict)
    asked_for_keys: int = 0

    async def unread(self, resource: ResourceType) -> Sequence[UnreadGap]:
        return self.kept.get(resource.kind, ())

    async def keep_unread(self, resource: ResourceType, rows: Sequence[UnreadGap]) -> None:
        self.kept[resource.kind] = rows

    async def shop_keys(self) -> Sequence[str]:
        self.asked_for_keys += 1
        return self.keys

    async def recognised(self, orders: Mapping[str, str | None]) -> None:
        self.again += orders


@dataclass
class FakeUphance:
    """The server: `before` may break a request unapplied, `after` may lose the answer of an applied one."""

    clock: MovableClock
    organisation: int = 5
    page: int = 100
    honours_since_id: bool = True
    life: int = 604_800
    before: Hook = lambda _: None
    after: Hook = lambda _: None
    orders: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    tickets: list[Row] = field(default_factory=list)
    channels: list[Row] = field(
        default_factory=lambda: [{"channel_ID": 3, "channel_name": "Web CZ", "currency": "CZK"}]
    )
    calls: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    chosen: dict[str, int] = field(default_factory=dict)
    alive: dict[str, str] = field(default_factory=lambda: {"token-0": "refresh-0"})
    dead: set[str] = field(default_factory=set)
    next_id: int = 1000
    grand_total: Any = None
    """What their answers say that an order costs, if they say it."""
    broken: set[int] = field(default_factory=set)
    """Rows that break each answer that would show them, in this way (`tests.support.broken`)."""
    how: str = "500"
    late: list[tuple[datetime, httpx.Request]] = field(default_factory=list)
    """Requests whose callers have given up, and when they will be applied after all."""

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))

    def vault(self) -> FakeVault:
        tokens = Tokens("token-0", "refresh-0", self.clock() + timedelta(days=5))
        return FakeVault(tokens.stored(), tokens.renew_at)

    def client(
        self, vault: FakeVault | None = None, organisation: int | None = 5, *, relies: bool = False
    ) -> UphanceClient:
        return UphanceClient(
            self.http(),
            BASE,
            vault or self.vault(),
            self.clock,
            organisation,
            relies_on_choice=relies,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        """Move the clock instead of waiting."""
        self.clock.move(seconds=seconds)

    def made(self, path: str) -> int:
        """How many requests went to "METHOD /path"."""
        return sum(call == path for call in self.calls)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        self.bodies.append(json.loads(request.content) if request.content else None)
        for due in [one for one in self.late if one[0] <= self.clock()]:
            self.late.remove(due)
            self.answer(due[1])
        for hook in (self.before, None, self.after):
            if hook is None:
                answer = self.answer(request)
                if self.breaks(request, answer):
                    answer = broken(self.how, request, answer)
                continue
            instead = hook(request)
            if isinstance(instead, Exception):
                raise instead
            if instead is not None:
                return instead
        return answer

    def breaks(self, request: httpx.Request, answer: httpx.Response) -> bool:
        """Whether a GET would show a row that is broken."""
        if request.method != "GET" or not self.broken or not isinstance(shown := answer.json(), dict):
            return False
        rows = [shown, *(row for listed in shown.values() if isinstance(listed, list) for row in listed)]
        return any(row.get("id") in self.broken for row in rows)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, json.loads(request.content) if request.content else {}
        if path == "/oauth/token":
            return self.grant(body)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.alive:
            return httpx.Response(401, json={"error": "unauthorized"})
        if (special := self.outside(f"{request.method} {path}", token, body)) is not None:
            return special
        if token not in self.chosen:
            return httpx.Response(403, json={"error": "no organisation"})
        return self.inside(request, body)

    def outside(self, call: str, token: str, body: Any) -> httpx.Response | None:
        """What needs no organisation."""
        match call:
            case "POST /oauth/revoke_tokens":
                self.dead.update(body.get("tokens") or [token])
                return httpx.Response(200, json={})
            case "GET /organisations":
                return httpx.Response(200, json={"organisations": [{"id": 5, "name": "Hemline Ltd"}]})
            case "POST /organisations/set_current_org":
                self.chosen[token] = body["organizationId"]
                return httpx.Response(201, json={"Status": "Updated"})
        return None

    def inside(self, request: httpx.Request, body: Any) -> httpx.Response:
        path = request.url.path
        lists = {"/sales_orders": self.orders, "/products": self.products, "/pick_tickets": self.tickets}
        short: dict[str, list[Row]] = {
            "/channels": self.channels,
            "/seasons": [{"id": 9, "name": "AW26"}],
        }
        if request.method == "POST":
            if path == "/customers":
                return self.create(self.customers, body["customer"], "customer")
            row = {**body["sales_order"], "order_number": f"S{self.next_id}", "status": "draft"}
            total = {} if self.grand_total is None else {"grand_total": self.grand_total}
            return self.create(self.orders, {**row, **total, "organisation_id": self.organisation})
        if path in short:
            return httpx.Response(200, json={path[1:]: short[path]})
        if path == "/customers":
            return self.listed(request, "customers", self.customers, filtered=False)
        if path in lists:
            return self.listed(request, path[1:], lists[path])
        return self.alone(path, {**lists, "/customers": self.customers})

    def alone(self, path: str, lists: Mapping[str, list[Row]]) -> httpx.Response:
        whole, _, number = path.rpartition("/")
        for row in lists.get(whole, ()):
            if str(row["id"]) == number:
                return httpx.Response(200, json=row)
        return httpx.Response(404, json={"error": "not found"})

    def create(self, rows: list[Row], row: dict[str, Any], wrapped: str | None = None) -> httpx.Response:
        made = {**row, "id": self.next_id}
        self.next_id += 1
        rows.append(made)
        return httpx.Response(201, json={wrapped: made} if wrapped else made)

    def listed(
        self, request: httpx.Request, name: str, rows: list[Row], *, filtered: bool = True
    ) -> httpx.Response:
        since = request.url.params.get("since_id")
        if since is not None and filtered and self.honours_since_id:
            rows = [row for row in rows if row["id"] > int(since)]
        number, pages = int(request.url.params.get("page", 1)), max(1, -(-len(rows) // self.page))
        meta = {
            "current_page": number,
            "next_page": number + 1 if number < pages else None,
            "total_pages": pages,
            "total_count": len(rows),
        }
        return httpx.Response(200, json={name: rows[(number - 1) * self.page : number * self.page], "meta": meta})

    def grant(self, body: Mapping[str, Any]) -> httpx.Response:
        if body["grant_type"] == "password":
            if body["password"] != "right":
                return httpx.Response(401, json={"error": "invalid_grant", "echo": body["password"]})
        else:
            old = next((token for token, refresh in self.alive.items() if refresh == body["refresh_token"]), None)
            if old is None:
                return httpx.Response(400, json={"error": "invalid_grant"})
            del self.alive[old]
        token = f"token-{len(self.calls)}"
        self.alive[token] = f"refresh-{len(self.calls)}"
        return httpx.Response(
            200,
            json={
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": self.life,
                "refresh_token": self.alive[token],
                "created_at": int(self.clock().timestamp()),
            },
        )


class SkusInMemory(SkuCopy):
    """A copy of SKUs that needs no database: each order's goods are in `BOOK`."""

    def __init__(self) -> None: ...

    async def book(self, shop_id: ShopId, lines: Iterable[OrderLine | Variant]) -> SkuBook:
        del shop_id, lines
        return BOOK


def target_in_memory(uphance: FakeUphance, memory: FakeMemory, sights: Sights | None = None) -> UphanceTarget:
    """The target as a process has it that just began, or that has these *sights*; without a database."""
    return UphanceTarget(
        uphance.http(),
        BASE,
        uphance.clock,
        sku_copy=SkusInMemory(),
        memory=lambda _: memory,
        sights=sights,
        sleep=uphance.sleep,
    )
