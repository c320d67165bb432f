"""What a person looks at before it happens: numbers of stock, and products that would be created."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.canonical_json import canonical, fingerprint
from upbridge.domain.proposed import Proposed
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.store import documents
from upbridge.store.history import StockWrite, stock_of_run
from upbridge.store.variant_queries import count_unmatched, shown_by_key, unmatched_variants
from upbridge.systems.connecting import Tools
from upbridge.systems.decisions import Decisions, DryRun
from upbridge.systems.uphance import stock
from upbridge.systems.uphance.stock_calculation import GUARD, take_back


async def shown_changes(tx: AsyncConnection, shop_id: ShopId, bodies: Mapping[str, bytes]) -> list[Proposed]:
    """The numbers of these documents, each beside the one that the shop shows now."""
    known = await shown_by_key(tx, shop_id, bodies)
    found = []
    for key, body in bodies.items():
        said, there = json.loads(body), known.get(key)
        title, old = (None, None) if there is None else (there.title, there.stock)
        found.append(Proposed(key, said["code"], title, old, Decimal(said["written"])))
    return found


@dataclass(frozen=True, slots=True)
class WriteStock:
    """`stock.write`, and what decides about the numbers while it is on."""

    settings: Collection[str] = ("stock.write", "stock.quantity", "stock.safety", "stock.drafts_reserve")

    async def look(
        self, tx: AsyncConnection, before: Shop, after: Shop, *, limit: int | None, now: datetime
    ) -> DryRun | None:
        """The numbers of the shop that a run would change."""
        del before
        if not after.settings.yes("stock.write"):
            return None
        plan, early = await stock.foresee(tx, after, now=now)
        ordered = sorted(plan.put, key=lambda one: one.key)
        zeroed = sum(json.loads(one.body)["written"] == 0 for one in ordered)
        return DryRun(
            name="stock",
            counts={"count": len(ordered), "zeroed": zeroed, "matched": plan.tally.matched},
            changes=await shown_changes(tx, after.id, {one.key: one.body for one in ordered[:limit]}),
            number=len(ordered),
            mark=fingerprint(canonical([[one.key, one.hash.hex()] for one in ordered])).hex(),
            early=early,
        )

    async def carry_out(
        self, tx: AsyncConnection, tools: Tools, after: Shop, shown: DryRun, *, now: datetime
    ) -> None:
        """Queue the numbers, which the guard does not judge again; nothing where they may be wrong."""
        if not shown.early:
            await stock.write_now(tx, tools, after, now=now)


@dataclass(frozen=True, slots=True)
class CreateProducts:
    """`uphance.create_products`."""

    settings: Collection[str] = ("uphance.create_products",)

    async def look(
        self, tx: AsyncConnection, before: Shop, after: Shop, *, limit: int | None, now: datetime
    ) -> DryRun | None:
        """The products with variants on sale that are no SKU."""
        del now
        key = "uphance.create_products"
        if before.settings.yes(key) or not after.settings.yes(key):
            return None
        missing = await count_unmatched(tx, after.id)
        first = await unmatched_variants(tx, after.id, limit=limit)
        return DryRun(
            name="create_products",
            counts={"count": missing.products, "variants": missing.variants},
            changes=[Proposed(*one, old=False, new=True) for one in first],
            number=missing.variants,
        )

    async def carry_out(
        self, tx: AsyncConnection, tools: Tools, after: Shop, shown: DryRun, *, now: datetime
    ) -> None:
        """They are queued when the products have been read again."""


class UndoStock:
    """A run of stock is taken back: each number that stood before it, where the shop still shows what it wrote."""

    async def look(self, tx: AsyncConnection, shop_id: ShopId, run: datetime, *, limit: int | None) -> DryRun:
        """The numbers that would be written."""
        back, changed = await self._numbers(tx, shop_id, run)
        shown = back if limit is None else back[:limit]
        known = await shown_by_key(tx, shop_id, [one.key for one in shown])
        return DryRun(
            name="undo",
            counts={"count": len(back), "changed": changed},
            changes=[Proposed(one.key, one.code, known[one.key].title, one.new, one.old) for one in shown],
            number=len(back),
            mark=fingerprint(canonical([[one.key, one.new, one.old] for one in back])).hex(),
        )

    async def carry_out(
        self, tx: AsyncConnection, tools: Tools, shop_id: ShopId, run: datetime, *, now: datetime
    ) -> None:
        """Queue them, and do not write Uphance's numbers again until those are others."""
        back, _ = await self._numbers(tx, shop_id, run)
        desired = [
            take_back(one.key, one.code, shown=one.new, before=one.old, run=now.isoformat())
            for one in back
            if one.old is not None
        ]
        priority = int(Purpose.STOCK)
        await documents.put(tx, tools.cipher, shop_id, stock.TARGET, desired, priority=priority, now=now)
        await stock.decline(tx, shop_id, {one.key: (one.code, one.new) for one in back}, now=now)

    @staticmethod
    async def _numbers(tx: AsyncConnection, shop_id: ShopId, run: datetime) -> tuple[list[StockWrite], int]:
        """What can be taken back, by key, and how many numbers are others by now."""
        written = sorted(await stock_of_run(tx, shop_id, run, limit=None), key=lambda one: one.key)
        known = await shown_by_key(tx, shop_id, [one.key for one in written])
        back = [
            one
            for one in written
            if one.old is not None and (there := known.get(one.key)) is not None and there.stock == one.new
        ]
        return back, len(written) - len(back)


_WRITE = WriteStock()
DECISIONS = Decisions(
    held={GUARD: shown_changes},
    asked={stock.SEVERAL: _WRITE},
    rehearsals=(_WRITE, CreateProducts()),
    undo=UndoStock(),
)
