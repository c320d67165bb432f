"""Create the products that Uphance lacks, if the shop chose so (`uphance.create_products`).

    product ─► which variants are no SKU? ─none─► nothing to do, no call
                  └─ some ─► a product of that name or with its other variants is there? ─► PUT what it lacks
                                └─ no ─► POST the product (`creation`: never two)

Read before write: only variants that Uphance's product lacks at this moment are added. So a lost answer costs a
repeat and doubles nothing. A variant is made once, even if Uphance names it differently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import Failed, Rejected
from upbridge.domain.delivery import Delivered, Document, Dropped, Issue, Link, Outcome, Parked, Retry
from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Sku, code_key
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.systems.base import MappingContext
from upbridge.systems.http.idempotent_create import InDoubt
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.idempotent_create import DELIVERED, Created, IdempotentCreator
from upbridge.systems.uphance.matching import Doubled, Miss, SkuBook
from upbridge.systems.uphance.product_mapping import (
    NewProduct,
    identifier_of,
    map_product,
    wanted_variants,
)
from upbridge.systems.uphance.resource_types import PRODUCTS
from upbridge.systems.uphance.schemas import Json, product_additions, product_body, skus_of, string, whole

#: After so many failures of their application on the same product, a person has to look at it.
_ENOUGH = 5
#: In the trace of an attempt: the variants that it makes, by their ids in the shop.
MADE = "made"
#: Products are made in rows: the catalogue is read once for many.
_MADE_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Products:
    """One push: what all its products share. *complete*: Uphance's catalogue has been read to its end;
    *doubled*: the names that more than one variant of the shop has."""

    context: MappingContext
    book: SkuBook
    doubled: Doubled
    creator: IdempotentCreator
    client: UphanceClient
    complete: bool

    async def deliver(self, document: Document, product: Product) -> Outcome:
        """Deliver one product; returns the outcome."""
        if not self.context.settings.yes("uphance.create_products"):
            return Dropped("the shop's rules do not make products any more")
        if not self.complete:
            return Retry("the catalogue of Uphance was not read yet")
        reference = identifier_of(product, self.context.connection.shop_key)
        former = await self.creator.look(PRODUCTS, document.link, reference)
        if isinstance(former, InDoubt):
            return Retry(former.reason, former.until)
        try:
            return await self._complete(document, product, former)
        except Rejected as rejected:
            return _refused(str(rejected), rejected.answered)
        except Failed as failed:
            return self._failed(document, failed)

    async def _complete(self, document: Document, product: Product, former: Created | None) -> Outcome:
        """Create what Uphance lacks of *product*; makes no call if it lacks nothing."""
        home, made = _known(document.link, former)
        matches = {variant.id: self.book.match(variant) for variant in wanted_variants(product)}
        missing = [
            alone
            for variant in wanted_variants(product)
            if matches[variant.id] is Miss.UNKNOWN
            and variant.id not in made
            and (alone := self.doubled.without(variant)) is not None
        ]
        if not missing:
            return _delivered(home, made)
        mapped = map_product(product, missing, self.context)
        if isinstance(mapped, Issue):
            return Parked(mapped)
        siblings = {match.product_id for match in matches.values() if isinstance(match, Sku)}
        return await self._bring(document, mapped, siblings, home, made)

    async def _bring(
        self, document: Document, new: NewProduct, siblings: set[int], home: int | None, made: Sequence[str]
    ) -> Outcome:
        """Add to the product that is there, or make one."""
        places = {home} if home is not None else siblings or await self._of_that_name(new.identifier)
        if len(places) > 1:
            names = ", ".join(str(place) for place in sorted(places))
            return Parked(Issue("product.unclear", {"code": new.identifier, "products": names}))
        keys = [*made, *(sku.key for sku in new.skus)]
        if places:
            return await self._add(places.pop(), new, keys)
        shop_key, link = self.context.connection.shop_key, Link(PRODUCTS.kind, document.key, document.parent)
        body = product_body(new, idempotency_key=f"upgates:{shop_key}:product:{document.key}")
        mark, trace = document.hash.hex(), {MADE: keys}
        outcome = await self.creator.create(PRODUCTS, link, new.identifier, body, mark=mark, trace=trace)
        if isinstance(outcome, InDoubt):
            if outcome.failed is not None:
                return self._failed(document, outcome.failed)
            return Retry(outcome.reason, outcome.until)
        return _delivered(outcome.id, keys)

    async def _of_that_name(self, identifier: str) -> set[int]:
        """Products with this identifier (Product API: `filter[product_identifier]`). The filter is not trusted:
        one that is ignored lists everything, and every row is looked at."""
        found: set[int] = set()
        filtered = {"filter[product_identifier]": identifier}
        async for page in self.client.pages(PRODUCTS.path, PRODUCTS.list_name, **filtered):
            for row in page:
                number = whole(row.get("id"))
                if number is not None and string(row.get(PRODUCTS.reference)) == identifier:
                    found.add(number)
        return found

    async def _add(self, product_id: int, new: NewProduct, keys: Sequence[str]) -> Outcome:
        there = await self.client.one(f"{PRODUCTS.path}/{product_id}", PRODUCTS.name)
        if there is None:  # staff have deleted it since: their decision, not ours to undo
            return _delivered(product_id, keys)
        codes = {code_key(sku.sku_number) for sku in skus_of(there)} - {None}
        eans = {code_key(sku.ean) for sku in skus_of(there)} - {None}
        lacking = [
            sku for sku in new.skus if code_key(sku.sku_number) not in codes and code_key(sku.ean) not in eans
        ]
        taken = _places(there)
        clash = [sku for sku in lacking if sku.place in taken]
        if clash:  # the same colour and size under another code: one of the two is wrong
            names = ", ".join(sku.sku_number or sku.ean or sku.key for sku in clash)
            return Parked(Issue("product.no_size", {"variants": names}))
        if lacking:
            await self.client.put(f"{PRODUCTS.path}/{product_id}", product_additions(new, there, lacking))
        return _delivered(product_id, keys)

    def _failed(self, document: Document, failed: Failed) -> Outcome:
        if document.attempts >= _ENOUGH:
            return _refused(str(failed), failed.answered)
        return Retry(str(failed))


def _known(link: Link | None, former: Created | None) -> tuple[int | None, Sequence[str]]:
    """Uphance's product that we created or extended before, and the variants that we made."""
    if former is not None:
        return former.id, former.trace.get(MADE, ())
    if link is None or link.state != DELIVERED:
        return None, ()
    return None if link.remote_id is None else int(link.remote_id), [str(key) for key in link.created_keys]


def _places(product: Json) -> set[tuple[str, str]]:
    """Colour and size of every SKU of a product of Uphance, in the form in which ours are compared."""
    return {
        (
            (string(variation.get("color")) or string(sku.get("color")) or "").casefold(),
            (string(sku.get("size")) or "").casefold(),
        )
        for variation in product.get("variations") or ()
        for sku in variation.get("skus") or ()
    }


def _refused(message: str, status: int) -> Parked:
    return Parked(Issue("product.refused", {"message": message, "status": status}))


def _delivered(product_id: int | None, made: Sequence[str]) -> Delivered:
    return Delivered(remote_id=None if product_id is None else str(product_id), created_keys=sorted(set(made)))


async def products_made(
    tx: AsyncConnection, shop_id: ShopId, delivered: Sequence[tuple[Document, Delivered]], *, now: datetime
) -> None:
    """Products that were made have SKUs now for which orders may wait: have the catalogue read again."""
    before = [tuple(document.link.created_keys) if document.link else () for document, _ in delivered]
    if [tuple(outcome.created_keys) for _, outcome in delivered] != before:
        due_at = now + _MADE_PAUSE
        await mark_changed(
            tx, shop_id, "uphance", Kind.CATALOGUE, ["catalogue"], origin=Origin.SCHEDULE, now=now, due_at=due_at
        )
