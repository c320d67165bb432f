"""The set of what may have changed: whoever hears of something puts a row here, and nobody does more.

A row says "read this again". A second hint about the same thing moves the row's `seq` and costs nothing else;
a row goes only if its `seq` is the one that was read before the work, so a hint during the work survives.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId

#: When something is due that waits for a person to let it go on.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class Origin(StrEnum):
    """Who heard of the change."""

    WEBHOOK = "webhook"
    IMPORT = "import"
    SAFETY_NET = "safety_net"
    LIFECYCLE = "lifecycle"
    SETTINGS = "settings"
    SCHEDULE = "schedule"


class Kind(StrEnum):
    """What a change is about. The key is in brackets."""

    ORDER = "order"
    """[order number]"""
    PRODUCT = "product"
    """[product id]"""
    VARIANT = "variant"
    """[variant id] of a deleted variant, whose product has to be looked up (R44)"""
    ORDERS_PAGE = "orders.page"
    """[run:page] of a run through a list"""
    PRODUCTS_PAGE = "products.page"
    """[run:page]"""
    COUNT = "products.count"
    """[run] compare the number of products with the copy"""
    FACTS = "facts"
    """[facts] owner, languages, price lists, statuses, config, rights"""
    WEBHOOKS = "webhooks"
    """[webhooks] list and compare the subscriptions"""
    PROBE = "probe"
    """[probe] one call that says whether the credentials work"""
    CATALOGUE = "catalogue"
    """[catalogue] the SKUs and stock of the connected Uphance organisation"""
    PICK_TICKETS = "pick_tickets"
    """[poll], or [ticket id] that a webhook has named: what Uphance has shipped, and which orders are drafts"""
    STOCK = "stock"
    """[stock] compare Uphance's numbers, as last read, with what the shop shows; no call"""


PURPOSES: dict[Kind, Purpose] = {
    Kind.ORDER: Purpose.ORDERS,
    Kind.PRODUCT: Purpose.PRODUCTS,
    Kind.VARIANT: Purpose.PRODUCTS,
    Kind.ORDERS_PAGE: Purpose.IMPORT,
    Kind.PRODUCTS_PAGE: Purpose.IMPORT,
    Kind.COUNT: Purpose.SAFETY,
    Kind.FACTS: Purpose.LIFECYCLE,
    Kind.WEBHOOKS: Purpose.LIFECYCLE,
    Kind.PROBE: Purpose.LIFECYCLE,
    Kind.CATALOGUE: Purpose.STOCK,
    Kind.PICK_TICKETS: Purpose.ORDERS,
    Kind.STOCK: Purpose.STOCK,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A row of `changes`."""

    kind: Kind
    key: str
    seq: int
    origin: Origin
    purpose: Purpose
    attempts: int
    hinted_at: datetime


async def mark_changed(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    kind: Kind,
    keys: Iterable[str],
    *,
    origin: Origin,
    now: datetime,
    due_at: datetime | None = None,
    purpose: Purpose | None = None,
) -> None:
    """Note that the things named *keys* may have changed at *source*, in the caller's transaction. They are due at
    once, or at *due_at*.

    A row that is there keeps its `due_at` and `hinted_at` (so that steady hints cannot postpone the work, nor
    hurry what was refused and waits) and takes the more urgent of the two purposes. Keys are written in order,
    so that two writers cannot deadlock.
    """
    ordered = sorted(set(keys))
    if not ordered:
        return
    await tx.execute(
        MARK_CHANGED,
        {
            "shop_id": shop_id,
            "source": source,
            "kind": kind,
            "keys": ordered,
            "origin": origin,
            "priority": int(PURPOSES[kind] if purpose is None else purpose),
            "now": now,
            "due_at": due_at or now,
        },
    )


#: What a second hint about the same thing does. What was refused has a moment of its own: no hint hurries it.
KNOWN = """
    ON CONFLICT (shop_id, source, kind, key) DO UPDATE SET
      seq = nextval('change_seq'),
      priority = LEAST(changes.priority, excluded.priority),
      due_at = CASE WHEN changes.attempts = 0 THEN LEAST(changes.due_at, excluded.due_at) ELSE changes.due_at END
"""

MARK_CHANGED = text(
    """
    INSERT INTO changes (shop_id, source, kind, key, origin, priority, hinted_at, due_at)
    SELECT :shop_id, :source, :kind, key, :origin, :priority, :now, :due_at
    FROM unnest(CAST(:keys AS text[])) AS key
    """  # noqa: S608 - the rest is a constant
    + KNOWN
)


async def forget(tx: AsyncConnection, shop_id: ShopId, source: str, kind: Kind) -> None:
    """Nothing of *kind* has to be read any more, whoever said so before."""
    await tx.execute(
        text("DELETE FROM changes WHERE shop_id = :shop_id AND source = :source AND kind = :kind"),
        {"shop_id": shop_id, "source": source, "kind": kind},
    )


async def claim(
    tx: AsyncConnection, shop_id: ShopId, source: str, *, below: int, limit: int, now: datetime
) -> list[Change]:
    """The most urgent due changes of one shop and source, all of one purpose, at most *limit*: what has been due
    for longest goes first.

    Only purposes more urgent than *below*. Rows that are not due yet fill the rest of the batch: a call that is
    made anyway may as well ask for them. One index has them in this order, and each purpose is looked at by
    itself: no more rows are read than are taken, whatever Postgres believes of how many are due.
    """
    rows = await tx.execute(
        text(
            """
            WITH urgent AS (
              SELECT purpose FROM unnest(CAST(:purposes AS smallint[])) AS purpose CROSS JOIN LATERAL (
                SELECT due_at FROM changes
                WHERE shop_id = :shop_id AND source = :source AND priority = purpose ORDER BY due_at LIMIT 1
              ) first
              WHERE purpose < :below AND first.due_at <= :now ORDER BY purpose LIMIT 1
            )
            SELECT c.* FROM urgent CROSS JOIN LATERAL (
              SELECT kind, key, seq, origin, priority, attempts, hinted_at, due_at FROM changes
              WHERE shop_id = :shop_id AND source = :source AND priority = urgent.purpose
                AND (attempts = 0 OR due_at <= :now)
              ORDER BY due_at, seq LIMIT :limit
            ) c ORDER BY c.due_at, c.seq
            """
        ),
        {
            "shop_id": shop_id,
            "source": source,
            "purposes": [int(purpose) for purpose in Purpose],
            "below": below,
            "limit": limit,
            "now": now,
        },
    )
    return [
        Change(
            kind=Kind(row.kind),
            key=row.key,
            seq=row.seq,
            origin=Origin(row.origin),
            purpose=Purpose(row.priority),
            attempts=row.attempts,
            hinted_at=row.hinted_at,
        )
        for row in rows
    ]


async def done(tx: AsyncConnection, shop_id: ShopId, source: str, changes: Sequence[Change]) -> set[int]:
    """Remove *changes* whose `seq` did not move; returns those. Locks in key order, as `mark_changed` does."""
    if not changes:
        return set()
    rows = await tx.execute(
        text(
            """
            WITH locked AS (
              SELECT c.kind, c.key, c.seq FROM changes c
              JOIN unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:seqs AS bigint[]))
                AS t (kind, key, seq) ON t.kind = c.kind AND t.key = c.key AND t.seq = c.seq
              WHERE c.shop_id = :shop_id AND c.source = :source
              ORDER BY c.kind, c.key FOR UPDATE OF c
            )
            DELETE FROM changes c USING locked l
            WHERE c.shop_id = :shop_id AND c.source = :source AND c.kind = l.kind AND c.key = l.key
              AND c.seq = l.seq
            RETURNING c.seq
            """
        ),
        _columns(shop_id, source, changes),
    )
    return {row.seq for row in rows}


async def postpone(
    tx: AsyncConnection, shop_id: ShopId, source: str, changes: Sequence[Change], *, until: datetime
) -> None:
    """Count an attempt on each of *changes* and leave them alone until *until*."""
    if not changes:
        return
    await tx.execute(
        text(
            """
            UPDATE changes c SET attempts = c.attempts + 1, due_at = :until
            FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:seqs AS bigint[]))
              AS t (kind, key, seq)
            WHERE c.shop_id = :shop_id AND c.source = :source AND t.kind = c.kind AND t.key = c.key
            """
        ),
        {**_columns(shop_id, source, changes), "until": until},
    )


async def gather(
    tx: AsyncConnection,
    shop_id: ShopId,
    source: str,
    purposes: Collection[Purpose],
    *,
    until: datetime,
) -> None:
    """Leave what is due for *purposes* together until *until*; no attempt is counted."""
    await tx.execute(
        text(
            """
            UPDATE changes SET due_at = :until
            WHERE shop_id = :shop_id AND source = :source AND priority = ANY(:priorities) AND due_at < :until
            """
        ),
        {"shop_id": shop_id, "source": source, "priorities": [int(one) for one in purposes], "until": until},
    )


def _columns(shop_id: ShopId, source: str, changes: Sequence[Change]) -> dict[str, object]:
    return {
        "shop_id": shop_id,
        "source": source,
        "kinds": [change.kind for change in changes],
        "keys": [change.key for change in changes],
        "seqs": [change.seq for change in changes],
    }
