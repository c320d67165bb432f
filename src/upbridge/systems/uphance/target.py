"""Uphance as a target: orders of the shop become draft sales orders, each exactly once (`order_push`); products
that it lacks are made where the shop chose so (`product_push`), else they are matched only.

One after another: each is settled before the next call.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.canonical_json import canonical
from upbridge.core.clock import Clock
from upbridge.core.errors import RemoteError
from upbridge.domain.delivery import (
    DesiredDocument,
    Document,
    Entity,
    Issue,
    Outcome,
    Unmappable,
)
from upbridge.domain.eligibility import Eligibility, OrderPolicy
from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import ShopSettings
from upbridge.domain.statuses import is_cancelled
from upbridge.systems.base import Connection, MappingContext, UniqueName
from upbridge.systems.connecting import Vault
from upbridge.systems.links import Links
from upbridge.systems.uphance.adoption import Forgotten, Memory, StoredMemory
from upbridge.systems.uphance.client import Sleep, UphanceClient
from upbridge.systems.uphance.idempotent_create import IdempotentCreator
from upbridge.systems.uphance.matching import Doubled
from upbridge.systems.uphance.order_fingerprint import mark
from upbridge.systems.uphance.order_mapping import unread_parts
from upbridge.systems.uphance.order_policy import is_sent, order_policy
from upbridge.systems.uphance.order_push import Orders
from upbridge.systems.uphance.product_mapping import product_mark, wanted_variants
from upbridge.systems.uphance.product_push import Products
from upbridge.systems.uphance.resource_types import ORDERS, PRODUCTS
from upbridge.systems.uphance.schemas import whole
from upbridge.systems.uphance.sku_copy import SkuCopy
from upbridge.systems.uphance.unread_rows import Sights

#: So many outcomes are settled in one transaction.
_TOGETHER = 100


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
        One in an unknown status waits (`order.unknown_status`). One that got another number is compared under the
        number under which Uphance has it.
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
            if (former := context.former_numbers.get(entity.order_number)) is None:
                return
            entity = entity.model_copy(update={"order_number": former})
        off, unread = is_cancelled(entity, context.facts), unread_parts(entity)
        yield DesiredDocument(
            kind=ORDERS.kind,
            key=entity.order_number,
            parent=entity.order_number,
            body=entity.model_dump_json().encode(),
            only_if_known=stranger is not None or not is_sent(entity, context),
            hash=mark(entity, canceled=off, unread=unread.params["fields"] if unread else ""),
        )

    def tombstone(self, kind: str, sent: bytes) -> bytes | None:
        """The tombstone of an order that is gone from the shop asks staff to cancel it in Uphance. A product has
        no tombstone: Uphance may need its SKUs for other channels."""
        if kind != ORDERS.kind:
            return None
        return canonical({"gone": json.loads(sent).get("number")})

    def sender(self, connection: Connection, vault: Vault, links: Links) -> "UphanceSender":
        """Who sends for one slice, bound to the organisation of *connection*."""
        chosen = (connection.facts.get("organisation") or {}).get("id") or connection.account
        client = UphanceClient(self._http, self._base, vault, self._clock, whole(chosen), sleep=self._sleep)
        memory = self._memory(connection.shop_id)
        forgotten = Forgotten(
            client, links, connection.shop_id, connection.shop_key, memory, self._clock, self._sights
        )
        creator = IdempotentCreator(client, links, self._clock, forgotten)
        return UphanceSender(client, self._sku_copy, links, creator)


@dataclass(frozen=True, slots=True)
class UphanceSender:
    """`base.Sender`. The organisation is chosen and what is newest there is looked at once, at the first call."""

    client: UphanceClient
    sku_copy: SkuCopy
    links: Links
    creator: IdempotentCreator

    async def push(
        self, documents: Sequence[Document], context: MappingContext
    ) -> AsyncGenerator[list[tuple[Document, Outcome]], None]:
        """Send one after another; yields the outcome of one that may have created something before the next call
        is made, and the others with it, `_TOGETHER` at most.

        What waits for a person is `Parked` without a call. Raises `LoginRefused` (`WrongOrganisation` is one),
        `Throttled`, `Unreachable` for what concerns the whole connection; nothing that was sent is then lost: its
        link says so.
        """
        shop_id = context.connection.shop_id
        orders = {document.key: _opened(document) for document in documents if document.kind == ORDERS.kind}
        goods = {
            document.key: Product.model_validate_json(document.body)
            for document in documents
            if document.kind == PRODUCTS.kind
        }
        book = await self.sku_copy.book(
            shop_id,
            (
                *(line for order in orders.values() if order is not None for line in order.lines),
                *(variant for product in goods.values() for variant in product.variants),
            ),
        )
        work = Orders(context=context, sku_copy=self.sku_copy, book=book, creator=self.creator, links=self.links)
        products = Products(
            context=context,
            book=book,
            doubled=await self.sku_copy.doubled(shop_id) if goods else Doubled(),
            creator=self.creator,
            client=self.client,
            complete=bool(goods) and await self.sku_copy.complete(shop_id),
        )
        together: list[tuple[Document, Outcome]] = []
        for document in documents:
            attempts = self.creator.attempts
            try:
                if document.kind == ORDERS.kind:
                    outcome = await work.deliver(document, orders[document.key])
                else:
                    wanted = await self.links.is_wanted(document)
                    outcome = await products.deliver(document, goods[document.key]) if wanted else None
            except RemoteError:
                if together:
                    yield together
                raise
            if outcome is not None:
                together.append((document, outcome))
            if together and (attempts != self.creator.attempts or len(together) == _TOGETHER):
                yield together
                together = []
        if together:
            yield together


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


def _opened(document: Document) -> Order | None:
    """The order in a document; None for the tombstone that `tombstone` made."""
    body = json.loads(document.body)
    return None if "gone" in body else Order.model_validate(body)
