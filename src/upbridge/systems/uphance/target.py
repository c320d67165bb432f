"""Uphance as a target: orders of the shop become draft sales orders, each exactly once; products that it lacks are
made where the shop chose so (`products`), else they are matched only.

    order ─► sold there? ─► map ─► customer ─► order ─► delivered
               │             └─► what a person has to cure: parked, no call made
               └─► changed or cancelled since: parked, staff change it in Uphance by hand

One after another: each is settled before the next call.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.core.clock import Clock
from upbridge.core.errors import Rejected, RemoteError
from upbridge.domain.delivery import (
    ADOPTED,
    Delivered,
    DesiredDocument,
    Document,
    Dropped,
    Entity,
    Issue,
    Link,
    Outcome,
    Parked,
    Retry,
    Unmappable,
)
from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import ShopSettings
from upbridge.domain.statuses import is_cancelled
from upbridge.systems.base import Connection, Links, MappingContext, UniqueName
from upbridge.systems.connecting import Vault
from upbridge.systems.http.idempotent_create import InDoubt
from upbridge.systems.uphance.adoption import Forgotten, Memory, StoredMemory, adopted_order, goods_differ
from upbridge.systems.uphance.client import Sleep, UphanceClient
from upbridge.systems.uphance.customer_mapping import Customer, House, customer_key, map_customer
from upbridge.systems.uphance.idempotent_create import DELIVERED, Created, IdempotentCreator
from upbridge.systems.uphance.matching import Doubled, SkuBook
from upbridge.systems.uphance.order_fingerprint import differences, mark, trace
from upbridge.systems.uphance.order_mapping import NotYet, SalesOrder, map_order, order_reference, unread_parts
from upbridge.systems.uphance.order_policy import order_policy
from upbridge.systems.uphance.product_mapping import product_mark, wanted_variants
from upbridge.systems.uphance.product_push import Products
from upbridge.systems.uphance.resource_types import CUSTOMERS, ORDERS, PRODUCTS
from upbridge.systems.uphance.schemas import customer_body, sales_order_body, string, whole, word
from upbridge.systems.uphance.sku_copy import SkuCopy
from upbridge.systems.uphance.tax import tax_remark
from upbridge.systems.uphance.unread_rows import Doubt, Sights

#: After so many failures of their application on the same order, a person has to look at it.
_ENOUGH = 5
#: So many outcomes are settled in one transaction.
_TOGETHER = 100
#: So often an order is tried again that waits for a product to be read: a quarter of an hour, in growing pauses.
_LOOKS = 9


@dataclass(frozen=True, slots=True)
class _Company:
    """Uphance's customer, and whether its record has this order's addresses; *news* is its link if it was made
    only now."""

    id: int
    addressed: bool
    news: Sequence[Link] = ()


class UphanceTarget:
    """The target `uphance`."""

    system = "uphance"

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        clock: Clock,
        *,
        sku_copy: SkuCopy,
        memory: Callable[[ShopId], Memory],
        sights: Sights | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._http = http
        self._base = base_url
        self._clock = clock
        self._sku_copy = sku_copy
        self._memory = memory
        self._sights = sights or Sights()
        self._sleep = sleep

    @classmethod
    def stored(
        cls,
        http: httpx.AsyncClient,
        base_url: str,
        engine: AsyncEngine,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> "UphanceTarget":
        """The target whose SKUs and memory are in the database."""
        memory = partial(StoredMemory, engine, clock)
        return cls(http, base_url, clock, sku_copy=SkuCopy(engine), memory=memory, sleep=sleep)

    def client(self, connection: Connection, vault: Vault) -> UphanceClient:
        """A client for one piece of work on *connection*, bound to its organisation."""
        chosen = (connection.facts.get("organisation") or {}).get("id") or connection.account
        return UphanceClient(self._http, self._base, vault, self._clock, whole(chosen), sleep=self._sleep)

    def unique_name(self, shop_settings: ShopSettings) -> UniqueName | None:  # noqa: ARG002
        """No product's document depends on another's names: `SkuCopy.doubled` looks when it is sent."""
        return None

    def order_policy(self, context: MappingContext) -> OrderPolicy | None:
        """Orders in a status that sends (`order_policy.order_policy`)."""
        return order_policy(context)

    def desired_documents(self, entity: Entity, context: MappingContext) -> Iterable[DesiredDocument | Unmappable]:
        """The sales order of an order; a product only where the shop has missing ones made.

        An order whose status does not send, or that is older than `uphance.orders_from`, or cancelled, is wanted
        only where it is known already: there its changes are news to staff. Its hash covers what would be sent.
        One in an unknown status waits (`order.unknown_status`).
        """
        if isinstance(entity, Product):
            if context.settings.yes("uphance.create_products") and wanted_variants(entity):
                body = entity.model_dump_json().encode()
                yield DesiredDocument(PRODUCTS.kind, entity.key, entity.key, body, hash=product_mark(entity))
            return
        if order_policy(context).judge(entity, context.facts) is Eligibility.UNKNOWN:
            unknown = Issue("order.unknown_status", {"status": entity.status_id})
            yield Unmappable(ORDERS.kind, entity.order_number, unknown, keeps=True)
            return
        if (stranger := _not_the_one(entity, context)) is not None:
            yield stranger
            return
        off, unread = is_cancelled(entity, context.facts), unread_parts(entity)
        yield DesiredDocument(
            kind=ORDERS.kind,
            key=entity.order_number,
            parent=entity.order_number,
            body=entity.model_dump_json().encode(),
            only_if_known=not _is_sent(entity, context),
            hash=mark(entity, canceled=off, unread=unread.params["fields"] if unread else ""),
        )

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """The tombstone of an order that is gone from the shop asks staff to cancel it in Uphance. A product has
        no tombstone: Uphance may need its SKUs for other channels."""
        if kind != ORDERS.kind:
            return None
        return canonical({"gone": json.loads(sent).get("number")})

    async def push(
        self, documents: Sequence[Document], context: MappingContext, vault: Vault, links: Links
    ) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        """Send one after another; yields what came of one that may have created something before the next call is
        made, and the others with it, `_TOGETHER` at most.

        What waits for a person is `Parked` without a call. Raises `LoginRefused` (`WrongOrganisation` is one),
        `Throttled`, `Unreachable` for what concerns the whole connection; nothing that was sent is then lost: its
        link says so.
        """
        shop_id, client = context.connection.shop_id, self.client(context.connection, vault)
        orders = {document.key: _opened(document) for document in documents if document.kind == ORDERS.kind}
        goods = {
            document.key: Product.model_validate_json(document.body)
            for document in documents
            if document.kind == PRODUCTS.kind
        }
        book = await self._sku_copy.book(
            shop_id,
            (
                *(line for order in orders.values() if order is not None for line in order.lines),
                *(variant for product in goods.values() for variant in product.variants),
            ),
        )
        shop_key, memory = context.connection.shop_key, self._memory(shop_id)
        forgotten = Forgotten(client, links, shop_id, shop_key, memory, self._clock, self._sights)
        creator = IdempotentCreator(client, links, self._clock, forgotten)
        work = _Work(context=context, sku_copy=self._sku_copy, book=book, creator=creator, links=links)
        products = Products(
            context=context,
            book=book,
            doubled=await self._sku_copy.doubled(shop_id) if goods else Doubled(),
            creator=creator,
            client=client,
            complete=bool(goods) and await self._sku_copy.complete(shop_id),
        )
        together: list[tuple[Document, Outcome]] = []
        for document in documents:
            attempts = creator.attempts
            try:
                if document.kind == ORDERS.kind:
                    outcome = await work.deliver(document, orders[document.key])
                else:
                    wanted = await links.is_wanted(document)
                    outcome = await products.deliver(document, goods[document.key]) if wanted else None
            except RemoteError:
                if together:
                    yield together
                raise
            if outcome is not None:
                together.append((document, outcome))
            if together and (attempts != creator.attempts or len(together) == _TOGETHER):
                yield together
                together = []
        if together:
            yield together


@dataclass(frozen=True, slots=True)
class _Work:
    """One push: what all its orders share."""

    context: MappingContext
    sku_copy: SkuCopy
    book: SkuBook
    creator: IdempotentCreator
    links: Links

    async def deliver(self, document: Document, order: Order | None) -> Outcome | None:
        """What comes of one order; None is an order that is gone from the shop. None comes of one that is not
        wanted any more as it is here (`Links.is_wanted`)."""
        link = document.link
        if link is not None and link.state == DELIVERED:
            if link.hash == ADOPTED or link.hash is None:
                return self._recognised(link, order)
            return _same(document, link) or self._changed(link, order)
        reference = order_reference(self.context.connection.shop_key, document.key)
        former = await self.creator.look(ORDERS, link, reference)
        if isinstance(former, InDoubt):
            return Retry(former.reason, former.until)
        if isinstance(former, Created):
            return self._found(document, former, order)
        unwanted = self._unwanted(order)
        if order is None or unwanted is not None:
            there = await self.creator.adopted(ORDERS, reference)
            known = None if there is None else adopted_order(document.key, there)
            return Dropped(unwanted or "") if known is None else self._recognised(known, order)
        return await self._send(document, order, reference)

    def _unwanted(self, order: Order | None) -> str | None:
        """Why an order is not sent that Uphance does not have; None if it is."""
        if order is None or is_cancelled(order, self.context.facts):
            return "cancelled before it was sent"
        if not _is_sent(order, self.context):  # a rule has changed since, or an attempt was refused and then this
            return "the shop's rules do not send it any more"
        return None

    def _changed(self, link: Link, order: Order | None, told: Sequence[str] = ()) -> Parked:
        """Park it for staff, who may have packed it: docs/vendors/uphance.md#orders-that-change-after-sending."""
        params = {"number": link.key, "uphance_order": link.metadata.get("order_number") or link.remote_id}
        if order is None or is_cancelled(order, self.context.facts):
            return Parked(Issue("order.cancel_in_uphance", params))
        if (unread := unread_parts(order)) is not None:
            return Parked(unread)
        lines = told or (differences(json.loads(link.sent), trace(order)) if link.sent else ())
        params["differences"] = "; ".join(lines) or "—"
        if not any(line.startswith("currency: ") for line in lines):  # else each amount has its own
            params["currency"] = order.currency
        return Parked(Issue("order.changed_after_sending", params))

    def _recognised(self, link: Link, order: Order | None) -> Outcome:
        """It is there, and what was sent is not known (any more): only its goods can be compared."""
        if order is None or is_cancelled(order, self.context.facts) or unread_parts(order) is not None:
            return self._changed(replace(link, sent=None), order)
        mapped = map_order(order, self.book.match_sold, self.context.settings, self.context.connection)
        if isinstance(mapped, SalesOrder) and (told := goods_differ(link, mapped)):
            return self._changed(replace(link, sent=None), order, told)
        return Delivered(
            remote_id=link.remote_id,
            keep=canonical(trace(order)),
            remote_status=link.remote_status,
            metadata=link.metadata,
        )

    def _found(self, document: Document, created: Created, order: Order | None) -> Outcome:
        """A former attempt had succeeded. If the order has changed since, that is a change after sending; what
        they have made of it before is remarked all the same."""
        delivered = _delivered(created)
        if order is not None and created.mark == document.hash.hex():
            return delivered
        link = Link(
            ORDERS.kind,
            document.key,
            document.parent,
            remote_id=delivered.remote_id,
            state=DELIVERED,
            hash=bytes.fromhex(created.mark),
            sent=delivered.keep,
            remote_status=delivered.remote_status,
            metadata=delivered.metadata,
        )
        return replace(self._changed(link, order), found=link, remark=delivered.remark)

    async def _send(self, document: Document, order: Order, reference: str) -> Outcome | None:
        shop_settings, connection = self.context.settings, self.context.connection
        sales_order = map_order(order, self.book.match_sold, shop_settings, connection)
        customer = map_customer(order, shop_settings, connection)
        for mapped in (sales_order, customer):
            if isinstance(mapped, Issue):
                return Parked(mapped)
            if isinstance(mapped, NotYet):
                return await self._not_yet(document, mapped)
        assert isinstance(sales_order, SalesOrder)
        assert isinstance(customer, Customer | House)
        try:
            return await self._create(document, order, sales_order, customer, reference)
        except Rejected as rejected:
            return Parked(Issue("order.refused", {"message": str(rejected), "status": rejected.answered}))

    async def _create(
        self,
        document: Document,
        order: Order,
        sales_order: SalesOrder,
        customer: Customer | House,
        reference: str,
    ) -> Outcome | None:
        if (there := await self.creator.adopted(ORDERS, reference)) is not None:
            return self._recognised(adopted_order(document.key, there), order)
        if not await self.links.is_wanted(document):
            return None
        doubt = await self.creator.doubt(ORDERS, order.created_at)
        company = doubt or await self._company(customer, sales_order.channel_id)
        if isinstance(company, InDoubt | Doubt):
            return self._doubt(document, company)
        if not company.addressed and order.shopper is not None:
            sales_order = sales_order.delivered_to(order.shopper)
        key = f"upgates:{self.context.connection.shop_key}:order:{order.order_number}"
        body = sales_order_body(sales_order, company_id=company.id, idempotency_key=key)
        link = Link(ORDERS.kind, document.key, document.parent)
        created = await self.creator.create(
            ORDERS, link, reference, body, mark=document.hash.hex(), trace=trace(order), known=company.news
        )
        return self._doubt(document, created) if isinstance(created, InDoubt) else _delivered(created)

    async def _company(self, customer: Customer | House, channel_id: int) -> _Company | InDoubt | Doubt:
        """The id of Uphance's customer, which is created once, at the shopper's first order.

        The record is never changed afterwards, because Uphance does not publish how. An order with other addresses
        has them in its shipping instructions.
        """
        if isinstance(customer, House):
            return _Company(customer.customer_id, addressed=False)
        body = customer_body(customer, channel_id=channel_id, idempotency_key=f"upgates:{customer.reference}")
        addresses = fingerprint(customer.reference.encode() + canonical(body["customer"]["addresses"])).hex()
        key = customer_key(customer.reference)
        link = await self.links.get(CUSTOMERS.kind, key)
        if link is not None and link.state == DELIVERED and link.remote_id is not None:
            return _Company(int(link.remote_id), addressed=link.hash == bytes.fromhex(addresses))
        former = await self.creator.look(CUSTOMERS, link, customer.reference)
        if former is None:
            there = await self.creator.adopted(CUSTOMERS, customer.reference)
            if there is None and (doubt := await self.creator.doubt(CUSTOMERS, None)) is not None:
                return doubt
            blank = Link(CUSTOMERS.kind, key)
            former = await self.creator.create(
                CUSTOMERS, blank, customer.reference, body, mark=addresses, trace={}
            )
        if isinstance(former, InDoubt):
            return former
        made = Link(
            CUSTOMERS.kind, key, remote_id=str(former.id), state=DELIVERED, hash=bytes.fromhex(former.mark)
        )
        # Saved with the order's attempt: until then its own attempt is found again.
        return _Company(former.id, addressed=former.mark == addresses, news=(made,))

    @staticmethod
    def _doubt(document: Document, doubt: InDoubt | Doubt) -> Outcome:
        if isinstance(doubt, Doubt):
            return (
                Parked(Issue("order.perhaps_there", {"row": doubt.row}))
                if doubt.until is None
                else Retry(doubt.row, doubt.until)
            )
        if doubt.failed is not None and document.attempts >= _ENOUGH:
            return Parked(Issue("order.refused", {"message": doubt.reason, "status": doubt.failed.answered}))
        return Retry(doubt.reason, doubt.until)

    async def _not_yet(self, document: Document, why: NotYet) -> Outcome:
        """Goods of a product that was never read, because it was not on sale: ask for it once, and match again."""
        if document.attempts >= _LOOKS:  # the variant is gone from the shop, so its SKU stays unknown
            return Parked(Issue("order.unknown_sku", {"codes": why.names}))
        if document.attempts == 0:
            await self.sku_copy.ask_for(self.context.connection.shop_id, why.products, now=self.context.now)
        return Retry(why.reason)


def _same(document: Document, link: Link) -> Delivered | None:
    """The delivery that Uphance already has, if *document* says the same; else None. An order is queued a second
    time if it was read again while its delivery was recorded."""
    if link.hash != document.hash:
        return None
    return Delivered(
        remote_id=link.remote_id, keep=link.sent, remote_status=link.remote_status, metadata=link.metadata
    )


def _delivered(created: Created) -> Delivered:
    return Delivered(
        remote_id=str(created.id),
        keep=canonical(created.trace),
        remote_status=word(created.row.get("status")),
        metadata={"order_number": string(created.row.get("order_number"))},
        remark=tax_remark(created.trace, created.row),
    )


def _opened(document: Document) -> Order | None:
    """The order in a document; None for the tombstone that `tombstone` made."""
    body = json.loads(document.body)
    return None if "gone" in body else Order.model_validate(body)


def _not_the_one(order: Order, context: MappingContext) -> Unmappable | None:
    """Why *order* is not compared with what its number says that Uphance has: that is another order, which is gone
    from the shop; or it has this one under its former number, where it stays."""
    number = order.order_number
    if number in context.other_orders:
        return Unmappable(ORDERS.kind, number, Issue("order.number_reused", {"number": number}))
    if (former := context.former_numbers.get(number)) is not None:
        issue = Issue("order.renumbered", {"number": number, "former": former})
        return Unmappable(ORDERS.kind, number, issue, keeps=True)
    return None


def _is_sent(order: Order, context: MappingContext) -> bool:
    return order_policy(context).judge(order, context.facts) is Eligibility.SENT
