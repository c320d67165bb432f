"""The SKUs of the connected organisation, kept in the table `skus`, and who is who among them.

Uphance has no "changed since" and no filter by SKU number, so all of `/products` is read and indexed here. What
was read replaces the table only when the read was complete, in one transaction that is not open meanwhile.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.order import OrderLine
from upbridge.domain.platform import PLATFORM
from upbridge.domain.product import Variant
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Sku, code_key
from upbridge.store import changes, connections, former_variants, pairings, skus, variants
from upbridge.store.changes import Kind, Origin
from upbridge.store.runs import first_import_under_way
from upbridge.store.session import reading
from upbridge.systems.uphance.careful_read import read_carefully
from upbridge.systems.uphance.client import UphanceClient
from upbridge.systems.uphance.matching import Doubled, SkuBook, was_renamed
from upbridge.systems.uphance.schemas import skus_of

_TOGETHER = timedelta(seconds=5)
"""Orders that come together ask together. Each is tried after two seconds and after six."""
_LIST_BRINGS = timedelta(minutes=1)
"""So long an order waits at most for the list of a first import."""


class SkuCopy:
    """The copy of Uphance's SKUs, per shop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def book(self, shop_id: ShopId, lines: Iterable[OrderLine | Variant]) -> SkuBook:
        """The SKUs that *lines* may mean, doubled ones included, and what the variants are called by now
        or were called last."""
        wanted = list(lines)
        keys = {one.variant_key if isinstance(one, OrderLine) else one.id for one in wanted}
        async with reading(self._engine) as tx:
            named = await former_variants.names_of(tx, shop_id, sorted(key for key in keys if key is not None))
            names = [*((one.code, one.ean) for one in wanted), *named.values()]
            codes = {key for code, _ in names if (key := code_key(code)) is not None}
            eans = {key for _, ean in names if (key := code_key(ean)) is not None}
            found = await skus.named(tx, shop_id, sorted(codes), sorted(eans))
            bearers = await variants.bearers(
                tx,
                shop_id,
                {
                    key
                    for one in wanted
                    if isinstance(one, OrderLine)
                    and (own := named.get(one.variant_key or "")) is not None
                    and was_renamed(one, own)
                    and (key := code_key(one.code)) is not None
                },
            )
            paired = await pairings.skus_of(tx, shop_id, sorted(key for key in keys if key is not None))
            chosen = await skus.of_ids(tx, shop_id, sorted(set(paired.values()))) if paired else {}
        by_hand = {key: chosen[sku_id] for key, sku_id in paired.items() if sku_id in chosen}
        return SkuBook(found, named, by_hand, bearers)

    async def ask_for(self, shop_id: ShopId, products: Iterable[int], *, now: datetime) -> None:
        """Have these products of the shop read: orders that are matched since *now* wait for them. During the
        first import the list may bring them without a call of their own: what it does not, is asked for together.
        """
        async with self._engine.begin() as tx:
            missing = set(products)
            missing -= await variants.read_from(tx, shop_id, now, missing)
            wait = _LIST_BRINGS if await first_import_under_way(tx, shop_id) else _TOGETHER
            await changes.mark_changed(
                tx,
                shop_id,
                PLATFORM,
                Kind.PRODUCT,
                map(str, missing),
                origin=Origin.SCHEDULE,
                now=now,
                due_at=now + wait,
                purpose=Purpose.ORDERS,
            )

    async def doubled(self, shop_id: ShopId) -> Doubled:
        """The codes and EANs that several variants of the shop have; few, where there are any."""
        async with reading(self._engine) as tx:
            return Doubled(*await variants.doubled(tx, shop_id))

    async def complete(self, shop_id: ShopId) -> bool:
        """Whether the catalogue of the connected organisation was read to its end: only then is what is not in it
        not there."""
        async with reading(self._engine) as tx:
            return await connections.was_polled(tx, shop_id, "uphance")


async def read_skus(client: UphanceClient) -> list[Sku]:
    """The SKUs of all products; 2,000 products are 20 calls. An incomplete read is raised (`Unreachable`, …)."""
    found: dict[int, Sku] = {}
    async for page in client.pages("/products", "products"):
        found.update((sku.sku_id, sku) for product in page for sku in skus_of(product))
    return list(found.values())


async def read_skus_carefully(client: UphanceClient, known: Collection[int]) -> tuple[list[Sku], list[int]]:
    """The SKUs of all products that can be read, and the ids of the products that cannot; *known*: products from
    before. Raises what `read_carefully` raises."""
    read = await read_carefully(client, known)
    return [sku for product in read.rows for sku in skus_of(product)], read.missed
