"""What an answer of the shop's API says: what was read, what is broken, what is missing or deleted."""

from collections.abc import Collection, Sequence

from upbridge.domain.order import Order
from upbridge.domain.product import Product
from upbridge.engine.planner import BadEntity, ReadBatch
from upbridge.systems.platform import Page


def read_of(
    kind: str, page: Page[Order] | Page[Product], *, asked: Sequence[str] = (), but: Collection[str] = ()
) -> ReadBatch:
    """What *page* answers, *but* for these keys. What was *asked* for and is neither read nor broken is missing.

    docs/vendors/upgates.md#what-is-not-listed
    """
    broken = [BadEntity(bad.key, bad.reason) for bad in page.broken if bad.key not in but]
    deleted = deleted_in(page)
    entities = [entity for entity in page.items if entity.key not in deleted and entity.key not in but]
    known = {entity.key for entity in entities} | {bad.key for bad in broken}
    # An entity so broken that it does not say which one it is could be any of those that seem to be missing.
    anonymous = any(bad.key not in set(asked) for bad in broken) if asked else False
    missing = deleted if anonymous else {*deleted, *(key for key in asked if key not in known)}
    return ReadBatch(kind=kind, entities=entities, broken=broken, missing=sorted(missing))


def deleted_in(page: Page[Order] | Page[Product]) -> set[str]:
    """The orders of *page* of which the API itself says that they are deleted."""
    return {entity.key for entity in page.items if isinstance(entity, Order) and entity.deleted}
