"""What is held about one person who ordered, and its erasure, with a receipt.

Who ordered is stored only as long as an order waits for a system that has to know it: sealed, in `documents`. Of
what was delivered, fingerprints stay in `links`, and a masked copy in `order_events`. Both are found by the number
of the order; by an e-mail address only what still waits, and the link to the person's own record in a system.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from upbridge.core.clock import Clock
from upbridge.core.encryption import Cipher
from upbridge.core.errors import NotFound
from upbridge.domain.delivery import Link
from upbridge.domain.history import Way, What
from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop
from upbridge.engine import lanes
from upbridge.store import (
    document_queries,
    documents,
    history,
    link_queries,
    links,
    order_events,
    orders,
    problem_queries,
    problems,
)
from upbridge.store.connections import Connections
from upbridge.store.history import NewEntry
from upbridge.store.order_events import KINDS
from upbridge.systems.base import Persons, System, Systems

log = structlog.get_logger(__name__)

ORDER = "order"
_PORTION = 500
_MOST = 200


@dataclass(frozen=True, slots=True)
class StoredData:
    """Something that is stored. *personal*: whether it says who the person is, or could be compared with that;
    *content*: what it says, personal data and all."""

    table: str
    system: str
    key: str
    at: datetime | None
    personal: bool
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PersonFile:
    """What is held about a person: *orders* are the numbers that it was found by."""

    orders: tuple[str, ...]
    held: tuple[StoredData, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure has done. *erased*: how many, by table; *elsewhere*: system, kind and number of what other
    systems still have of the person: people erase it there."""

    at: datetime
    orders: tuple[str, ...]
    erased: Mapping[str, int]
    elsewhere: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class PersonRecords:
    """What is held about persons."""

    engine: AsyncEngine
    clock: Clock
    way: Way
    cipher: Cipher
    systems: Systems
    connections: Connections

    async def look_up(self, shop: Shop, *, order: str | None, email: str | None) -> PersonFile:
        """What is held about who made the *order*, or has this *email* address. Opens what is sealed.

        Raises `NotFound` for an order that nothing is known of.
        """
        numbers, customers = await self._numbers(shop, order=order, email=email)
        held = [one for number in numbers for one in await self._of_order(shop, number)]
        held += await self._records(shop, email, customers)
        if email:
            held += await self._of_owner(shop, email)
        if order is not None and not held:
            raise NotFound(f"{shop.key} has no order {order} that anything is known of")
        now = self.clock()
        async with self.engine.begin() as tx:
            told = [NewEntry(What.PERSON_SHOWN, number) for number in numbers] or [NewEntry(What.PERSON_SHOWN)]
            await history.record(tx, shop.id, self.way, told, now=now)
        log.info("person_shown", shop_id=str(shop.id), orders=len(numbers), found=len(held))
        return PersonFile(tuple(numbers), tuple(held))

    async def erase(self, shop: Shop, *, order: str | None, email: str | None) -> Receipt:
        """Erase what is held about who made the *order*, or has this *email* address, in one transaction.

        An order that still waits for a system that has to know who ordered is not sent there any more. None is
        sent a second time, or stored again: its link says so. Numbers and ids stay, and the goods that were sent.
        Waits until no worker sends or reads for this shop, so that none puts back what goes. Raises `NotFound` for
        an order that nothing is known of.
        """
        async with AsyncExitStack() as stack:
            # Reading first, as the workers do: who reads may wake who sends, never the other way round.
            for lane in (Lane.pull(shop.id, self.systems.platform.name), *self._pushes(shop)):
                await stack.enter_async_context(lanes.exclusive(self.engine, lane, wait=True))
            numbers, customers = await self._numbers(shop, order=order, email=email)
            if order is not None and not await self._known(shop, order):
                raise NotFound(f"{shop.key} has no order {order} that anything is known of")
            return await self._erase(shop, numbers, await self._linked(shop, email, customers))

    def _telling(self) -> list[tuple[System, Persons]]:
        """The systems that have to know who orders."""
        return [(one, one.persons) for one in self.systems.all if one.persons is not None]

    def _pushes(self, shop: Shop) -> list[Lane]:
        return [Lane.push(shop.id, system.name) for system, _ in self._telling()]

    async def _numbers(self, shop: Shop, *, order: str | None, email: str | None) -> tuple[list[str], set[int]]:
        """The orders, and the shop's numbers of the customer, that a person is found by."""
        wanted = (email or "").strip().casefold()
        numbers, customers = ([] if order is None else [order]), set()
        for system, _ in self._telling():
            after = ""
            while True:
                async with self.engine.connect() as tx:
                    found = await document_queries.sealed_after(
                        tx, shop.id, system.name, ORDER, after, limit=_PORTION
                    )
                for one in found:
                    shopper = self._opened(one.body).get("shopper") or {}
                    if one.key == order or (wanted and str(shopper.get("email")).strip().casefold() == wanted):
                        numbers.append(one.key)
                        customers |= {shopper["customer_id"]} if shopper.get("customer_id") is not None else set()
                if len(found) < _PORTION:
                    break
                after = found[-1].key
        return list(dict.fromkeys(numbers)), customers

    def _opened(self, body: bytes) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(self.cipher.decrypt(body))
        return opened

    async def _known(self, shop: Shop, number: str) -> bool:
        async with self.engine.connect() as tx:
            if await orders.ordered_at(tx, shop.id, number) is not None:
                return True
            if await document_queries.about(tx, shop.id, KINDS, number, most=1):
                return True
            if await link_queries.about(tx, shop.id, KINDS, number, most=1):
                return True
            return bool(await order_events.events_of(tx, shop.id, number, limit=1))

    async def _of_order(self, shop: Shop, number: str) -> list[StoredData]:
        telling = {system.name for system, _ in self._telling()}
        async with self.engine.connect() as tx:
            made = await orders.ordered_at(tx, shop.id, number)
            waiting = await document_queries.about(tx, shop.id, sorted(KINDS), number, most=_MOST)
            events = await order_events.events_of(tx, shop.id, number, limit=_MOST)
            told = await problem_queries.history_of(tx, shop.id, sorted(KINDS), number, limit=_MOST)
            linked = {
                system.name: await link_queries.links_of(tx, shop.id, system.name, parents=[number])
                for system in self.systems.all
            }
        held = (
            []
            if made is None
            else [StoredData("orders", self.systems.platform.name, number, made, personal=False)]
        )
        held += [
            StoredData(
                "documents",
                one.target,
                one.key,
                one.since,
                personal=one.target in telling,
                content={"state": one.state, **self._opened(one.body)},
            )
            for one in waiting
        ]
        held += [
            StoredData("links", name, link.key, None, personal=self._compares(name, link), content=_of_link(link))
            for name, found in linked.items()
            for link in found.values()
        ]
        held += [
            StoredData(
                "order_events",
                one.target,
                number,
                one.at,
                personal=False,
                content={"event": one.event, "detail": one.detail, "masked_copy": order_events.opened(one.body)},
            )
            for one in events
        ]
        held += [
            StoredData(
                "problems",
                one.target,
                number,
                one.problem.since,
                personal=False,
                content={"key": one.problem.key, "params": dict(one.problem.params)},
            )
            for one in told
        ]
        return held

    def _compares(self, name: str, link: Link) -> bool:
        """Whether a link keeps something that a person could be compared with."""
        persons = self.systems.named(name).persons
        if persons is None or link.sent is None:
            return False
        kept = json.loads(link.sent)
        return bool(dict(persons.forget(kept)) != kept)

    async def _linked(self, shop: Shop, email: str | None, customers: set[int]) -> list[tuple[str, Link]]:
        """The links to the person's own records, with their systems."""
        found: list[tuple[str, Link]] = []
        async with self.engine.connect() as tx:
            for system, persons in self._telling():
                places = {
                    place
                    for customer in (None, *sorted(customers))
                    for place in persons.links(shop.key, email, customer)
                }
                if places:
                    kinds, keys = {kind for kind, _ in places}, [key for _, key in sorted(places)]
                    rows = await link_queries.by_key(tx, shop.id, system.name, kinds, keys)
                    found += [(system.name, link) for place, link in sorted(rows.items()) if place in places]
        return found

    async def _records(self, shop: Shop, email: str | None, customers: set[int]) -> list[StoredData]:
        return [
            StoredData("links", name, link.key, None, personal=True, content=_of_link(link))
            for name, link in await self._linked(shop, email, customers)
        ]

    async def _of_owner(self, shop: Shop, email: str) -> list[StoredData]:
        """Where the shop's own settings, facts and accounts have the address: it is the merchant's, who changes
        it."""
        wanted = email.strip().casefold()
        rows = await self.connections.of(shop.id)
        said = {
            ("shops", self.systems.platform.name, "settings"): shop.settings.as_text(),
            ("shops", self.systems.platform.name, "facts"): shop.facts or {},
            **{
                ("connections", name, row.account): {"account": row.account, **row.facts}
                for name, row in rows.items()
            },
        }
        return [
            StoredData(
                table, name, key, None, personal=True, content={"stays": "of the shop itself: change it there"}
            )
            for (table, name, key), value in said.items()
            if wanted in json.dumps(value, ensure_ascii=False, default=str).casefold()
        ]

    async def _erase(self, shop: Shop, numbers: Sequence[str], records: Sequence[tuple[str, Link]]) -> Receipt:
        now = self.clock()
        erased = {"documents": 0, "links": 0, "order_events": 0, "problems": 0}
        elsewhere = [(self.systems.platform.name, ORDER, number) for number in numbers]
        elsewhere += [(name, link.kind, link.remote_id) for name, link in records if link.remote_id is not None]
        async with self.engine.begin() as tx:
            for system, persons in self._telling():
                erased["documents"] += await documents.erase(tx, shop.id, system.name, numbers)
                erased["problems"] += await problems.erase(tx, shop.id, system.name, ORDER, numbers)
                shortened, remote = await links.erase_persons(
                    tx, shop.id, system.name, ORDER, numbers, forget=persons.forget, now=now
                )
                erased["links"] += shortened
                elsewhere += [(system.name, ORDER, number) for number in remote]
            outlines = await orders.erase_outlines(tx, shop.id, numbers)
            erased["order_events"] = await order_events.erase_copies(tx, shop.id, numbers)
            told = NewEntry(What.PERSON_ERASED, details={"orders": len(numbers), **erased})
            await history.record(tx, shop.id, self.way, [told], now=now)
        log.info("person_erased", shop_id=str(shop.id), orders=len(numbers), **erased)
        return Receipt(now, tuple(numbers), {**erased, "orders": outlines}, tuple(elsewhere))


# --- showing --------------------------------------------------------------------------------------------------


def _of_link(link: Link) -> dict[str, Any]:
    return {
        "state": link.state,
        "remote_id": link.remote_id,
        "remote_status": link.remote_status,
        "metadata": dict(link.metadata),
        "sent": None if link.sent is None else json.loads(link.sent),
        "erased": link.erased,
    }


# --- erasing --------------------------------------------------------------------------------------------------
