"""How a shop is connected to Uphance: by a login, in one organisation; and what remains to be chosen then."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from upbridge.core.encryption import DecryptionError
from upbridge.core.errors import RemoteError
from upbridge.core.parsing import digits
from upbridge.domain.delivery import Link
from upbridge.domain.shop import Shop
from upbridge.domain.shop_profile import ShopProfile
from upbridge.store.connections import ConnectionRow
from upbridge.systems.base import Setup
from upbridge.systems.connecting import (
    HELD,
    ChoiceNeeded,
    Connected,
    Fact,
    Field,
    LoginEnded,
    LoginOption,
    NewConnection,
    Tools,
)
from upbridge.systems.uphance.client import UphanceClient, login
from upbridge.systems.uphance.reads import NamesInOrders, connect_facts, existing_orders, what_is_in
from upbridge.systems.uphance.schemas import RemoteOrder
from upbridge.systems.uphance.tokens import Tokens

log = structlog.get_logger(__name__)

#: So many organisations of a login are looked at, for so long at most: a person waits for it.
_LOOKED_AT, _LOOK_SECONDS = 5, 10.0
#: So long a login waits for the choice of its organisation.
_HELD_FOR = timedelta(minutes=5)


def account_name(connection: ConnectionRow) -> str:
    """The organisation."""
    return str((connection.facts.get("organisation") or {}).get("name") or connection.account)


def is_mapped(setup: Setup) -> bool:
    """Whether each market of the shop has its channel."""
    return bool(setup.shop.facts) and setup.works and not markets_without_channel(setup)


def markets_without_channel(setup: Setup) -> Sequence[str]:
    """Languages with their currency ("cs/CZK") for which no channel is chosen, nor the only one."""
    if setup.connection is None:
        return ()
    offered = [channel.get("currency") for channel in setup.connection.facts.get("channels") or ()]
    chosen = setup.shop.settings.get("uphance.channels")
    return tuple(
        f"{language}/{currency}"
        for language, currency in ShopProfile.model_validate(setup.shop.facts or {}).currencies.items()
        if f"{language}/{currency}" not in chosen and offered.count(currency) != 1
    )


def client_of(connected: Connected) -> UphanceClient:
    """A client that reads for the shop's organisation."""
    tools = connected.tools
    return UphanceClient(
        http=tools.http,
        base_url=tools.settings.uphance_url,
        vault=connected.vault,
        clock=tools.clock,
        organisation=int(connected.row.account),
        relies_on_choice=True,
    )


class UphanceConnect:
    """`base.Connect`."""

    fields: Sequence[Field] = (
        Field(name="email", help="the user's e-mail", kind="email"),
        Field(
            name="password", help="the user's password", secret=True, verbatim=True, kind="password", longest=500
        ),
        Field(name="organisation", help="id of the organisation", needed=False),
    )
    credentials = "e-mail and password"
    prefixes_names = False
    in_turn = True
    """Two who renew the same token at once would take it from each other."""
    revokes = True

    def shown(self, row: ConnectionRow) -> Sequence[Fact]:
        """The organisation and its channels."""
        channels = [f"{one['name']} ({one['currency']})" for one in row.facts.get("channels") or ()]
        name = (row.facts.get("organisation") or {}).get("name") or ""
        return (
            Fact(name="organisation", value=str(name), code=row.account),
            Fact(name="password", said="not_kept"),
            Fact(name="channels", value=", ".join(channels) or "\N{EN DASH}"),
        )

    async def log_in(
        self, tools: Tools, shop: Shop, typed: Mapping[str, str], *, others: Collection[str]
    ) -> NewConnection:
        """Log in once, choose the organisation, keep the tokens and never the password."""
        if typed.get(HELD):
            tokens, offered = _taken_up(tools, shop, typed[HELD])
        else:
            tokens, organisations = await login(
                tools.http,
                tools.settings.uphance_url,
                tools.clock,
                email=typed["email"],
                password=typed["password"],
            )
            offered = {found.id: LoginOption(str(found.id), found.name) for found in organisations}
        organisation = digits(typed.get("organisation", ""))
        if organisation is None and len(offered) == 1:
            organisation = next(iter(offered))
        if organisation is None or organisation not in offered:
            if not typed.get(HELD):
                tokens, offered = await _looked_at(tools, tokens, offered)
            options = tuple(offered.values())
            raise ChoiceNeeded("organisation", options, _held(tools, shop, tokens, options) if options else "")
        fresh = _Fresh(tokens.stored(), tokens.renew_at)
        client = UphanceClient(tools.http, tools.settings.uphance_url, fresh, tools.clock, organisation)
        facts = await connect_facts(client, organisation=organisation)
        seen = NamesInOrders()
        orders = await existing_orders(client, shop.key, others=others, names=seen)
        known = [_link(number, order) for number, order in orders.items()]
        return NewConnection(
            account=str(organisation),
            facts={**facts, **seen.facts()},
            tokens=fresh.kept,
            renew_at=fresh.renew_at,
            known=known,
        )

    async def test(self, connected: Connected) -> None:
        """Ask for the organisations."""
        await client_of(connected).get("/organisations")

    async def revoke(self, connected: Connected) -> None:
        """Have Uphance forget our own token, and no other of its user's."""
        await client_of(connected).revoke()


async def _looked_at(
    tools: Tools, tokens: Tokens, offered: Mapping[int, LoginOption]
) -> tuple[Tokens, dict[int, LoginOption]]:
    """The organisations with what tells them apart, and the tokens as they are then. Where that cannot be read, or
    takes long, they are offered by their names alone."""
    fresh, seen = _Fresh(tokens.stored(), tokens.renew_at), dict(offered)
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            for number in tuple(offered)[:_LOOKED_AT]:
                client = UphanceClient(tools.http, tools.settings.uphance_url, fresh, tools.clock, number)
                seen[number] = replace(offered[number], about=await what_is_in(client))
    except (RemoteError, TimeoutError) as error:
        log.info("organisation_not_looked_at", reason=type(error).__name__)
    return Tokens.kept(fresh.kept), seen


def _held(tools: Tools, shop: Shop, tokens: Tokens, offered: Sequence[LoginOption]) -> str:
    """A login of *shop* without its organisation: sealed, and good for a few minutes."""
    until = (tools.clock() + _HELD_FOR).isoformat()
    names = [(one.id, one.name) for one in offered]
    login = {"shop": str(shop.id), "until": until, "tokens": tokens.stored(), "names": names}
    return tools.cipher.encrypt(json.dumps(login)).decode()


def _taken_up(tools: Tools, shop: Shop, held: str) -> tuple[Tokens, dict[int, LoginOption]]:
    """What `_held` has sealed for this shop. Raises `LoginEnded` for all else."""
    try:
        login = json.loads(tools.cipher.decrypt(held.encode()))
    except DecryptionError:
        raise LoginEnded("no key of ours opens the login that came back") from None
    if login.get("shop") != str(shop.id) or datetime.fromisoformat(login["until"]) <= tools.clock():
        raise LoginEnded("the login that came back is not this shop's, or has waited for too long")
    return Tokens.kept(login["tokens"]), {
        int(number): LoginOption(number, name) for number, name in login["names"]
    }


def _link(number: str, order: RemoteOrder) -> Link:
    return Link(
        "order",
        number,
        number,
        remote_id=str(order.id),
        remote_status=order.status,
        metadata={"order_number": order.order_number},
    )


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
