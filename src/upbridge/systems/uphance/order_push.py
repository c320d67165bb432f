"""Send the orders of a shop as sales orders.

order ─► sold there? ─► map ─► customer ─► order ─► delivered
           │             └─► what a person has to cure: parked, no call made
           └─► changed or cancelled since: parked, staff change it in Uphance by hand
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.core.errors import Rejected
from upbridge.domain.delivery import ADOPTED, Delivered, Document, Dropped, Issue, Link, Outcome, Parked, Retry
from upbridge.domain.order import Order
from upbridge.domain.statuses import is_cancelled
from upbridge.systems.base import MappingContext
from upbridge.systems.http.idempotent_create import InDoubt
from upbridge.systems.links import Links
from upbridge.systems.uphance.adoption import adopted_order, goods_differ
from upbridge.systems.uphance.customer_mapping import CustomerRecord, House, customer_key, map_customer
from upbridge.systems.uphance.idempotent_create import DELIVERED, Created, IdempotentCreator
from upbridge.systems.uphance.matching import SkuBook
from upbridge.systems.uphance.order_fingerprint import differences, trace
from upbridge.systems.uphance.order_mapping import NotYet, SalesOrder, map_order, order_reference, unread_parts
from upbridge.systems.uphance.order_policy import is_sent
from upbridge.systems.uphance.resource_types import CUSTOMERS, ORDERS
from upbridge.systems.uphance.schemas import customer_body, sales_order_body, string, word
from upbridge.systems.uphance.sku_copy import SkuCopy
from upbridge.systems.uphance.tax import tax_remark
from upbridge.systems.uphance.unread_rows import Doubt

#: After so many failures of their application on the same order, a person has to look at it.
_ENOUGH = 5
#: So often an order is tried again that waits for a product to be read: a quarter of an hour, in growing pauses.
_LOOKS = 9


@dataclass(frozen=True, slots=True)
class _Company:
    """Uphance's customer, and whether its record has this order's addresses; *news* is its link if it was made
    only now."""

    id: int
    addressed: bool
    news: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """One push: what all its orders share."""

    context: MappingContext
    sku_copy: SkuCopy
    book: SkuBook
    creator: IdempotentCreator
    links: Links

    async def deliver(self, document: Document, order: Order | None) -> Outcome | None:
        """Deliver one order, None if the shop has deleted it; returns the outcome. Returns None if the shop wants
        another state of it by now (`Links.is_wanted`)."""
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
        """Why an order that Uphance lacks is not sent; None if it is sent."""
        if order is None or is_cancelled(order, self.context.facts):
            return "cancelled before it was sent"
        if not is_sent(order, self.context):  # a rule has changed since, or an attempt was refused and then this
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
        """Uphance has the order, and what was sent is not known: compare its goods only."""
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
        """An earlier attempt had succeeded. If the order has changed since, that is a change after sending. What
        Uphance made of it before is remarked all the same."""
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
        assert isinstance(customer, CustomerRecord | House)
        try:
            return await self._create(document, order, sales_order, customer, reference)
        except Rejected as rejected:
            return Parked(Issue("order.refused", {"message": str(rejected), "status": rejected.answered}))

    async def _create(
        self,
        document: Document,
        order: Order,
        sales_order: SalesOrder,
        customer: CustomerRecord | House,
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

    async def _company(self, customer: CustomerRecord | House, channel_id: int) -> _Company | InDoubt | Doubt:
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
