"""Sealed values that none of the keys opens: whose they are, who enters what again, and how the service goes on.

Nothing is thrown away by itself: who has forgotten a key may still find it, and all of it opens again.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, delete, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher, DecryptionError
from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop_id import ShopId
from upbridge.maintenance.key_rotation import ENCRYPTED
from upbridge.store import shop_queries
from upbridge.store.changes import Kind, Origin, mark_changed

_BATCH = 500


class Remedy(NamedTuple):
    """What is entered again, and by which person."""

    who: str
    what: str


_LOGIN = Remedy("merchant", "enters the login again on the page of the add-on")
REMEDIES = {
    "shops.api_key": Remedy("merchant", "deactivates the add-on in the Upgates admin and activates it again"),
    "connections.secret": _LOGIN,
    "connections.tokens": _LOGIN,
    "documents.body": Remedy("upbridge", "makes it again when it is its turn"),
    "letters.sealed": Remedy("upbridge", "does not send this mail"),
    "secrets.value": Remedy(
        "operator", "`upbridge keys forget`: all webhooks get new addresses, and merchants type Uphance's new one"
    ),
}
"""Each encrypted column."""

#: What a shop or the service cannot do without.
LOGINS = tuple(column for column in ENCRYPTED if column.table.name in ("secrets", "shops", "connections"))


@dataclass(frozen=True, slots=True)
class Lost:
    """How many *values* in *column* no key opens, of one shop and system; *shop* is its key, None for what belongs
    to the service."""

    shop: str | None
    column: str
    system: str | None
    values: int

    @property
    def remedy(self) -> Remedy:
        """What is entered again, and by which person."""
        return REMEDIES[self.column]


class _Sealed(NamedTuple):
    key: Sequence[Any]
    shop_id: Any
    system: str | None
    value: bytes


async def lost_values(
    engine: AsyncEngine, cipher: Cipher, columns: Sequence[Column[Any]] = ENCRYPTED
) -> list[Lost]:
    """What none of the keys opens in *columns*: first what belongs to the service, then by shop."""
    async with engine.connect() as tx:
        named = shop_queries.keys()
        names = {row.id: row.key for row in await tx.execute(select(named.c.id, named.c.key))}
    counts: dict[tuple[str, str, str], int] = {}
    for column in columns:
        async for one in _unopened(engine, cipher, column):
            place = (names.get(one.shop_id, ""), str(column), one.system or "")
            counts[place] = counts.get(place, 0) + 1
    return [
        Lost(shop or None, column, system or None, values)
        for (shop, column, system), values in sorted(counts.items())
    ]


async def forget_lost(engine: AsyncEngine, cipher: Cipher, clock: Clock) -> list[Lost]:
    """Throw away what none of the keys opens, for good; returns what it was.

    Keys that the service made for itself are made anew at the next start, and each shop's webhooks are compared
    soon. What waits to be sent stays: it is made again when it is its turn.
    """
    lost = await lost_values(engine, cipher)
    for column in ENCRYPTED:
        keys = list(column.table.primary_key.columns)
        if str(column) == "documents.body":
            continue
        async for one in _unopened(engine, cipher, column):
            here = [mine == value for mine, value in zip(keys, one.key, strict=True)]
            gone = (
                update(column.table).where(*here).values({column.name: None})
                if column.nullable
                else delete(column.table).where(*here)
            )
            async with engine.begin() as tx:
                await tx.execute(gone.where(column == one.value))
    if any(one.column == "secrets.value" for one in lost):
        async with engine.begin() as tx:
            named = shop_queries.keys()
            for shop_id in await tx.scalars(select(named.c.id)):
                await mark_changed(
                    tx, ShopId(shop_id), PLATFORM, Kind.WEBHOOKS, ["webhooks"], origin=Origin.SETTINGS, now=clock()
                )
    return lost


async def _unopened(engine: AsyncEngine, cipher: Cipher, column: Column[Any]) -> AsyncIterator[_Sealed]:
    table = column.table
    keys = list(table.primary_key.columns)
    own = table.c.get("shop_id", table.c.id if table.name == "shops" else literal(None))
    system = next((table.c[name] for name in ("system", "target") if name in table.c), literal(None))
    last: Sequence[Any] | None = None
    while True:
        query = select(*keys, own.label("own"), system.label("place"), column.label("sealed"))
        query = query.where(column.is_not(None))
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*last))
        async with engine.connect() as tx:
            rows = (await tx.execute(query.order_by(*keys).limit(_BATCH))).all()
        for row in rows:
            try:
                cipher.decrypt(row[-1])
            except DecryptionError:
                yield _Sealed(row[: len(keys)], row[-3], row[-2], bytes(row[-1]))
        if len(rows) < _BATCH:
            return
        last = rows[-1][: len(keys)]
