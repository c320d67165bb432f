"""The problems page: what needs a person, grouped by cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import PerMarket
from upbridge.store import problem_queries
from upbridge.store.problem_queries import OpenProblem, RankedProblem
from upbridge.systems.base import Systems

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
_OF_A_CONNECTION = {
    "connection.refused": "connections",
    "connection.unreadable": "connections",
    "connection.wrong_organisation": "connections",
}


def cures_of(systems: Systems) -> Mapping[str, str]:
    """Where each cause is cured: the page and the place on it; or, with a question mark, where it is described.
    What is not here is cured in the shop or in the other system."""
    found = dict(_OF_A_CONNECTION)
    for system in systems.all:
        found |= system.cures
    return found


def not_retried(systems: Systems) -> frozenset[str]:
    """Kinds and causes for which nothing can be sent or read again: only their cure helps."""
    named = {"connection", "right", "webhooks", "list"}
    return frozenset({*named, *(cause for system in systems.all for cause in system.not_retried)})


async def problem_groups(engine: AsyncEngine, shop_id: ShopId) -> tuple[Group, ...]:
    """The open problems of a shop: first what stops a whole connection, then the largest group."""
    async with engine.connect() as tx:
        ranked = await problem_queries.ranked_open(tx, shop_id, each=LISTED)
    groups: dict[tuple[str, str, str], list[RankedProblem]] = {}
    for one in ranked:
        groups.setdefault((one.problem.key, one.target, one.problem.kind), []).append(one)
    return tuple(
        Group(key, target, kind, members[0].number, members[0].first, tuple(member.problem for member in members))
        for (key, target, kind), members in groups.items()
    )


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
    async with engine.connect() as tx:
        return await problem_queries.ids_open(tx, shop_id, cause=cause, only=only, newest=newest, limit=limit)


async def markets_wanted(engine: AsyncEngine, systems: Systems, shop_id: ShopId) -> dict[str, set[str]]:
    """The markets ("cs/USD") that open problems name, by the setting that would cure them."""
    settings = {
        key: page.removeprefix("rules#")
        for key, page in cures_of(systems).items()
        if page.startswith("rules#") and isinstance(systems.settings[page.removeprefix("rules#")].type, PerMarket)
    }
    async with engine.connect() as tx:
        named = await problem_queries.named_open(tx, shop_id, settings, ("language", "currency"))
    found: dict[str, set[str]] = {}
    for key, (language, currency) in named:
        if language.isalpha() and currency.isalpha():
            found.setdefault(settings[key], set()).add(f"{language}/{currency}")
    return found


async def waiting_for(engine: AsyncEngine, systems: Systems, shop_id: ShopId) -> dict[str, int]:
    """How many open problems each setting would cure, by the setting's key."""
    async with engine.connect() as tx:
        counts = await problem_queries.count_open_by_key(tx, shop_id)
    counted: dict[str, int] = {}
    cures = cures_of(systems)
    for key, number in counts.items():
        page, _, setting = cures.get(key, "").partition("#")
        if page == "rules" and setting:
            counted[setting] = counted.get(setting, 0) + number
    return counted
