"""Which variant of the shop is which SKU, kept beside the variant (`variants.match`, `variants.sku_id`).

The rule is `domain.sku.match_one_to_one`. To ask it of 100,000 variants for each page would take seconds, so
the answer is stored: for the variants of a batch and all that they can affect when the batch was read, for
all variants when the SKUs were read. The statements here say the same as the rule; a property test holds them
to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Exists,
    ScalarSelect,
    Select,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    union,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Match
from upbridge.store.pairings import pairs
from upbridge.store.skus import labels, quantities
from upbridge.store.skus import names as skus
from upbridge.store.sql import Composed, in_one_trip
from upbridge.store.variant_queries import MatchPlace, beyond, matched_as, reported
from upbridge.store.variants import matching, writable
from upbridge.store.variants import names as variants


@dataclass(frozen=True, slots=True)
class Keys:
    """Codes and EANs as they are compared."""

    codes: frozenset[str]
    eans: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[tuple[str | None, str | None]]) -> "Keys":
        """Those among *names*, which are pairs of both."""
        pairs_ = list(names)
        return cls(
            frozenset(code for code, _ in pairs_ if code is not None),
            frozenset(ean for _, ean in pairs_ if ean is not None),
        )


async def lock_matching(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Be the only one who changes the shop's variants until the transaction ends: whether a code is doubled
    depends on rows that another one may be writing. Call it before the first of them is touched."""
    await tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('matches:' || CAST(:shop_id AS text), 0))"),
        {"shop_id": shop_id},
    )


async def rematch(tx: AsyncConnection, shop_id: ShopId, products: Sequence[int], names: Keys) -> None:
    """Match the variants of *products* again, and all whose match depends on *names*: all that these are called
    and were called before."""
    values = {"products": list(products), "codes": sorted(names.codes), "eans": sorted(names.eans)}
    # A few rows of large tables: Postgres cannot know how few, and would read the tables from end to end.
    async with in_one_trip(tx):
        await _LOOK_UP.run(tx, joins="off")
        await _REMATCH.run(tx, shop=shop_id, **values)
        await _LOOK_UP.run(tx, joins="on")


async def rematch_all(tx: AsyncConnection, shop_id: ShopId) -> None:
    """Match every variant of the shop again; only what differs is written.

    Right after the tables were filled Postgres takes them for empty, and would compare every variant with every
    SKU, one after the other: it may not, for this statement.
    """
    await lock_matching(tx, shop_id)
    await tx.execute(text("SET LOCAL enable_nestloop = off"))
    await tx.execute(_REMATCH_ALL, {"shop": shop_id})
    await tx.execute(text("SET LOCAL enable_nestloop = on"))


Stocked: TypeAlias = tuple[str, str, Decimal, int, int]
"""Key, code, what the shop shows, quantity, sku_id."""


async def stocked_after(
    tx: AsyncConnection, shop_id: ShopId, quantity: str, after: str, *, limit: int
) -> list[Stocked]:
    """Variants whose stock may be written, with what their SKU has, by key: at most *limit* of those that follow
    *after* ("": the first). *quantity* is the column of `skus` that counts."""
    has = quantities.c[quantity].label("quantity")
    query = (
        select(writable.c.key, writable.c.code, writable.c.shown, has, writable.c.sku_id)
        .join(
            quantities,
            and_(quantities.c.shop_id == writable.c.shop_id, quantities.c.sku_id == writable.c.sku_id),
        )
        .where(writable.c.shop_id == shop_id, has.is_not(None), writable.c.key > after)
        .order_by(writable.c.key)
        .limit(limit)
    )
    return [(row.key, row.code, row.shown, row.quantity, row.sku_id) for row in await tx.execute(query)]


# --- the report ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MatchedVariant:
    """A variant of the shop with the SKU that it is."""

    place: MatchPlace
    title: str | None
    ean: str | None
    sku_id: int | None
    sku_name: str | None

    @property
    def match(self) -> Match:
        """How it is matched."""
        return Match(self.place.match)

    @property
    def code(self) -> str | None:
        """Its code."""
        return self.place.code


async def matched_page(
    tx: AsyncConnection, shop_id: ShopId, match: Match, *, limit: int, offset: int
) -> list[MatchedVariant]:
    """A page of the variants that are matched in this way."""
    return await _with_skus(tx, reported(shop_id, matched_as(match)).limit(limit).offset(offset))


async def matched_after(
    tx: AsyncConnection, shop_id: ShopId, after: MatchPlace | None, *, limit: int
) -> list[MatchedVariant]:
    """The variants that follow *after* (None: the first) in the order of the report, at most *limit*."""
    found: list[MatchedVariant] = []
    for condition in beyond(after):
        found += await _with_skus(tx, reported(shop_id, condition).limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


async def _with_skus(tx: AsyncConnection, reported_: Select[Any]) -> list[MatchedVariant]:
    shown = reported_.subquery("shown")
    place = [shown.c[name] for name in MatchPlace._fields]
    query = (
        select(*place, shown.c.title, shown.c.ean, shown.c.sku_id, labels.c.name)
        .select_from(
            shown.outerjoin(labels, and_(labels.c.shop_id == shown.c.shop_id, labels.c.sku_id == shown.c.sku_id))
        )
        .order_by(*place)
    )
    return [MatchedVariant(MatchPlace(*row[: len(place)]), *row[len(place) :]) for row in await tx.execute(query)]


#: Whether Postgres may join in other ways than by looking each row up in an index; until the transaction ends.
_LOOK_UP = Composed(
    text(
        "SELECT set_config('enable_hashjoin', :joins, true) AS hash, set_config('enable_mergejoin', :joins, true)"
        " AS merge"
    )
)

# --- the statements -----------------------------------------------------------------------------------------

#: As a question of its own: of a shop that was not counted yet Postgres expects no row, and would read all of it
#: through any index that begins with the shop, for each variant of a page. So it expects as many as others have.
_SHOP: ScalarSelect[ShopId] = select(bindparam("shop", type_=Uuid)).scalar_subquery()
_OWN = variants.c.shop_id == _SHOP
_THEIRS = skus.c.shop_id == _SHOP
_PRODUCTS = bindparam("products", type_=ARRAY(BigInteger))
_CODES = bindparam("codes", type_=ARRAY(Text))
_EANS = bindparam("eans", type_=ARRAY(Text))


def _all() -> CTE:
    return select(variants.c.key, variants.c.code_key, variants.c.ean_key).where(_OWN).cte("asked")


def _affected() -> CTE:
    """The variants of the products, those that have one of the codes, and those with a claim to an SKU of one of
    the codes or EANs."""
    reached = (
        select(skus.c.code_key, skus.c.ean_key)
        .where(_THEIRS, or_(skus.c.code_key == any_(_CODES), skus.c.ean_key == any_(_EANS)))
        .cte("reached")
    )
    columns = (variants.c.key, variants.c.code_key, variants.c.ean_key)
    return union(
        select(*columns).where(_OWN, variants.c.product_id == any_(_PRODUCTS)),
        select(*columns).where(_OWN, variants.c.code_key == any_(_CODES)),
        select(*columns).join(reached, variants.c.code_key == reached.c.code_key).where(_OWN),
        select(*columns).join(reached, variants.c.ean_key == reached.c.ean_key).where(_OWN),
    ).cte("asked")


def _matches(asked: CTE, *, complete: bool) -> Select[tuple[str, str, int]]:
    """How each variant of *asked* (key, code_key, ean_key) is matched, and with which SKU. *complete*: these
    are all variants of the shop."""
    by_code = select(asked.c.key, skus.c.sku_id, literal(Match.CODE.value).label("how")).join(
        skus, and_(_THEIRS, skus.c.code_key == asked.c.code_key)
    )
    by_ean = (
        select(asked.c.key, skus.c.sku_id, literal(Match.EAN.value).label("how"))
        .join(skus, and_(_THEIRS, skus.c.ean_key == asked.c.ean_key))
        .where(~_named(asked.c.code_key))
    )
    claims = union_all(by_code, by_ean).cte("claims")
    rivals = claims if complete else _rivals(claims)
    rivalry = select(rivals.c.sku_id, func.count().label("number")).group_by(rivals.c.sku_id).cte("rivalry")
    found = (
        select(
            claims.c.key,
            func.count().label("skus"),
            func.min(claims.c.sku_id).label("sku_id"),
            func.min(claims.c.how).label("how"),
            func.max(rivalry.c.number).label("rivals"),
        )
        .join(rivalry, rivalry.c.sku_id == claims.c.sku_id)
        .group_by(claims.c.key)
        .cte("found")
    )
    chosen = _chosen().cte("chosen")
    taken = chosen.alias("taken")
    bearers = _all_bearers() if complete else None
    borne = _bearers(asked.c.code_key) if bearers is None else bearers.c.number
    match = case(
        (chosen.c.sku_id.is_not(None), Match.CODE.value),
        (taken.c.sku_id.is_not(None), Match.DOUBLED.value),
        (or_(borne > 1, found.c.skus > 1, found.c.rivals > 1), Match.DOUBLED.value),
        else_=func.coalesce(found.c.how, Match.UNMATCHED.value),
    )
    matched = (
        select(asked.c.key, match.label("match"), func.coalesce(chosen.c.sku_id, found.c.sku_id).label("sku_id"))
        .outerjoin(found, found.c.key == asked.c.key)
        .outerjoin(chosen, chosen.c.key == asked.c.key)
        .outerjoin(taken, and_(taken.c.sku_id == found.c.sku_id, taken.c.key != asked.c.key))
    )
    return matched if bearers is None else matched.outerjoin(bearers, bearers.c.code_key == asked.c.code_key)


def _all_bearers() -> CTE:
    """How many variants have each code of the shop."""
    number = func.count().label("number")
    return select(variants.c.code_key, number).where(_OWN).group_by(variants.c.code_key).cte("bearers")


def _bearers(code: ColumnElement[str]) -> ScalarSelect[int]:
    """How many variants have this code, each looked up by itself: for a page that may not join in another way,
    each of its codes was compared with each. For a whole shop it would read all variants for each of them, as long
    as Postgres has not counted the table."""
    bearer = variants.alias("bearer")
    return select(func.count()).where(bearer.c.shop_id == _SHOP, bearer.c.code_key == code).scalar_subquery()


def _chosen() -> Select[tuple[str, int]]:
    """What a person has paired, as far as there is such an SKU: to whom it is given, it is for no other."""
    there = skus.alias("there")
    return (
        select(pairs.c.key, pairs.c.sku_id)
        .join(there, and_(there.c.shop_id == pairs.c.shop_id, there.c.sku_id == pairs.c.sku_id))
        .where(pairs.c.shop_id == _SHOP)
    )


def _rivals(claims: CTE) -> CTE:
    """Every claim in the shop to one of the SKUs of *claims*."""
    wanted = (
        select(skus.c.sku_id, skus.c.code_key, skus.c.ean_key)
        .where(_THEIRS, skus.c.sku_id.in_(select(claims.c.sku_id)))
        .cte("wanted")
    )
    return union_all(
        select(wanted.c.sku_id).join(variants, and_(_OWN, variants.c.code_key == wanted.c.code_key)),
        select(wanted.c.sku_id)
        .join(variants, and_(_OWN, variants.c.ean_key == wanted.c.ean_key))
        .where(~_named(variants.c.code_key)),
    ).cte("rivals")


def _named(code_key: ColumnElement[str]) -> Exists:
    """Whether an SKU has this code: then an EAN does not count."""
    other = skus.alias("other")
    return exists(select(other.c.sku_id).where(other.c.shop_id == _SHOP, other.c.code_key == code_key))


def _update(asked: CTE, *, complete: bool) -> Update:
    return matching(_matches(asked, complete=complete).cte("matches"), _SHOP)


_REMATCH = Composed(_update(_affected(), complete=False))
_REMATCH_ALL = _update(_all(), complete=True)
