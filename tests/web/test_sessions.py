"""Tickets and sessions: once, briefly, for one shop, and nothing usable at rest."""

import asyncio

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import MovableClock
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop import ShopState
from upbridge.store.sessions import SessionPurpose
from upbridge.store.shops import Shops
from upbridge.systems.registry import SYSTEMS
from upbridge.web.sessions import Ended, Entrance, Sessions, Visitor


@pytest.fixture
def sessions(engine: AsyncEngine, watch: MovableClock, cipher: Cipher) -> Sessions:
    return Sessions(engine, watch, cipher)


@pytest.fixture
def shops(engine: AsyncEngine, cipher: Cipher) -> Shops:
    return Shops(engine, cipher, SYSTEMS.settings)


async def session_of(sessions: Sessions, ticket: str) -> str:
    entry = await sessions.redeem(ticket)
    assert isinstance(entry, Entrance)
    return entry.session


@pytest.mark.rule("R24")
async def test_a_ticket_opens_a_session_of_its_shop(sessions: Sessions, make_shop: MakeShop) -> None:
    shop_id = await make_shop()

    session = await session_of(sessions, await sessions.issue(shop_id, "sk"))

    assert await sessions.enter(session) == Visitor(shop_id, "sk")


@pytest.mark.rule("R27")
async def test_a_ticket_is_good_once_and_leaves_its_language(sessions: Sessions, make_shop: MakeShop) -> None:
    ticket = await sessions.issue(await make_shop(), "sk")
    await sessions.redeem(ticket)

    assert await sessions.redeem(ticket) == Ended("sk")


async def test_of_many_who_come_with_one_ticket_one_gets_in(sessions: Sessions, make_shop: MakeShop) -> None:
    ticket = await sessions.issue(await make_shop(), "cs")

    entries = await asyncio.gather(*(sessions.redeem(ticket) for _ in range(8)))

    assert sum(isinstance(entry, Entrance) for entry in entries) == 1


@pytest.mark.rule("R27")
async def test_a_ticket_lives_for_a_minute(sessions: Sessions, make_shop: MakeShop, watch: MovableClock) -> None:
    shop_id = await make_shop()
    in_time, too_late = await sessions.issue(shop_id, "cs"), await sessions.issue(shop_id, "cs")

    watch.move(seconds=59)
    assert isinstance(await sessions.redeem(in_time), Entrance)
    watch.move(seconds=1)
    assert await sessions.redeem(too_late) == Ended("cs")


async def test_a_session_lives_for_thirty_minutes_after_the_last_visit(
    sessions: Sessions, make_shop: MakeShop, watch: MovableClock
) -> None:
    session = await session_of(sessions, await sessions.issue(await make_shop(), "en"))

    for _ in range(3):
        watch.move(minutes=29)
        assert isinstance(await sessions.enter(session), Visitor)
    watch.move(minutes=30)

    assert await sessions.enter(session) == Ended("en")


async def test_polling_does_not_keep_a_session_alive(
    sessions: Sessions, make_shop: MakeShop, watch: MovableClock
) -> None:
    session = await session_of(sessions, await sessions.issue(await make_shop(), "en"))

    watch.move(minutes=29)
    assert isinstance(await sessions.enter(session, active=False), Visitor)
    watch.move(minutes=1)

    assert isinstance(await sessions.enter(session, active=False), Ended)


async def test_tickets_and_sessions_do_not_stand_in_for_each_other(
    sessions: Sessions, make_shop: MakeShop
) -> None:
    shop_id = await make_shop()
    ticket = await sessions.issue(shop_id, "cs")
    session = await session_of(sessions, await sessions.issue(shop_id, "cs"))

    assert isinstance(await sessions.enter(ticket), Ended)
    assert isinstance(await sessions.redeem(session), Ended)


async def test_an_unknown_secret_says_nothing(sessions: Sessions) -> None:
    assert await sessions.enter("nobody") == await sessions.redeem("nobody") == Ended(None)


async def test_what_is_stored_opens_nothing(sessions: Sessions, make_shop: MakeShop, engine: AsyncEngine) -> None:
    ticket = await sessions.issue(await make_shop(), "cs")
    session = await session_of(sessions, ticket)

    async with engine.connect() as tx:
        stored = str((await tx.execute(text("SELECT * FROM sessions"))).all())

    assert ticket not in stored
    assert session not in stored


async def test_the_entrance_s_repr_does_not_show_the_session(sessions: Sessions, make_shop: MakeShop) -> None:
    entry = await sessions.redeem(await sessions.issue(await make_shop(), "cs"))

    assert isinstance(entry, Entrance)
    assert entry.session not in repr(entry)


async def test_a_session_ends_after_twelve_hours_however_busy_it_is(
    sessions: Sessions, make_shop: MakeShop, watch: MovableClock
) -> None:
    session = await session_of(sessions, await sessions.issue(await make_shop(), "cs"))

    lived = 0
    while isinstance(await sessions.enter(session), Visitor):
        watch.move(minutes=20)
        lived += 20

    assert lived == 12 * 60


async def test_a_visitor_ends_the_own_session_and_no_other(sessions: Sessions, make_shop: MakeShop) -> None:
    shop_id = await make_shop()
    own, other = [await session_of(sessions, await sessions.issue(shop_id, "cs")) for _ in range(2)]

    await sessions.leave(own)

    assert await sessions.enter(own) == Ended("cs")
    assert await sessions.enter(other) == Visitor(shop_id, "cs")


@pytest.mark.parametrize("state", [ShopState.SUSPENDED, ShopState.UNINSTALLING, ShopState.UNINSTALLED])
async def test_sessions_and_tickets_end_with_the_shop(
    sessions: Sessions, shops: Shops, make_shop: MakeShop, watch: MovableClock, state: ShopState
) -> None:
    shop_id, other = await make_shop(), await make_shop()
    session = await session_of(sessions, await sessions.issue(shop_id, "cs"))
    ticket = await sessions.issue(shop_id, "cs")
    elsewhere = await session_of(sessions, await sessions.issue(other, "cs"))

    assert await shops.move(shop_id, to=state, among=[ShopState.ACTIVE], now=watch())

    assert await sessions.enter(session) == Ended("cs")
    assert await sessions.redeem(ticket) == Ended("cs")
    assert await sessions.enter(elsewhere) == Visitor(other, "cs")


async def test_a_secret_is_known_by_its_looks_and_good_for_one_purpose(
    sessions: Sessions, make_shop: MakeShop
) -> None:
    ticket = await sessions.issue(await make_shop(), "cs")
    changed = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")
    begun_otherwise = ("A" if ticket[0] != "A" else "B") + ticket[1:]

    assert sessions.made(ticket, SessionPurpose.TICKET)
    assert not sessions.made(ticket, SessionPurpose.SESSION)
    assert not sessions.made(changed, SessionPurpose.TICKET)
    assert not sessions.made(begun_otherwise, SessionPurpose.TICKET)


async def test_a_session_outlives_a_new_key(engine: AsyncEngine, watch: MovableClock, make_shop: MakeShop) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    before = Sessions(engine, watch, Cipher([old]))
    session = await session_of(before, await before.issue(await make_shop(), "cs"))

    assert Sessions(engine, watch, Cipher([new, old])).made(session, SessionPurpose.SESSION)
    assert not Sessions(engine, watch, Cipher([new])).made(session, SessionPurpose.SESSION)
