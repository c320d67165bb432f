"""While the catalogue is mapped again no product goes off sale because of its mapping; at the end too many wait
for a person.

A merchant who takes the price of one product away means it. Where the price list of all of them has become
another one, that says nothing about a single product. So what would take a product off sale for a reason of its
mapping (no price, a code that another one has), while a run maps the catalogue again, is held. When the run has
ended, few are let go; more of what is on sale than the shop's rule says (30 % where it chose none) is a problem
that a person releases or dismisses, as with stock.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.mass_change import LARGE, is_large
from upbridge.domain.proposed import Proposed
from upbridge.domain.shop_id import ShopId
from upbridge.store import cursors, document_queries, documents, runs, variants
from upbridge.store.guards import ask_a_person, ask_nobody, let_pass
from upbridge.store.runs import RunPurpose
from upbridge.store.shops import Shops
from upbridge.store.variant_queries import shown_by_key
from upbridge.systems.base import Systems

log = structlog.get_logger(__name__)

GUARD = "catalogue.guard"
KIND = "product"


def too_many(off: int, on_sale: int, *, percent: int = LARGE) -> bool:
    """Whether a person should look at it before *off* of *on_sale* variants go off sale (`domain.mass_change`)."""
    return is_large(off, on_sale, taken=off, there=on_sale, percent=percent)


async def hold(tx: AsyncConnection, shop_id: ShopId, target: str, keys: Collection[str], *, now: datetime) -> None:
    """Hold the documents *keys* that take products off sale at *target*, if the catalogue is mapped again now."""
    if keys and await runs.is_unfinished(tx, shop_id, KIND, RunPurpose.IMPORT):
        await documents.hold_back(tx, shop_id, target, KIND, sorted(keys), guard=GUARD, now=now)
        await cursors.put(tx, shop_id, target, GUARD, now.isoformat())


async def judge(tx: AsyncConnection, shops: Shops, systems: Systems, *, now: datetime) -> None:
    """Let go or report what is held, in all shops whose catalogue is mapped by now."""
    for shop_id, target in await cursors.holders(tx, GUARD):
        if not await runs.is_unfinished(tx, shop_id, KIND, RunPurpose.IMPORT):
            percent = await _percent(shops, systems, shop_id, target)
            await _judge(tx, shop_id, target, percent, now=now)
            await cursors.remove(tx, shop_id, target, GUARD)


async def _judge(tx: AsyncConnection, shop_id: ShopId, target: str, percent: int, *, now: datetime) -> None:
    off = len(await document_queries.hashes_held(tx, shop_id, target, GUARD))
    on_sale = await variants.count_offered(tx, shop_id)
    held = too_many(off, on_sale, percent=percent)
    log.info("catalogue_judged", shop_id=str(shop_id), target=target, off=off, on_sale=on_sale, held=held)
    if not held:
        await let_pass(tx, shop_id, target, KIND, GUARD, now=now)
        return
    params = {"off": off, "on_sale": on_sale, "percent": percent}
    await ask_a_person(tx, shop_id, target, KIND, key="catalogue.guard", params=params, now=now)


async def _percent(shops: Shops, systems: Systems, shop_id: ShopId, target: str) -> int:
    """What the shop's rule for *target* says; `LARGE` where that system has no such rule."""
    system = systems.get(target)
    if system is None or system.guard_setting is None:
        return LARGE
    chosen = (await shops.get(shop_id)).settings.number(system.guard_setting)
    return LARGE if chosen is None else chosen


async def close_if_none(tx: AsyncConnection, shop_id: ShopId, target: str) -> None:
    """Nothing is held any more: what was has a price again, or is gone."""
    if not await document_queries.hashes_held(tx, shop_id, target, GUARD):
        await ask_nobody(tx, shop_id, target, KIND, GUARD)


async def shown(tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, bytes]) -> list[Proposed]:
    """What is held, for a person: each of them is on sale and would not be."""
    known = await shown_by_key(tx, shop_id, bodies)
    found = [(key, known.get(key)) for key in bodies]
    return [
        Proposed(key, None if one is None else one.code, None if one is None else one.title, old=True, new=False)
        for key, one in found
    ]
