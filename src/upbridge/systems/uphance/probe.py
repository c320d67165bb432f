"""`upbridge doctor --uphance SHOP`: what a real Uphance does with what its documentation leaves open.

The vendor publishes answers, hardly any body. Everything that is assumed (`systems/uphance/schemas.py`) can be
tried here in a shop's own organisation, step by step, with the server's words. First what only reads; then, if
agreed, a customer, a product and a draft sales order are made by the very functions that the worker uses, and
read back. They carry the mark `UPBRIDGE-TEST`, which no order of a shop has, and invented data. Nothing can be
deleted by API, so the last step says what a person has to throw away.

No step prints a token, and of what was there before only names of fields and numbers of rows.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from upbridge.core.errors import Conflict, RemoteError
from upbridge.domain.order import Address
from upbridge.store.connections import ConnectionRow
from upbridge.systems.connecting import Connected
from upbridge.systems.offers import Alone, State, TrialStep
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.connect import client_of
from upbridge.systems.uphance.customer_mapping import CustomerAddress, CustomerRecord, Person
from upbridge.systems.uphance.order_mapping import SalesLine, SalesOrder
from upbridge.systems.uphance.product_mapping import NewPrice, NewProduct, NewSku
from upbridge.systems.uphance.schemas import (
    Json,
    customer_body,
    items,
    meta,
    number,
    product_additions,
    product_body,
    sales_order_body,
    single,
    skus_of,
    string,
    whole,
)

MARK = "UPBRIDGE-TEST"

_SECRET = ("token", "password", "secret", "authorization")
_KEEP = 2000
_TRIES, _PAUSE = 20, 0.5
_PRICE, _PIECES, _SHIPPING = Decimal("1.23"), 2, Decimal("1.00")


class _Recorder(httpx.AsyncBaseTransport):
    """Passes calls on and remembers the last answer."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.request: str | None = None
        self.status: int | None = None
        self.body = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.request, self.status, self.body = f"{request.method} {request.url.path}", None, ""
        answer = await self._http.send(request)
        self.status, self.body = answer.status_code, answer.text
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "content-encoding"}
        return httpx.Response(answer.status_code, headers=kept, content=answer.content, request=request)


@dataclass(slots=True)
class UphanceTrial:
    """The steps for one shop. `look` only reads; `make` creates."""

    connected: Connected
    alone: Alone
    """Holds the connection as a worker does; None where one is at work."""
    stamp: str
    """Tells this trial's things from those of another."""

    @classmethod
    def of(cls, connected: Connected, alone: Alone) -> "UphanceTrial":
        """A trial in the organisation that the shop is connected to."""
        now = connected.tools.clock()
        return cls(connected, alone, f"{MARK}-{connected.shop.key}-{now:%Y%m%d%H%M%S}")

    @property
    def question(self) -> str:
        """What is made, and where."""
        return (
            f"Make a customer, a product and a draft sales order, marked {MARK}, in {self._organisation}?"
            " They have to be thrown away by hand."
        )

    @property
    def _organisation(self) -> str:
        name = (self.connected.row.facts.get("organisation") or {}).get("name")
        return f"{name} ({self.connected.row.account})" if name else self.connected.row.account

    async def look(self) -> AsyncIterator[TrialStep]:
        """Read, and say how the lists behave."""
        async with self._alone() as (client, heard):
            async for step in _Look(client, heard, self.connected.row).steps():
                yield step

    async def make(self) -> AsyncIterator[TrialStep]:
        """Create one of each, read them back, and say what was taken and what was not."""
        async with self._alone() as (client, heard):
            season = self.connected.shop.settings.number("uphance.season")
            today = self.connected.tools.clock().date()
            async for step in _Make(client, heard, self.connected.row, self.stamp, season, today).steps():
                yield step

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[tuple[UphanceClient, _Recorder]]:
        """The connection, while no worker uses it: Uphance asks for one request at a time."""
        for _ in range(_TRIES):
            async with self.alone() as mine:
                if mine is not None:
                    heard = _Recorder(self.connected.tools.http)
                    async with httpx.AsyncClient(transport=heard) as http:
                        yield (
                            client_of(replace(self.connected, tools=replace(self.connected.tools, http=http))),
                            heard,
                        )
                    return
            await asyncio.sleep(_PAUSE)  # a worker uses this connection: its slice ends soon
        raise Conflict("a worker is using this connection: try again in a moment")


def _step(heard: _Recorder, name: str, state: State, detail: str, *, show: bool = False) -> TrialStep:
    said = masked(heard.body) if show or state == "bad" else None
    return TrialStep(name, state, detail, heard.request, heard.status, said)


@dataclass(frozen=True, slots=True)
class _Look:
    client: UphanceClient
    heard: _Recorder
    row: ConnectionRow

    async def steps(self) -> AsyncIterator[TrialStep]:
        try:
            payload = await self.client.get("/organisations")
        except RemoteError as error:
            yield _step(self.heard, "organisation", "bad", f"{error}: connect again")
            return
        found = len(items(payload, "organisations") or ())
        yield _step(self.heard, "organisation", "ok", f"{self.row.account} was chosen; the login sees {found}")
        for name in ("channels", "seasons"):
            yield await self._list(name, wanted="without it the settings ask for numbers")
        yield await self._list("products", wanted="goods are matched with it")
        yield await self._list("customers", wanted="customers are looked for in it")
        yield await self._list("pick_tickets", wanted="shipments come from it")
        async for step in self._orders():
            yield step

    async def _list(self, name: str, *, wanted: str) -> TrialStep:
        try:
            payload = await self.client.get(f"/{name}")
        except RemoteError as error:
            return _step(self.heard, name, "bad", f"{error}; {wanted}")
        rows = items(payload, name)
        if rows is None:
            return _step(self.heard, name, "bad", f"the answer has no list of {name}; {wanted}")
        return _step(self.heard, name, "ok", f"{_size(payload, rows)}; fields {_fields(rows)}")

    async def _orders(self) -> AsyncIterator[TrialStep]:
        try:
            payload = await self.client.get("/sales_orders")
            rows = items(payload, "sales_orders") or []
            ids = [found for row in rows if (found := whole(row.get("id"))) is not None]
            order = "rising" if ids == sorted(ids) else "falling" if ids == sorted(ids, reverse=True) else "mixed"
            detail = f"{_size(payload, rows)}, ids {order}; fields {_fields(rows)}"
            yield _step(self.heard, "sales_orders", "ok", detail)
            if not ids:
                yield TrialStep("since_id", "skipped", "there is no order yet to try it with")
                return
            newer = items(await self.client.get("/sales_orders", since_id=max(ids)), "sales_orders") or []
            older = [row for row in newer if (whole(row.get("id")) or 0) <= max(ids)]
            state: State = "warn" if older else "ok"
            told = "ignored: after a doubt all orders are read" if older else "limits the list to newer orders"
            yield _step(self.heard, "since_id", state, told)
            for filter_ in ("purchase_order_ref", "by_purchase_order_ref", "filter[purchase_order_ref]"):
                nobody = {filter_: f"{MARK}-NOBODY"}
                hits = items(await self.client.get("/sales_orders", **nobody), "sales_orders") or []
                told = "ignored, as assumed" if hits else "limits the list: a search by our reference is possible"
                yield _step(self.heard, f"?{filter_}=", "ok", told)
        except RemoteError as error:
            yield _step(self.heard, "sales_orders", "bad", str(error))


@dataclass(slots=True)
class _Make:
    client: UphanceClient
    heard: _Recorder
    row: ConnectionRow
    stamp: str
    season: int | None
    today: date
    left: list[str] = field(default_factory=list)
    """What a person has to throw away."""
    customer: int | None = None
    product: Json | None = None

    async def steps(self) -> AsyncIterator[TrialStep]:
        channels = self.row.facts.get("channels") or ()
        if not channels:
            yield TrialStep("channel", "bad", "no channel is known: nothing can be made without one")
            return
        channel = channels[0]
        yield await self._customer(int(channel["id"]))
        yield await self._product(channel)
        yield await self._addition(channel)
        async for step in self._order(int(channel["id"])):
            yield step
        if self.left:
            yield TrialStep("left behind", "warn", f"throw away in Uphance, by hand: {'; '.join(self.left)}")

    async def _customer(self, channel_id: int) -> TrialStep:
        home = Address(
            first_name="Test",
            last_name="Upbridge",
            company=None,
            street="Testovací 1",
            city="Praha",
            state=None,
            postcode="11000",
            country="CZ",
        )
        customer = CustomerRecord(
            reference=self.stamp,
            name=f"{self.stamp} (delete me)",
            vat_number=None,
            notes="Made by upbridge doctor",
            person=Person("Test", "Upbridge", "test@example.invalid", "+420000000000"),
            places=(CustomerAddress(home, shipping=True, billing=True),),
        )
        body = customer_body(customer, channel_id=channel_id, idempotency_key=self.stamp)
        made, step = await self._made("customer", "/customers", body, wrapper="customer")
        self.customer = made
        return step

    def _new(self, channel: Mapping[str, Any], *skus: NewSku) -> NewProduct:
        price = NewPrice(str(channel["name"]), str(channel["currency"]), wsp=_PRICE, msrp=_PRICE)
        return NewProduct(
            identifier=self.stamp,
            name=f"{self.stamp} (delete me)",
            description="Made by upbridge doctor",
            season_id=self._season(),
            skus=skus,
            prices={"Test": (price,)},
        )

    def _season(self) -> int | None:
        seasons = self.row.facts.get("seasons") or ()
        return self.season or next((int(one["id"]) for one in seasons), None)

    async def _product(self, channel: Mapping[str, Any]) -> TrialStep:
        new = self._new(channel, NewSku("v-1", f"{self.stamp}-A", None, "Test", "A"))
        body = product_body(new, idempotency_key=self.stamp)
        made, step = await self._made("product", "/products", body, wrapper="product")
        if made is not None:
            self.product = await self._read(f"/products/{made}", "product")
        return step

    async def _addition(self, channel: Mapping[str, Any]) -> TrialStep:
        if self.product is None:
            return TrialStep("product, one more SKU", "skipped", "there is no product to add to")
        sku = NewSku("v-2", f"{self.stamp}-B", None, "Test", "B")
        place = f"/products/{self.product['id']}"
        try:
            await self.client.put(place, product_additions(self._new(channel, sku), self.product, [sku]))
        except RemoteError as error:
            return _step(self.heard, "product, one more SKU", "bad", str(error), show=True)
        told = (self.heard.request, self.heard.status, masked(self.heard.body))
        before, now = self.product, await self._read(place, "product")
        codes = [one.sku_number for one in skus_of(now)] if now else []
        if now is not None:
            self.product = now
        kept = {one.sku_id for one in skus_of(before)} <= {one.sku_id for one in skus_of(now or {})}
        fine = kept and f"{self.stamp}-B" in codes
        detail = "added, the others stayed" if fine else f"the SKUs are now {', '.join(map(str, codes)) or 'none'}"
        return TrialStep("product, one more SKU", "ok" if fine else "bad", detail, *told)

    async def _order(self, channel_id: int) -> AsyncIterator[TrialStep]:
        sku = await self._some_sku()
        season = self._season() or (sku.season_id if sku else None)
        missing = [
            name
            for name, value in (("customer", self.customer), ("SKU", sku), ("season", season))
            if value is None
        ]
        if sku is None or season is None or self.customer is None:
            yield TrialStep("sales order", "skipped", f"there is no {' and no '.join(missing)} to order with")
            return
        order = SalesOrder(
            purchase_order_ref=self.stamp,
            channel_id=channel_id,
            season_id=season,
            lines=(SalesLine(sku.sku_id, sku.product_id, sku.variation_id, season, _PRICE, _PIECES),),
            shipping_cost=_SHIPPING,
            notes="Test of Upbridge, please delete",
            internal_notes="Made by upbridge doctor",
            shipping_instructions="Do not ship",
            start_ship_date=self.today,
            warehouse=None,
            payment_term=None,
        )
        body = sales_order_body(order, company_id=self.customer, idempotency_key=self.stamp)
        made, step = await self._made("sales order", "/sales_orders", body, wrapper="sales_order")
        yield step
        if made is not None:
            read = await self._read(f"/sales_orders/{made}", "sales_order")
            if read is not None:
                yield _status(read)
                yield _tax(read, order.total)

    async def _some_sku(self) -> Any:
        """One of the test product, else any: a draft of it can be thrown away."""
        own = next(skus_of(self.product), None) if self.product is not None else None
        if own is not None:
            return own
        try:
            rows = items(await self.client.get("/products"), "products") or ()
        except RemoteError:
            return None  # the list was read before, and its failure reported
        return next((sku for row in rows for sku in skus_of(row)), None)

    async def _made(self, name: str, path: str, body: Json, *, wrapper: str) -> tuple[int | None, TrialStep]:
        """POST *body*, read the thing back and compare."""
        try:
            row = single(await self.client.post(path, body), wrapper)
        except RemoteError as error:
            if self.heard.status is None:
                self.left.append(f"perhaps a {name} {self.stamp}: no answer came")
            return None, _step(self.heard, name, "bad", str(error), show=True)
        made = whole(row.get("id")) if row is not None else None
        told = (self.heard.request, self.heard.status, masked(self.heard.body))
        if made is None:
            self.left.append(f"perhaps a {name} {self.stamp}")
            return None, TrialStep(name, "bad", "it was taken, but the answer names no id", *told)
        self.left.append(f"{name} {made} ({self.stamp})")
        read = await self._read(f"{path}/{made}", wrapper)
        if read is None:
            return made, TrialStep(name, "warn", f"made as {made}, but it cannot be read back", *told)
        lost = list(differences(body[wrapper], read))
        detail = f"made as {made}" + (f"; not as sent: {'; '.join(lost)}" if lost else ", all fields as sent")
        return made, TrialStep(name, "warn" if lost else "ok", detail, *told)

    async def _read(self, path: str, wrapper: str) -> Json | None:
        try:
            return await self.client.one(path, wrapper)
        except RemoteError:
            return None  # the caller says that it cannot be read back


def _status(order: Json) -> TrialStep:
    status = string(order.get("status"))
    if status == "draft":
        return TrialStep("status", "ok", "the order is a draft, as assumed")
    return TrialStep("status", "warn", f"the order is {status or 'without a status'}, not a draft")


def _tax(order: Json, total: Decimal) -> TrialStep:
    """Whether prices were taken with or without tax, from the sums that Uphance made of ours."""
    subtotal, grand = number(order.get("subtotal")), number(order.get("grand_total"))
    told = f"sent {total}, subtotal {subtotal}, grand total {grand}"
    if subtotal == total and grand is not None and grand > total:
        return TrialStep("tax", "ok", f"{told}: prices are without tax (uphance.prices_with_tax=false)")
    if grand == total:
        return TrialStep(
            "tax", "ok", f"{told}: prices are with tax, or there is none (uphance.prices_with_tax=true)"
        )
    return TrialStep("tax", "bad", f"{told}: neither is what was sent")


def differences(sent: Any, read: Any, where: str = "") -> Iterator[str]:
    """What of *sent* is not in *read*. No difference: what Uphance added, another spelling of a number, and a
    null that is missing."""
    match sent:
        case Mapping():
            there = read if isinstance(read, Mapping) else {}
            for name, value in sent.items():
                yield from differences(value, there.get(name), f"{where}.{name}" if where else name)
        case list():
            rows = read if isinstance(read, list) else []
            for place, value in enumerate(sent):
                yield from differences(value, rows[place] if place < len(rows) else None, f"{where}.{place}")
        case _:
            mine, theirs = number(sent), number(read)
            if sent == read or string(sent) == string(read) or (mine is not None and mine == theirs):
                return
            yield f"{where} is {string(read) or 'not there'} instead of {string(sent)}"


def masked(body: str) -> str:
    """A body for people: secrets replaced by their length, cut."""
    try:
        text = json.dumps(_without_secrets(json.loads(body)), ensure_ascii=False)
    except ValueError:
        text = body
    return text if len(text) <= _KEEP else f"{text[:_KEEP]}…"


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: f"({len(str(item))} characters)" if _is_secret(name) else _without_secrets(item)
                for name, item in value.items()
            }
        case list():
            return [_without_secrets(item) for item in value]
        case _:
            return value


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET)


def _size(payload: Any, rows: list[Json]) -> str:
    total = meta(payload).total_count
    return f"{len(rows)} rows, not paged" if total is None else f"{len(rows)} of {total} rows"


def _fields(rows: list[Json]) -> str:
    return ", ".join(sorted(dict.fromkeys(name for row in rows[:5] for name in row))) or "unknown"
