"""One transaction that turns what was read into documents: the middle of change -> document -> link.

For each connected target the mapping says all that the target should hold for an entity. That is compared with
what was last delivered (links) and what is on its way (documents): what differs is queued, what agrees costs
nothing, what is no longer said is taken back. Fetch once, feed all.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.encryption import Cipher
from upbridge.domain.delivery import DesiredDocument, Entity, Issue, Link, LinkState, Unmappable
from upbridge.domain.eligibility import Eligibility
from upbridge.domain.order import Order
from upbridge.domain.order_outline import OrderOutline
from upbridge.domain.platform import PLATFORM
from upbridge.domain.product import Product
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import Names, code_key
from upbridge.engine import catalogue_guard, name_owners
from upbridge.engine.identity import Identities, identify
from upbridge.store import documents as outbox
from upbridge.store import former_variants, order_events, sku_matching, variants, warehouses
from upbridge.store.link_queries import links_of
from upbridge.store.links import adopt
from upbridge.store.orders import ReadOrder, upsert_orders
from upbridge.store.problems import NewProblem, Stage, close_entity, close_resolved, raise_problems
from upbridge.systems.base import MappingContext, Target, WriteBack

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BadEntity:
    """An entity that could not be read: which one and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """What one batch brought. *missing* were asked for by key and are confirmed to be gone; *held* are variants,
    by key, of which nothing is believed yet (`second_look`): what is known of them stays."""

    kind: str
    entities: Sequence[Entity]
    broken: Sequence[BadEntity] = ()
    missing: Sequence[str] = ()
    held: Collection[str] = ()
    heard: Mapping[str, datetime] = field(default_factory=dict)
    """When we heard of an entity, by its key, if that was before it was read."""
    told: Mapping[str, datetime] = field(default_factory=dict)
    """When the shop announced an entity last, by its key."""

    @property
    def keys(self) -> list[str]:
        """Every entity that the batch says something about."""
        return [*(entity.key for entity in self.entities), *self.missing]


@dataclass(frozen=True, slots=True)
class PlanResult:
    """The outcome of a batch: keys of its entities that were news to any target, and of those to read again soon.

    *again*: something on its way is not wanted any more, and whether they got it, so that it has to be taken back,
    is known only later; or another product took or gave up a name that this one bears too.
    """

    news: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Plan:
    """What one target's outbox needs for a batch."""

    put: list[DesiredDocument] = field(default_factory=list)
    withdraw: set[tuple[str, str]] = field(default_factory=set)
    adopt: list[DesiredDocument] = field(default_factory=list)
    problems: list[NewProblem] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    taken_off: set[str] = field(default_factory=set)
    """Of `put`, the keys of what goes off sale for a reason of its mapping."""


async def plan_documents(
    tx: AsyncConnection,
    cipher: Cipher,
    shop_id: ShopId,
    read: ReadBatch,
    targets: Iterable[tuple[Target, MappingContext]],
    *,
    write_backs: Mapping[str, WriteBack],
    priority: int,
    now: datetime,
) -> PlanResult:
    """Queue what *read*, which was read at *now*, means for each of *targets*. *write_backs*: by the names of the
    systems from which something flows back."""
    settled = PlanResult()
    orders = [entity for entity in read.entities if isinstance(entity, Order)]
    targets = list(targets)
    if read.kind == "order":
        await upsert_orders(tx, shop_id, _read_orders(orders, targets), read.missing, now=now)
    if read.kind == "product":
        targets = await _remember_products(tx, shop_id, read, targets, settled, now=now)
    names = await variant_names(tx, shop_id, orders)
    who = await identify(tx, shop_id, orders, read.missing, now=now) if read.kind == "order" else Identities()
    await _report_unreadable(tx, shop_id, read, now=now)
    for target, unnamed in targets:
        parents = read.keys
        found = await links_of(tx, shop_id, target.system, parents=[*parents, *who.former.values()])
        links = {place: link for place, link in found.items() if link.parent in parents}
        waiting = await outbox.queued(tx, shop_id, target.system, parents=parents)
        context = _identified(replace(unnamed, variant_names=names), who, found.values())
        if read.kind == "order" and (write_back := write_backs.get(target.system)) is not None:
            known = {str(link.parent) for link in found.values() if _known(link) is not None}
            await write_back.note_orders(tx, orders, who.gone(read.missing, known), context)
        plan = _plan(target, context, read, links, waiting, moved=who.moved)
        await outbox.put(
            tx, cipher, shop_id, target.system, plan.put, priority=priority, now=context.now, heard=read.heard
        )
        await _carry_out(tx, shop_id, target.system, plan, parents=parents, now=now)
        if any(one.reason == catalogue_guard.GUARD for one in waiting.values()):
            await catalogue_guard.close_if_none(tx, shop_id, target.system)
        settled.news.update(plan.changed)
        settled.again.update(plan.unsure)
    if read.kind == "order":
        steps = [
            order_events.OrderEvent(number, order_events.OrderEventKind.READ) for number in sorted(settled.news)
        ]
        await order_events.record_events(tx, shop_id, steps, now=now)
    return settled


def _read_orders(orders: Iterable[Order], targets: Sequence[tuple[Target, MappingContext]]) -> Iterator[ReadOrder]:
    """The orders with what is kept of them, and the verdict of each target's rules."""
    for order in orders:
        verdicts = {
            target.system: policy.judge(order, context.facts)
            for target, context in targets
            if (policy := target.order_policy(context)) is not None
        }
        kept_back = {system: str(one) for system, one in verdicts.items() if one is not Eligibility.SENT}
        yield ReadOrder(order.order_number, order.created_at, OrderOutline.of(order), kept_back)


async def variant_names(tx: AsyncConnection, shop_id: ShopId, orders: Sequence[Order]) -> dict[str, Names]:
    """What the variants in *orders* are called by now, or were called last (`MappingContext.variant_names`)."""
    keys = {line.variant_key for order in orders for line in order.lines if line.variant_key is not None}
    return await former_variants.names_of(tx, shop_id, sorted(keys)) if keys else {}


async def _carry_out(
    tx: AsyncConnection, shop_id: ShopId, target: str, plan: _Plan, *, parents: Sequence[str], now: datetime
) -> None:
    """What else *plan* says, once its documents are queued: hold, adopt, withdraw, tell a person."""
    await catalogue_guard.hold(tx, shop_id, target, plan.taken_off, now=now)
    await adopt(tx, shop_id, target, plan.adopt)
    await _withdraw(tx, shop_id, target, plan.withdraw)
    await close_resolved(tx, shop_id, stages=[Stage.MAP], target=target, parents=parents, still=plan.problems)
    await raise_problems(tx, shop_id, plan.problems, now=now)


async def _withdraw(tx: AsyncConnection, shop_id: ShopId, target: str, documents: set[tuple[str, str]]) -> None:
    """Take back what is not to be sent any more, and with it what a person was to do about it."""
    gone = await outbox.withdraw(tx, shop_id, target, documents)
    for kind in {kind for kind, _ in gone}:
        entities = [key for one, key in gone if one == kind]
        await close_entity(tx, shop_id, stage=Stage.PUSH, target=target, kind=kind, entities=entities)


def _identified(context: MappingContext, who: Identities, links: Iterable[Link]) -> MappingContext:
    """*context* with who the orders are for the target that has *links*."""
    linked = {link.parent: link.state for link in links if _known(link) is not None}
    former = {now: number for now, number in who.former.items() if number in linked and now not in linked}
    others = {number for number in who.others if linked.get(number) is LinkState.DELIVERED}
    return replace(context, other_orders=others, former_numbers=former)


def _plan(
    target: Target,
    context: MappingContext,
    read: ReadBatch,
    links: dict[tuple[str, str], Link],
    waiting: dict[tuple[str, str], outbox.Queued],
    *,
    moved: Collection[str] = (),
) -> _Plan:
    """Compare what *target* should hold with what it has and what is on its way. Orders that *moved* to another
    number are not gone: nothing of them is taken back. Pure."""
    plan = _Plan()
    said = {place for place in (*links, *waiting) if read.kind == "product" and place[1] in read.held}
    unmappable: set[str] = set()
    kept: set[tuple[str, str]] = set()
    for entity in read.entities:
        wants = desired_documents_of(target, context, entity)
        if wants is None:
            plan.problems.append(_failed(target, read.kind, entity))
            unmappable.add(entity.key)
            continue
        reported = {(one.kind, one.key) for one in wants if isinstance(one, Unmappable)}
        for wanted in wants:
            if read.kind == "product" and wanted.key in read.held:
                continue
            if isinstance(wanted, Unmappable):
                plan.problems.append(_problem(target, entity.key, wanted))
                kept |= {(wanted.kind, wanted.key)} if wanted.keeps else set()
                continue
            place = (wanted.kind, wanted.key)
            said.add(place)
            if (link := links.get(place)) is not None and link.erased:
                plan.withdraw.add(place)  # who ordered was erased on request: it is never stored again
                continue
            if wanted.only_if_known and place in reported and _is_on_sale(target, links.get(place)):
                plan.taken_off.add(wanted.key)
            _want(plan, wanted, _known(links.get(place)), waiting.get(place))
    for place, link in links.items():
        # Keep the links of entities that cannot be mapped now; their pending documents are out of date.
        if place not in said | kept and link.hash is not None and link.parent not in unmappable.union(moved):
            said |= _take_back(plan, target, link, waiting.get(place))
    unwanted = {place: document for place, document in waiting.items() if place not in said}
    plan.withdraw |= unwanted.keys()
    plan.unsure |= {one.parent for one in unwanted.values() if one.state == outbox.SENDING}
    return plan


def _is_on_sale(target: Target, link: Link | None) -> bool:
    """Whether there is something to take back of what *target* has."""
    return link is not None and link.sent is not None and target.tombstone(link.kind, link.sent) is not None


def desired_documents_of(
    target: Target, context: MappingContext, entity: Entity
) -> list[DesiredDocument | Unmappable] | None:
    """All that *target* should hold for *entity*, or None where its mapping broke down."""
    try:
        return list(target.desired_documents(entity, context))
    except Exception as error:
        # A defect of ours that one entity brings to light: without this it would stop all the others of its shop.
        log.exception("mapping_failed", target=target.system, key=entity.key, error=type(error).__name__)
        return None


def _known(link: Link | None) -> Link | None:
    """*link*, unless it only remembers an attempt that certainly created nothing."""
    return None if link is not None and link.state is LinkState.UNSENT else link


def _want(plan: _Plan, desired: DesiredDocument, link: Link | None, waiting: outbox.Queued | None) -> None:
    place = (desired.kind, desired.key)
    on_its_way = waiting is not None and waiting.state == outbox.SENDING
    if link is None and desired.only_if_known and not on_its_way:
        plan.withdraw.add(place)
    elif link is not None and link.state is LinkState.DELIVERED and link.hash is None:
        plan.adopt.append(desired)  # found at the target when the shop was connected
    elif link is not None and link.hash == desired.hash and not on_its_way:
        plan.withdraw.add(place)  # they have exactly this; what waited is out of date
    else:
        plan.put.append(desired)
        if waiting is None or waiting.hash != desired.hash:
            plan.changed.add(desired.parent)


def _take_back(plan: _Plan, target: Target, link: Link, waiting: outbox.Queued | None) -> set[tuple[str, str]]:
    body = target.tombstone(link.kind, link.sent) if link.sent is not None else None
    if body is None:
        return set()
    desired = DesiredDocument(kind=link.kind, key=link.key, parent=link.parent or link.key, body=body)
    _want(plan, desired, link, waiting)
    return {(link.kind, link.key)}


def _failed(target: Target, kind: str, entity: Entity) -> NewProblem:
    return _problem(target, entity.key, Unmappable(kind, entity.key, Issue("mapping.failed")))


def _problem(target: Target, parent: str, wanted: Unmappable) -> NewProblem:
    return NewProblem(
        stage=Stage.MAP,
        key=wanted.issue.key,
        target=target.system,
        kind=wanted.kind,
        entity=wanted.key,
        parent=parent,
        params=wanted.issue.params,
    )


async def _report_unreadable(tx: AsyncConnection, shop_id: ShopId, read: ReadBatch, *, now: datetime) -> None:
    problems = [
        NewProblem(
            stage=Stage.READ,
            key=f"{read.kind}.unreadable",
            target=PLATFORM,
            kind=read.kind,
            entity=bad.key,
            parent=bad.key,
            params={"reason": bad.reason},
        )
        for bad in read.broken
    ]
    await close_resolved(
        tx,
        shop_id,
        stages=[Stage.READ],
        target=PLATFORM,
        parents=[*read.keys, *(bad.key for bad in read.broken)],
        still=problems,
    )
    await raise_problems(tx, shop_id, problems, now=now)


async def _remember_products(
    tx: AsyncConnection,
    shop_id: ShopId,
    read: ReadBatch,
    targets: Sequence[tuple[Target, MappingContext]],
    settled: PlanResult,
    *,
    now: datetime,
) -> list[tuple[Target, MappingContext]]:
    """Keep the catalogue copy; returns *targets* with what they may know of it. Those who bear a name that this
    batch took or gave up are to be read again."""
    products = [entity for entity in read.entities if isinstance(entity, Product)]
    batch = [int(key) for key in read.keys if key.isdigit()]
    await sku_matching.lock_matching(tx, shop_id)
    names = {by for target, context in targets if (by := target.unique_name(context.settings)) is not None}
    known = await variants.keyed(tx, shop_id, batch)
    before = {by: name_owners.names_of(by, known) for by in sorted(names)}
    await warehouses.remember(tx, shop_id, PLATFORM, {name for product in products for name in product.stocks})
    gone = await variants.replace_products(tx, shop_id, products, batch, held=read.held, now=now)
    await former_variants.remember(tx, shop_id, gone, now=now)
    called = [(code_key(one.code), code_key(one.ean)) for product in products for one in product.variants]
    called += [(one.code, one.ean) for one in known]
    await sku_matching.rematch(tx, shop_id, batch, sku_matching.Keys.of(called))
    shared = {
        by: await name_owners.shared(tx, shop_id, by, products, batch=batch, before=before[by]) for by in before
    }
    settled.again.update(*(found.stirred for found in shared.values()))
    return [
        (target, replace(context, name_owners=shared[by].name_owners))
        if (by := target.unique_name(context.settings)) is not None
        else (target, context)
        for target, context in targets
    ]
