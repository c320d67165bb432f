"""The problems page: what needs a person, grouped by cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.systems.base import Systems
from upbridge.web.queries.start import OpenProblem

#: How many of a group are listed one by one.
LISTED = 20


@dataclass(frozen=True, slots=True)
class Group:
    """Problems with the same cause; *shown* are the newest of them."""

    key: str
    target: str
    kind: str
    count: int
    since: datetime
    shown: tuple[OpenProblem, ...]

    @property
    def same(self) -> bool:
        """Whether one sentence says it for all of them."""
        return self.count > 1 and all(one.params == self.shown[0].params for one in self.shown)


#: The causes that every connection has, and where they are cured.
_OF_A_CONNECTION = {"connection.refused": "connections", "connection.wrong_organisation": "connections"}


def cures_of(systems: Systems) -> Mapping[str, str]:
    """Where each cause is cured: the page and the place on it; or, with a question mark, where it is described.
    What is not here is cured in the shop or in the other system."""
    found = dict(_OF_A_CONNECTION)
    for system in systems.all:
        found |= system.cures
    return found


def not_retried(systems: Systems) -> frozenset[str]:
    """Kinds and causes for which nothing can be sent or read again: only their cure helps."""
    return frozenset({"connection", *(cause for system in systems.all for cause in system.not_retried)})


async def problem_groups(engine: AsyncEngine, shop_id: ShopId) -> tuple[Group, ...]:
    """The open problems of a shop: first what stops a whole connection, then the largest group."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                """
                SELECT * FROM (
                  SELECT id, key, params, kind, entity, message, since, target,
                    count(*) OVER cause AS number, min(since) OVER cause AS first,
                    row_number() OVER (PARTITION BY key, target, kind ORDER BY id DESC) AS place
                  FROM problems WHERE shop_id = :shop_id AND dismissed_at IS NULL
                  WINDOW cause AS (PARTITION BY key, target, kind)
                ) ranked WHERE place <= :listed
                ORDER BY kind = 'connection' DESC, number DESC, key, target, kind, place
                """
            ),
            {"shop_id": shop_id, "listed": LISTED},
        )
        groups: dict[tuple[str, str, str], list[RowMapping]] = {}
        for row in rows.mappings():
            groups.setdefault((row["key"], row["target"], row["kind"]), []).append(row)
    return tuple(
        Group(key, target, kind, int(members[0]["number"]), members[0]["first"], tuple(map(_problem, members)))
        for (key, target, kind), members in groups.items()
    )


def _problem(row: RowMapping) -> OpenProblem:
    names = ("id", "key", "params", "kind", "entity", "message", "since")
    return OpenProblem(**{name: row[name] for name in names})


async def problem_ids(
    engine: AsyncEngine,
    shop_id: ShopId,
    *,
    cause: tuple[str, str, str] | None,
    only: int | None,
    newest: int | None,
    limit: int,
) -> Sequence[int]:
    """Open problems of this shop: of one *cause* (key, target, kind), or the one that is meant by its id. None
    that came after *newest*: the user who treats a whole cause saw a page, and newer ones were not on it."""
    key, target, kind = cause or ("", "", "")
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                """
                SELECT id FROM problems WHERE shop_id = :shop_id AND dismissed_at IS NULL
                  AND (id = :only OR key = :key AND target = :target AND kind = :kind)
                  AND id <= COALESCE(CAST(:newest AS bigint), id) ORDER BY id LIMIT :limit
                """
            ),
            {
                "shop_id": shop_id,
                "only": only or 0,
                "key": key,
                "target": target,
                "kind": kind,
                "newest": newest,
                "limit": limit,
            },
        )
        return [row.id for row in rows]


async def waiting_for(engine: AsyncEngine, systems: Systems, shop_id: ShopId) -> dict[str, int]:
    """How many open problems each setting would cure, by the setting's key."""
    async with engine.connect() as tx:
        rows = await tx.execute(
            text(
                "SELECT key, count(*) AS number FROM problems"
                " WHERE shop_id = :shop_id AND dismissed_at IS NULL GROUP BY key"
            ),
            {"shop_id": shop_id},
        )
        counted: dict[str, int] = {}
        cures = cures_of(systems)
        for row in rows:
            page, _, setting = cures.get(row.key, "").partition("#")
            if page == "rules" and setting:
                counted[setting] = counted.get(setting, 0) + row.number
        return counted
