"""The page of problems: what needs a person by cause, what was handled, and what is known of each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from upbridge.domain.platform import PLATFORM
from upbridge.domain.shop import Shop
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import PerMarket
from upbridge.engine.unreadable import READ_AGAIN
from upbridge.store import change_queries, document_queries, orders, problem_queries, variant_queries
from upbridge.store.problem_queries import ListedCause, ListedProblem, ProblemSearch
from upbridge.store.variant_queries import NamedVariant
from upbridge.systems.base import Systems

#: Problems on one page.
PAGE = 50
#: Of so many causes some problems are listed where all causes are, and so many of each.
DETAILED, EACH = 10, 5
#: Kinds of problems that are about an order, and about a variant or a product.
OF_ORDERS, OF_PRODUCTS = frozenset({"order", "shipment"}), frozenset({"product", "stock"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the things that problems are about. *addresses*: where the shop's admin shows an order;
    *under_way*: numbers of problems that are being tried again."""

    variants: Mapping[str, NamedVariant]
    addresses: Mapping[str, str]
    under_way: frozenset[int]


@dataclass(frozen=True, slots=True)
class Group:
    """A cause with some of its problems, the newest first."""

    cause: ListedCause
    shown: tuple[ListedProblem, ...]


@dataclass(frozen=True, slots=True)
class ProblemsView:
    """A page of what is wanted: *count* problems all in all, of which *groups* or *handled* show some."""

    count: int
    groups: tuple[Group, ...]
    handled: tuple[ListedProblem, ...]
    known: Known


#: The causes that every connection has, and where they are resolved.
_OF_A_CONNECTION = {
    "connection.refused": "connections",
    "connection.unreadable": "connections",
    "connection.wrong_organisation": "connections",
}


def resolutions_of(systems: Systems) -> Mapping[str, str]:
    """Where each cause is resolved: the page and the place on it; or, with a question mark, where it is described.
    What is not here is resolved in the shop or in the other system."""
    found = dict(_OF_A_CONNECTION)
    for system in systems.all:
        found |= system.resolutions
    return found


async def problems_of(engine: AsyncEngine, shop: Shop, wanted: ProblemSearch, *, page: int) -> ProblemsView:
    """The *page*th page of what is wanted: of one cause, or of what was handled; or all causes, some of each."""
    offset = (page - 1) * PAGE
    async with engine.connect() as tx:
        if wanted.handled:
            handled = await problem_queries.problems_listed(tx, shop.id, wanted, offset=offset, limit=PAGE)
            count = await problem_queries.count_listed(tx, shop.id, wanted)
            return ProblemsView(count, (), tuple(handled), await known_of(tx, shop, handled))
        causes = await problem_queries.causes_listed(tx, shop.id, wanted, each=PAGE, offset=offset)
        if len(causes) > 1 and offset:  # there was one when the page before it was shown
            causes = await problem_queries.causes_listed(tx, shop.id, wanted, each=EACH)
        each = PAGE if len(causes) == 1 else EACH
        numbers = [number for cause in causes[:DETAILED] for number in cause.numbers[:each]]
        shown = await problem_queries.of_numbers(tx, shop.id, numbers)
        known = await known_of(tx, shop, shown)
    groups = tuple(Group(cause, tuple(one for one in shown if is_of(one, cause))) for cause in causes)
    return ProblemsView(sum(cause.number for cause in causes), groups, (), known)


def is_of(one: ListedProblem, cause: ListedCause) -> bool:
    """Whether the problem has this cause."""
    return (one.problem.key, one.target, one.problem.kind) == (cause.key, cause.target, cause.kind)


async def known_of(tx: AsyncConnection, shop: Shop, shown: Sequence[ListedProblem]) -> Known:
    """What is known of the things that these problems are about."""
    of_products = {one.problem.entity for one in shown if one.problem.kind in OF_PRODUCTS}
    others = {str(one.problem.params["other"]) for one in shown if "other" in one.problem.params}
    numbers = {one.parent for one in shown if one.problem.kind in OF_ORDERS}
    kept = await orders.kept_of(tx, shop.id, sorted(numbers))
    addresses = {number: outline.admin_url for number, (outline, _) in kept.items() if outline is not None}
    return Known(
        await variant_queries.named_by(tx, shop.id, sorted(of_products | others)),
        # An address of the shop, which a page may lead to only if it is one.
        {
            number: address
            for number, address in addresses.items()
            if address is not None and address.startswith(("https://", "http://"))
        },
        frozenset(await _under_way(tx, shop.id, shown)),
    )


async def _under_way(tx: AsyncConnection, shop_id: ShopId, shown: Sequence[ListedProblem]) -> Collection[int]:
    kinds = sorted({one.problem.kind for one in shown})
    sent = await document_queries.under_way(tx, shop_id, kinds, [one.problem.entity for one in shown])
    read = {
        (kind, parent)
        for kind in READ_AGAIN.keys() & set(kinds)
        for parent in await change_queries.announced(
            tx, shop_id, PLATFORM, READ_AGAIN[kind], [one.parent for one in shown if one.problem.kind == kind]
        )
    }
    return [
        one.problem.id
        for one in shown
        if (one.target, one.problem.kind, one.problem.entity) in sent or (one.problem.kind, one.parent) in read
    ]


async def markets_wanted(engine: AsyncEngine, systems: Systems, shop_id: ShopId) -> dict[str, set[str]]:
    """The markets ("cs/USD") that open problems name, by the setting that would cure them."""
    settings = {
        key: page.removeprefix("rules#")
        for key, page in resolutions_of(systems).items()
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
    """How many open problems each setting would resolve, by the setting's key."""
    async with engine.connect() as tx:
        counts = await problem_queries.count_open_by_key(tx, shop_id)
    counted: dict[str, int] = {}
    resolutions = resolutions_of(systems)
    for key, number in counts.items():
        page, _, setting = resolutions.get(key, "").partition("#")
        if page == "rules" and setting:
            counted[setting] = counted.get(setting, 0) + number
    return counted
