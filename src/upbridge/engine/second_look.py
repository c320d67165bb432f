"""One look is not believed where it would take something away.

    missing, or less than before ──► told by the shop? ──yes──► believed
                                          └─no─► first look noted, asked again ──► a later look agrees ──► believed
                                                                              └──► it is there ──► forgotten

What stands behind the shop's API may lag behind its webhooks: for a moment an answer is empty or has only a part.
So until a second look, minutes later (`lag_of`), agrees, everything stays as it is, at the targets and in the
copy. What was announced and was never there has longer to appear. The first looks are rows
(`store.first_looks`): a second look survives a restart.

An answer may also be whole and old. What says that it changed last long before the newest webhook came is the
version before, for all we can tell: it is delivered, and asked for once more (`behind`).

A deletion that the shop announced is believed at the first look that agrees; if the thing is still there, the API
lags the other way, and is asked again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.domain.product import Product, Variant
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.domain.variant_key import is_product
from upbridge.engine.planner import ReadBatch
from upbridge.store import first_looks, link_queries, orders, variants
from upbridge.store.first_looks import FirstLook, LookedAt, Taken
from upbridge.store.variants import Copied

_GATHERINGS, _LEAST = 12, timedelta(seconds=5)
_LOOKS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))
"""How long after the first look the next ones are."""
_NEVER_SEEN = _LOOKS[-1]
"""What was announced and is not there at the last look is given up. Nothing is lost by that: if it appears later,
it has changed since the last safety net, which the next one reads. Longer would only cost calls for orders that
were placed and deleted at once."""

_ON_ITS_WAY = timedelta(minutes=1)
"""A webhook comes within that of the change which it tells of, by clocks that differ a little."""

_MOST_OLD = 10
"""Where one answer has more that is older than its announcement, that is how this shop announces: a bulk edit may
move no date, and reading all of it twice would double the calls of a burst."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_ENTITY = {"order": Taken.ORDER, "product": Taken.PRODUCT}
_NOTHING = Decimal(0)


def lag_of(coalesce_seconds: float, chosen: float | None = None) -> timedelta:
    """After how long a second look is believed: so many seconds as the operator has *chosen*, else two minutes
    where changes are gathered for the usual ten seconds.

    Assumption: the API lags by seconds. Two minutes are still little for goods that are sold out.
    """
    if chosen is not None:
        return timedelta(seconds=chosen)
    return max(_LEAST, _GATHERINGS * timedelta(seconds=coalesce_seconds))


@dataclass(frozen=True, slots=True)
class Weighed:
    """What of a batch is believed, and which entities are to be read again, by key, with when."""

    read: ReadBatch
    again: Mapping[str, datetime]
    known: Collection[str] = ()
    """The products of the batch, by key, of which the copy had variants before."""

    def together(self, lag: timedelta) -> "Weighed":
        """The same, with second looks at full multiples of *lag* alone: those of pages that are read one after the
        other share a call, and each waits for twice the lag at most."""
        if not lag:
            return self
        return replace(self, again={key: due + -(due - _EPOCH) % lag for key, due in self.again.items()})


@dataclass(slots=True)
class _Verdicts:
    """What is decided about the places of a batch, against the first looks that are known."""

    first: Mapping[LookedAt, FirstLook]
    now: datetime
    lag: timedelta
    noted: set[LookedAt] = field(default_factory=set)
    told: set[LookedAt] = field(default_factory=set)
    settled: set[LookedAt] = field(default_factory=set)
    again: dict[str, datetime] = field(default_factory=dict)

    def taken(
        self,
        place: LookedAt,
        entity: str,
        *,
        told: bool = False,
        lag: timedelta | None = None,
        soon: bool = False,
        announced: datetime | None = None,
    ) -> bool:
        """Whether it is believed that the thing at *place*, a part of *entity*, is gone. *lag*: if it takes longer
        than for others. *soon*: it is worth asking before that is over. *announced*: when the shop said last that
        it is there; a look before that proves nothing."""
        lag = self.lag if lag is None else lag
        first = self.first.get(place)
        since = max(first.at, announced or first.at) if first is not None else self.now
        if told or (first is not None and first.told) or self.now - since >= lag:
            self.settled.add(place)
            return True
        self.noted.add(place)
        self._ask_again(entity, since, until=lag, soon=soon)
        return False

    def there(self, place: LookedAt, entity: str, *, told: bool = False) -> None:
        """The thing at *place* is there."""
        first = self.first.get(place)
        since = first.at if first is not None else self.now
        if (told or (first is not None and first.told)) and self.now - since < self.lag:
            self.told.add(place)
            self._ask_again(entity, since, until=self.lag, soon=True)
        elif first is not None:
            self.settled.add(place)

    def _ask_again(self, entity: str, since: datetime, *, until: timedelta, soon: bool) -> None:
        elapsed = self.now - since
        looks = [after for after in _LOOKS if after < until and after > elapsed] if soon else []
        due = since + min([*looks, until])
        self.again[entity] = min(self.again.get(entity, due), due)


async def weigh(
    tx: AsyncConnection,
    shop_id: ShopId,
    read: ReadBatch,
    *,
    lag: timedelta,
    told: Collection[str] = (),
    now: datetime,
) -> Weighed:
    """*read*, an answer of the shop, without what one look alone would take away.

    *lag*: after how long a second look is believed (`lag_of`). *told*: keys of entities whose deletion the shop
    has announced.
    """
    kind = _ENTITY[read.kind]
    products = [entity for entity in read.entities if isinstance(entity, Product)]
    copy = await _copied(tx, shop_id, [*products, *read.missing] if read.kind == "product" else [])
    present = [variant.id for product in products for variant in product.variants]
    names = [*read.keys, *present, *(known.key for rows in copy.values() for known in rows)]
    verdicts = _Verdicts(await first_looks.of_keys(tx, shop_id, names), now, lag)
    seen = await _seen(tx, shop_id, read.missing) if read.kind == "order" else copy.keys()
    missing = [
        key
        for key in read.missing
        if verdicts.taken(
            LookedAt(kind, key),
            key,
            told=key in told,
            lag=None if key in seen else _NEVER_SEEN,
            soon=True,
            announced=read.told.get(key),
        )
    ]
    for entity in read.entities:
        verdicts.there(LookedAt(kind, entity.key), entity.key, told=entity.key in told)
    held: set[str] = set()
    partial: set[str] = set()
    for product in products:
        known = copy.get(product.key, ())
        kept = _weigh_product(product, known, verdicts)
        held |= kept
        if _looks_empty(product, known, kept):
            partial.add(product.key)
    await first_looks.remember(tx, shop_id, verdicts.noted, now=now)
    await first_looks.remember(tx, shop_id, verdicts.told, now=now, told=True)
    await first_looks.forget(tx, shop_id, verdicts.settled)
    believed = [entity for entity in read.entities if entity.key not in partial]
    return Weighed(replace(read, entities=believed, missing=missing, held=held), verdicts.again, copy.keys())


def behind(read: ReadBatch, *, now: datetime, lag: timedelta) -> dict[str, datetime]:
    """The entities of *read*, by key, that may be the version before the one that a webhook announced, with when
    they are to be read once more.

    That is so of one that says that it changed last before the newest webhook came, also if it is new to us: we
    may have missed more than one version. Some changes move no date, so the second look is the last, and a burst
    of such changes has none: the next safety net reads what is really newer.
    """
    old = {
        entity.key: now + lag
        for entity in read.entities
        if (told_at := read.told.get(entity.key)) is not None
        and (at := entity.updated_at) is not None
        and told_at - at > _ON_ITS_WAY
    }
    return old if len(old) <= _MOST_OLD else {}


async def ever_seen(tx: AsyncConnection, shop_id: ShopId, entity: Taken, keys: Collection[str]) -> set[str]:
    """Those of *keys*, of orders or products, that were there once."""
    if entity is Taken.ORDER:
        return await _seen(tx, shop_id, keys)
    return set(await _copied(tx, shop_id, list(keys)))


async def _seen(tx: AsyncConnection, shop_id: ShopId, numbers: Collection[str]) -> set[str]:
    """The orders that were there once: we have read them, or a target has them, which a restored database learned
    from it."""
    known = await orders.known(tx, shop_id, numbers)
    return {*known, *await link_queries.delivered_anywhere(tx, shop_id, "order", numbers)}


async def announce_variants(tx: AsyncConnection, shop_id: ShopId, keys: Collection[str], *, now: datetime) -> None:
    """The shop says that it deletes these variants."""
    places = [LookedAt(Taken.VARIANT, key) for key in keys]
    await first_looks.remember(tx, shop_id, places, now=now, told=True)


async def _copied(
    tx: AsyncConnection, shop_id: ShopId, products: Sequence[Product | str]
) -> dict[str, list[Copied]]:
    """The variants that are known of *products* (read, or ids), by the product's key."""
    keys = [one if isinstance(one, str) else one.key for one in products]
    found: dict[str, list[Copied]] = {}
    for known in await variants.copied(tx, shop_id, [int(key) for key in keys if key.isdigit()]):
        found.setdefault(str(known.product_id), []).append(known)
    return found


def _weigh_product(product: Product, known: Sequence[Copied], verdicts: _Verdicts) -> set[str]:
    """The variants of *product*, by key, that stay as they are *known*: something of them would be taken away."""
    listed = {variant.id: variant for variant in product.variants}
    before = {one.key: one for one in known}
    # Another variant has its name: the goods are not gone, they are listed otherwise.
    renamed = {code_key(variant.code) for key, variant in listed.items() if key not in before}
    grown = any(variant.variant_id is not None for variant in product.variants)
    held: set[str] = set()
    for key, one in before.items():
        gone = LookedAt(Taken.VARIANT, key)
        if key in listed:
            verdicts.there(gone, product.key)
            held |= {key} if _lessens(product, listed[key], one, verdicts) else set()
        elif (one.code_key is not None and one.code_key in renamed) or (is_product(key) and grown):
            verdicts.settled.add(gone)
        elif not verdicts.taken(gone, product.key):
            held.add(key)
    return held


def _lessens(product: Product, variant: Variant, known: Copied, verdicts: _Verdicts) -> bool:
    """Whether a variant that is on sale has lost its stock or its price, and that is not believed yet.

    A variant that the shop switched off was not lost: its own word says so.
    """
    on_sale = product.active and variant.active
    lost = {
        Taken.STOCK: on_sale
        and variant.stock is not None
        and variant.stock <= 0
        and known.stock is not None
        and known.stock > _NOTHING,
        Taken.PRICE: on_sale and not variant.priced and known.priced is True,
    }
    doubtful = False
    for kind, taken in lost.items():
        place = LookedAt(kind, variant.id)
        if not taken:
            verdicts.there(place, product.key)
        elif not verdicts.taken(place, product.key):
            doubtful = True
    return doubtful


def _looks_empty(product: Product, known: Sequence[Copied], held: Collection[str]) -> bool:
    """Whether *product* came without any of its variants, so that it seems to be one without variants."""
    return (
        bool(held)
        and all(one.key in held for one in known)
        and {one.key for one in known}.isdisjoint(variant.id for variant in product.variants)
    )
