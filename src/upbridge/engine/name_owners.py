"""Which variants of a shop bear the same name for a target (`systems.base.NameOwners`).

    product read ──names before and after──► what it took or gave up ──► other products with it: read again
                                     └──► who bears each of its names first ──► the mapping

The copy of the catalogue (`variants`) has the names: one statement per batch and sort of name, for any size of
batch. The caller holds the lock of `sku_matching.lock_matching`, so that no other worker changes a name meanwhile.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.domain.variant_key import variant_number
from upbridge.store import variants
from upbridge.systems.base import NameOwner, NameOwners, UniqueName


@dataclass(frozen=True, slots=True)
class Shared:
    """What a batch means for names: who bears them first, and the other products whose place among the bearers may
    have changed."""

    name_owners: NameOwners
    stirred: frozenset[str]


def names_of(by: UniqueName, known: Iterable[variants.Keyed]) -> frozenset[tuple[str, str]]:
    """(variant, key of its name) of what is on offer among *known*."""
    return frozenset((one.key, name) for one in known if one.offered and (name := getattr(one, by)) is not None)


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
        if product.active and variant.active and (name := code_key(getattr(variant, by))) is not None
    )
    names = sorted({name for _, name in before | after})
    moved = {name for _, name in before ^ after}
    first: dict[str, NameOwner] = {}
    stirred: set[str] = set()
    for found in await variants.offered_as(tx, shop_id, by, names):
        bearer = NameOwner(found.product_id, found.key)
        first[found.name] = min(first.get(found.name, bearer), bearer, key=_age)
        if found.name in moved and found.product_id not in batch:
            stirred.add(str(found.product_id))
    return Shared(NameOwners(first), frozenset(stirred))


def _age(bearer: NameOwner) -> tuple[int, int]:
    """The oldest first: ids count up, the order in which a shop lists things can change."""
    return bearer.product_id, variant_number(bearer.key)
