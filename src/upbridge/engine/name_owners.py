"""Which variants of a shop bear the same name for a target that ignores case (`systems.base.NameOwners`).

    product read ──names before and after──► what it took or gave up ──► other products with it: read again
                                     └──► who bears each of its names first ──► the mapping

The copy of the catalogue (`variants`) knows the names: two statements per batch and sort of name, whatever its
size. The caller holds the lock of `sku_matching.lock_matching`, so that no other worker changes a name meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import folded
from upbridge.systems.base import NameOwner, NameOwners, UniqueName


@dataclass(frozen=True, slots=True)
class Shared:
    """What a batch means for names: who bears them first, and the other products whose place among the bearers may
    have changed."""

    name_owners: NameOwners
    stirred: frozenset[str]


async def names_of(
    tx: AsyncConnection, shop_id: ShopId, by: UniqueName, products: Sequence[int]
) -> frozenset[tuple[str, str]]:
    """(variant, name) of what these products offer, as the copy stands."""
    rows = await tx.execute(_NAMES[by], {"shop_id": shop_id, "products": list(products)})
    return frozenset((row.key, row.name) for row in rows)


async def shared(
    tx: AsyncConnection,
    shop_id: ShopId,
    by: UniqueName,
    products: Sequence[Product],
    *,
    batch: Sequence[int],
    before: frozenset[tuple[str, str]],
) -> Shared:
    """What the names of *products*, which the copy has by now, mean; *before* are those of the whole *batch*."""
    after = frozenset(
        (variant.id, name)
        for product in products
        for variant in product.variants
        if product.active and variant.active and (name := (getattr(variant, by) or "").strip(" "))
    )
    names = {name for _, name in before | after}
    # What the database's locale lowers beyond ASCII is not ours to say: the candidates are many, `folded` decides.
    spellings = sorted({spelling for name in names for spelling in (name, name.lower(), name.upper())})
    rows = await tx.execute(_BEARERS[by], {"shop_id": shop_id, "names": spellings})
    moved = {folded(name) for _, name in before ^ after}
    first: dict[str, NameOwner] = {}
    stirred: set[str] = set()
    for row in rows:
        name, bearer = folded(row.name), NameOwner(row.product_id, row.key)
        first[name] = min(first.get(name, bearer), bearer, key=_age)
        if name in moved and row.product_id not in batch:
            stirred.add(str(row.product_id))
    return Shared(NameOwners(first), frozenset(stirred))


def _age(bearer: NameOwner) -> tuple[int, int]:
    """The oldest first: ids count up, the order in which a shop lists things can change."""
    return bearer.product_id, int(bearer.key.removeprefix("v-")) if bearer.key.startswith("v-") else 0


#: The expressions are those of the indexes of `variants`.
_NAMES = {
    by: text(
        f"SELECT key, btrim({by}) AS name FROM variants WHERE shop_id = :shop_id"  # noqa: S608 - a constant
        f" AND product_id = ANY(CAST(:products AS bigint[])) AND listed AND active AND btrim({by}) <> ''"
    )
    for by in UniqueName
}
_BEARERS = {
    by: text(
        f"SELECT product_id, key, btrim({by}) AS name FROM variants"  # noqa: S608 - a constant
        f" WHERE shop_id = :shop_id AND listed AND active AND btrim({by}) <> ''"
        f" AND lower(btrim({by})) = ANY(ARRAY(SELECT lower(name) FROM unnest(CAST(:names AS text[])) AS name))"
    )
    for by in UniqueName
}
