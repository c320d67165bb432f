"""Connect a shop to a target: test first, then store sealed, then let the first import begin by itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from upbridge.core.errors import BadRequest, Conflict, RemoteError
from upbridge.domain.lane import Lane
from upbridge.domain.shop import Shop, ShopState
from upbridge.domain.shop_id import ShopId
from upbridge.domain.shop_settings import BUDGET, ShopSettings
from upbridge.engine import lanes
from upbridge.engine.context import Service
from upbridge.engine.imports import start_imports
from upbridge.operations.settings_preview import released, reread
from upbridge.store import documents
from upbridge.store.changes import Kind, Origin, mark_changed
from upbridge.store.connections import ConnectionRow, connections_of
from upbridge.store.lanes import unblock
from upbridge.store.problems import Stage, close_entity
from upbridge.store.runs import was_read
from upbridge.systems.uphance.client import UphanceClient, login
from upbridge.systems.uphance.reads import connect_facts, existing_orders
from upbridge.systems.uphance.schemas import RemoteOrder
from upbridge.systems.upp.client import UppClient

log = structlog.get_logger(__name__)


async def connect_upp(service: Service, shop: Shop, *, client_id: str, client_secret: str) -> ConnectionRow:
    """Connect Upp.ai; raises `LoginRefused` (nothing stored) if the credentials do not work."""
    _may_connect(shop)
    client = UppClient(service.http, service.settings.upp_url, service.clock)
    await client.test_login(client_id, client_secret)
    return await _store(
        service,
        shop,
        "upp",
        account=client_id,
        secret={"client_id": client_id, "client_secret": client_secret},
        vault=None,
        facts={},
    )


async def connect_uphance(
    service: Service, shop: Shop, *, email: str, password: str, organisation: int | None
) -> ConnectionRow:
    """Connect Uphance: log in once, choose the organisation, keep the tokens and never the password.

    Raises `LoginRefused` (nothing stored), or `BadRequest` naming the organisations if one has to be chosen.
    """
    _may_connect(shop)
    tokens, organisations = await login(
        service.http, service.settings.uphance_url, service.clock, email=email, password=password
    )
    names = {found.id: found.name for found in organisations}
    if organisation is None and len(names) == 1:
        organisation = next(iter(names))
    if organisation is None or organisation not in names:
        offered = ", ".join(f"{number} ({name})" for number, name in names.items()) or "none"
        raise BadRequest(f"choose an organisation of this login: {offered}")
    fresh = _Fresh(tokens.stored(), tokens.renew_at)
    client = UphanceClient(service.http, service.settings.uphance_url, fresh, service.clock, organisation)
    facts = await connect_facts(client, organisation=organisation)
    orders = await existing_orders(client, shop.key, others=[one.key for one in await service.shops.all()])
    return await _store(
        service, shop, "uphance", account=str(organisation), secret=None, vault=fresh, facts=facts, orders=orders
    )


async def disconnect(service: Service, shop: Shop, system: str) -> None:
    """Forget a connection and what waits for it; the links stay, so that a return doubles nothing.

    Raises `Conflict` if there is none.
    """
    async with lanes.exclusive(service.engine, Lane.push(shop.id, system), wait=True):
        row = (await service.connections.of(shop.id)).get(system)
        if row is None:
            raise Conflict(f"{shop.key} is not connected to {system}")
        if system == "uphance":
            await revoke(service, shop, row)
        write_back = service.systems.write_backs.get(system)
        await service.connections.disconnect(
            shop.id, system, now=service.clock(), forget=None if write_back is None else write_back.forget
        )


async def give_up_login(service: Service, shop_id: ShopId) -> None:
    """Give up the login to Uphance, which is a person's, if the shop has left us. Settings, links and the account
    stay for a return. Does nothing while somebody works with the connection: it is asked again."""
    async with lanes.exclusive(service.engine, Lane.push(shop_id, "uphance")) as mine:
        if mine is None:
            return
        shop = await service.shops.get(shop_id)
        row = (await service.connections.of(shop_id)).get("uphance")
        if shop.state is ShopState.UNINSTALLED and row is not None:
            await revoke(service, shop, row)
            await service.connections.forget_tokens(shop_id, "uphance", "the add-on was deactivated")
            log.info("login_given_up", shop_id=str(shop_id), system="uphance")


async def revoke(service: Service, shop: Shop, row: ConnectionRow) -> None:
    """Have Uphance forget our own token, and no other of its user's. If it cannot be asked now, the token dies by
    itself within its week; it is thrown away here in any case."""
    try:
        await service.uphance(shop, row).revoke()
    except RemoteError as error:
        log.warning("uphance_token_not_revoked", shop_id=str(shop.id), reason=str(error))


@dataclass(slots=True)
class _Fresh:
    """The vault of a connection that is being tested: nothing is stored before everything worked."""

    kept: Mapping[str, Any]
    renew_at: datetime

    async def secret(self) -> Mapping[str, str]:
        return {}

    async def tokens(self) -> Mapping[str, Any] | None:
        return self.kept

    async def save_tokens(self, tokens: Mapping[str, Any], *, renew_at: datetime) -> None:
        self.kept, self.renew_at = tokens, renew_at


def _may_connect(shop: Shop) -> None:
    if shop.state not in (ShopState.ACTIVE, ShopState.SUSPENDED):
        raise Conflict("the shop has deactivated the add-on")


async def _store(
    service: Service,
    shop: Shop,
    system: str,
    *,
    account: str,
    secret: Mapping[str, str] | None,
    vault: _Fresh | None,
    facts: Mapping[str, Any],
    orders: Mapping[str, RemoteOrder] | None = None,
) -> ConnectionRow:
    """Store what was tested, when nobody works with the connection before it: what that still brings (links of
    another account, a refused old login) is written down first, and none of it afterwards. Raises `Conflict` if
    the shop has left meanwhile."""
    async with (
        lanes.exclusive(service.engine, Lane.push(shop.id, system), wait=True),
        service.engine.begin() as tx,
    ):
        shop, now = await service.shops.hold(tx, shop.id), service.clock()
        _may_connect(shop)
        before = (await connections_of(tx, shop.id)).get(system)
        row, fresh = await service.connections.connect(
            tx,
            shop.id,
            system,
            account=account,
            secret=secret,
            tokens=None if vault is None else vault.kept,
            renew_at=None if vault is None else vault.renew_at,
            facts=facts,
            shop_key=shop.key,
            now=now,
        )
        if before is None or before.prefix != row.prefix:
            await _name_again(tx, shop, system, now=now)
        await _go_on(tx, shop, system, now=now)
        for number, order in (orders or {}).items():
            await _recognise(tx, shop, number, order, now=now)
        if system == "uphance":
            await mark_changed(
                tx,
                shop.id,
                "uphance",
                Kind.CATALOGUE,
                ["catalogue"],
                origin=Origin.LIFECYCLE,
                now=now,
            )
        if fresh:
            # To match products a catalogue that was read for another target will do; to make them it will not.
            known = (
                system == "uphance"
                and not shop.settings.yes("uphance.create_products")
                and await was_read(tx, shop.id, "product")
            )
            kinds = ("order",) if known else ("product", "order")
            await start_imports(tx, service, shop, {system: row}, kinds=kinds, anew=True)
    log.info("connected", shop_id=str(shop.id), system=system, fresh=fresh)
    return row


async def restore_connection(service: Service, shop: Shop, system: str) -> bool:
    """The login of a connection was tried and works: if it was thought broken, what waits for it goes on; returns
    whether it was."""
    async with service.engine.begin() as tx:
        mended = await service.connections.mend(tx, shop.id, system)
        if mended:
            await _go_on(tx, shop, system, now=service.clock())
            log.info("connection_mended", shop_id=str(shop.id), system=system)
    return mended


async def _name_again(tx: AsyncConnection, shop: Shop, system: str, *, now: datetime) -> None:
    """What waits has the names of another account in it, or was on its way into the outbox while the shop was
    disconnected: it is read and mapped again."""
    parents: dict[Kind, set[str]] = {}
    for kind, parent in await documents.forget(tx, shop.id, system):
        parents.setdefault(Kind(kind), set()).add(parent)
    for kind in sorted(parents):
        await mark_changed(tx, shop.id, "upgates", kind, parents[kind], origin=Origin.LIFECYCLE, now=now)


async def _go_on(tx: AsyncConnection, shop: Shop, system: str, *, now: datetime) -> None:
    """Nothing of what stopped with the connection stands any more."""
    await unblock(tx, Lane.push(shop.id, system))
    await unblock(tx, Lane.pull(shop.id, system))
    await documents.release(tx, shop.id, system, now=now)
    await close_entity(tx, shop.id, stage=Stage.PUSH, target=system, kind="connection", entities=[system])


async def _recognise(tx: AsyncConnection, shop: Shop, number: str, order: RemoteOrder, *, now: datetime) -> None:
    """An order that is there already with our reference (a return, a restored database) is not sent again.

    Its link has no hash, because what was sent is not known any more; the next reading of the order takes the
    shop's state of then for it (`settle`).
    """
    await tx.execute(
        text(
            """
            INSERT INTO links (shop_id, target, kind, key, parent, remote_id, state, note, updated_at)
            VALUES (:shop_id, 'uphance', 'order', :number, :number, :remote_id, 'delivered',
                    CAST(:note AS jsonb), :now)
            ON CONFLICT (shop_id, target, kind, key) DO NOTHING
            """
        ),
        {
            "shop_id": shop.id,
            "number": number,
            "remote_id": str(order.id),
            "note": json.dumps({"order_number": order.order_number, "status": order.status}),
            "now": now,
        },
    )


async def change_settings(service: Service, shop: Shop, texts: Mapping[str, str]) -> ShopSettings:
    """Change settings as typed; what that makes sendable is sent, what waited for it is released.

    All of it or nothing: whoever saves the same again would change nothing, and release nothing. Raises
    `BadRequest` with a line for each wrong one, and then changes nothing.
    """
    rows = await service.connections.of(shop.id)
    now = service.clock()
    async with service.engine.begin() as tx:
        before, after = await service.shops.change_settings(tx, shop.id, texts)
        changed = before.differing(after)
        settings = service.systems.settings
        affected = {settings[key].affects for key in changed}
        if BUDGET in affected:
            # The ledger commits by itself: a tariff whose rule was not saved is set once more with it.
            tariff, packages = after.text("budget.tariff"), after.number("budget.packages") or 0
            await service.ledger.set_tariff(shop.id, tariff, packages)
        for system in sorted(released(service.systems, changed, rows)):
            await documents.release(tx, shop.id, system, now=now)
        if service.systems.platform.name in affected:
            for write_back in service.systems.write_backs.values():
                await write_back.settings_changed(tx, shop.id, before, after, now=now)
        if kinds := reread(service.systems, changed, rows):
            fresh = replace(shop, settings=after)
            await start_imports(tx, service, fresh, rows, kinds=kinds, anew=True)
    return after
