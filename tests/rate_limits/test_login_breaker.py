"""The fuse: never a fifth failed login in an hour over all shops, and no wait while all is well."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rate_limits.calling_processes import Witness, call_from, watched
from tests.rate_limits.calls import ACCESS, OpenLedger, one_call, response, sql
from tests.support.clock import NOON, MovableClock
from tests.support.shops import MakeShop
from upbridge.core.errors import Throttled
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.rate_limits.ledger import LEASE
from upbridge.rate_limits.login_breaker import BLOWN, WINDOW, LoginHistory, Pass, Refusal, breaker_decision

RECENTLY = NOON - timedelta(minutes=30)
LONG_AGO = NOON - timedelta(minutes=60)


def ago(*minutes: int) -> tuple[datetime, ...]:
    return tuple(NOON - timedelta(minutes=each) for each in minutes)


def refused(*minutes: int) -> tuple[Refusal, ...]:
    """One after the other: each call began when it was refused."""
    return tuple(Refusal(at, at) for at in ago(*minutes))


def refused_at_once(*minutes: int) -> tuple[Refusal, ...]:
    """All of these calls were under way before the first of them was refused."""
    begun = ago(max(minutes) + 1)[0]
    return tuple(Refusal(at, begun) for at in ago(*minutes))


def strangers_failed(*minutes: int, **more: Any) -> LoginHistory:
    """Each failure is another shop's; this shop has never been called."""
    return LoginHistory(ago(*minutes), None, shops=ago(*minutes), **more)


@pytest.mark.rule("R56")
@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        (LoginHistory((), RECENTLY, first=True, own=2, busiest=3, in_flight=50), Pass.FREE),
        (LoginHistory((), None, busiest=3, in_flight=50), Pass.FIRST),
        (LoginHistory((), LONG_AGO), Pass.FIRST),
        (LoginHistory((), None, first=True, in_flight=1), Pass.BUSY),
        (LoginHistory(ago(5), None, busiest=2), Pass.FIRST),
        (LoginHistory(ago(5), None, busiest=3), Pass.BUSY),
        (LoginHistory(ago(5), RECENTLY, own=2, busiest=2, in_flight=50), Pass.FREE),
        (LoginHistory(ago(5), RECENTLY, first=True, own=2, busiest=2), Pass.BUSY),
        (strangers_failed(5, 20), NOON + timedelta(minutes=40)),
        (LoginHistory(ago(5, 20), RECENTLY, own=1, busiest=1, in_flight=1), Pass.FREE),
        (LoginHistory(ago(5, 20), RECENTLY, busiest=1, in_flight=2), Pass.BUSY),
        (LoginHistory(ago(5, 20, 30), RECENTLY), Pass.FREE),
        (LoginHistory(ago(5, 20, 30), RECENTLY, busiest=1, in_flight=1), Pass.BUSY),
        (strangers_failed(5, 20, 30), NOON + timedelta(minutes=40)),
        (LoginHistory(ago(5, 20, 30, 50), RECENTLY), NOON + timedelta(minutes=10)),
    ],
)
def test_the_table(history: LoginHistory, verdict: Pass | datetime) -> None:
    assert breaker_decision(history, NOON) == verdict


@pytest.mark.rule("R56")
@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        pytest.param(LoginHistory(ago(5, 20), None, shops=ago(5)), Pass.FIRST, id="one shop failed twice"),
        pytest.param(LoginHistory(ago(5, 20), None, shops=ago(5), in_flight=2), Pass.BUSY, id="never a fifth"),
        pytest.param(
            LoginHistory(ago(5), None, shops=ago(5), own_failures=refused(5)),
            NOON + timedelta(minutes=55),
            id="it failed itself",
        ),
        pytest.param(
            LoginHistory(ago(5), None, shops=ago(5), own_failures=refused(5), active_since=ago(3)[0]),
            Pass.FIRST,
            id="installed since",
        ),
        pytest.param(
            LoginHistory(ago(2, 5), None, shops=ago(2), own_failures=refused(2, 5), active_since=ago(1)[0]),
            NOON + timedelta(minutes=58),
            id="installed again and again",
        ),
        pytest.param(
            LoginHistory(
                ago(4, 5), None, shops=ago(4), own_failures=refused_at_once(4, 5), active_since=ago(3)[0]
            ),
            Pass.FIRST,
            id="installed since two calls were refused at once",
        ),
        pytest.param(
            LoginHistory(
                ago(2, 4, 5),
                None,
                shops=ago(2),
                own_failures=(*refused(2), *refused_at_once(4, 5)),
                active_since=ago(1)[0],
            ),
            NOON + timedelta(minutes=58),
            id="installed again and again, the first time with two calls under way",
        ),
        pytest.param(
            LoginHistory(
                ago(3, 4, 5), None, shops=ago(3), own_failures=refused_at_once(3, 4, 5), active_since=ago(2)[0]
            ),
            NOON + timedelta(minutes=57),
            id="one more would stop all other shops",
        ),
        pytest.param(
            LoginHistory(
                ago(2, 5), None, shops=ago(2), own_failures=refused_at_once(2, 5), active_since=ago(3)[0]
            ),
            Pass.FIRST,
            id="a call of the former credentials was refused after the new installation",
        ),
        pytest.param(
            LoginHistory(ago(5), RECENTLY, shops=ago(5), own_failures=refused(5), own=1, busiest=1, in_flight=1),
            Pass.BUSY,
            id="one at a time after it failed",
        ),
    ],
)
def test_the_table_of_one_shop(history: LoginHistory, verdict: Pass | datetime) -> None:
    assert breaker_decision(history, NOON) == verdict


@dataclass
class Everybody:
    """A model of all shops: who is dead, who calls, who was refused when."""

    dead: Sequence[bool]
    good: list[bool]
    in_flight: list[list[tuple[bool, datetime]]] = field(default_factory=list)
    """Per shop its calls under way: whether it is a first call, and since when."""
    refused: list[list[Refusal]] = field(default_factory=lambda: [[] for _ in range(8)])
    """Of each shop, newest first. Each is installed again after each failure."""
    now: datetime = NOON

    @property
    def failures(self) -> list[datetime]:
        """Of all shops, newest first."""
        return sorted((one.at for theirs in self.refused for one in theirs), reverse=True)

    def begin(self, shop: int) -> None:
        self.now += timedelta(seconds=1)
        plain = [sum(not first for first, _ in calls) for calls in self.in_flight]
        history = LoginHistory(
            failures=tuple(self.failures[:BLOWN]),
            succeeded_at=self.now if self.good[shop] else None,
            shops=tuple(sorted((theirs[0].at for theirs in self.refused if theirs), reverse=True)),
            own_failures=tuple(self.refused[shop]),
            active_since=self.now,
            first=any(first for calls in self.in_flight for first, _ in calls),
            own=plain[shop],
            busiest=max(plain),
            in_flight=sum(len(calls) for calls in self.in_flight),
        )
        verdict = breaker_decision(history, self.now)
        if isinstance(verdict, Pass) and verdict is not Pass.BUSY and len(self.in_flight[shop]) < 3:
            self.in_flight[shop].append((verdict is Pass.FIRST, self.now))

    def end(self, shop: int) -> None:
        self.now += timedelta(seconds=1)
        if self.in_flight[shop]:
            _, begun = self.in_flight[shop].pop(0)
            if self.dead[shop]:
                self.refused[shop].insert(0, Refusal(self.now, begun))
            self.good[shop] = not self.dead[shop]


@pytest.mark.rule("R56")
@given(
    dead_strangers=st.integers(0, 5),
    one_dies=st.booleans(),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60),
)
def test_there_is_never_a_fifth_even_when_a_busy_shop_dies_among_dead_strangers(
    dead_strangers: int, one_dies: bool, steps: list[tuple[bool, int]]
) -> None:
    shops = Everybody(
        dead=[True] * dead_strangers + [False] * (6 - dead_strangers) + [one_dies, False],
        good=[False] * 6 + [True, True],
        in_flight=[[] for _ in range(8)],
    )
    for begins, shop in steps:
        if begins:
            shops.begin(shop)
        else:
            shops.end(shop)
    for shop in range(8):
        while shops.in_flight[shop]:
            shops.end(shop)
    assert len(shops.failures) <= BLOWN


# --- on the database ----------------------------------------------------------------------------------------


async def fails(ledger: OpenLedger, shop_id: ShopId, status: int = 401) -> None:
    await one_call(ledger, shop_id, status=status)


async def test_after_two_failures_only_shops_whose_login_works_are_called(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    good, stranger = await make_shop(), await make_shop()
    await one_call(ledger, good)
    await fails(ledger, await make_shop(), 401)
    clock.move(minutes=10)
    await fails(ledger, await make_shop(), 403)
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, stranger)
    assert refused.value.until == NOON + WINDOW
    await one_call(ledger, good)
    clock.now = refused.value.until
    await one_call(ledger, stranger)


async def test_after_four_failures_no_shop_is_called(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    good, dying = await make_shop(), await make_shop()
    await one_call(ledger, good)
    await one_call(ledger, dying)
    await fails(ledger, await make_shop())
    async with AsyncExitStack() as stack:
        permits = [
            await stack.enter_async_context(ledger.call(dying, access=ACCESS, purpose=Purpose.ORDERS))
            for _ in range(3)
        ]
        for permit in permits:
            await permit.answered(response(401))
    with pytest.raises(Throttled) as refused:
        await one_call(ledger, good)
    assert refused.value.until == NOON + WINDOW
    assert await sql(ledger, "SELECT count(*) FROM failed_logins") == 4


async def test_a_shop_that_is_installed_and_left_again_and_again_holds_up_no_other(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    leaver, stranger = await make_shop(), await make_shop()
    for _ in range(2):
        await sql(ledger, "UPDATE shops SET state_since = :now WHERE id = :shop", now=clock.now, shop=leaver)
        clock.move(seconds=1)
        await fails(ledger, leaver)
        clock.move(seconds=1)
    await sql(ledger, "UPDATE shops SET state_since = :now WHERE id = :shop", now=clock.now, shop=leaver)

    with pytest.raises(Throttled) as refused:
        await one_call(ledger, leaver)
    assert refused.value.until is not None
    assert refused.value.until > NOON + WINDOW
    await one_call(ledger, stranger)


async def test_a_shop_that_failed_waits_unless_it_is_installed_again(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    shop = await make_shop()
    await sql(ledger, "UPDATE shops SET state_since = :now WHERE id = :shop", now=NOON, shop=shop)
    clock.move(seconds=1)
    await fails(ledger, shop)
    with pytest.raises(Throttled):
        await one_call(ledger, shop)
    clock.move(seconds=1)
    await sql(ledger, "UPDATE shops SET state_since = :now WHERE id = :shop", now=clock.now, shop=shop)

    await one_call(ledger, shop)


async def test_a_shop_that_lost_its_access_amid_two_calls_is_called_when_it_is_installed_again(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    shop = await make_shop()
    await one_call(ledger, shop)
    async with (
        ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as one,
        ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as other,
    ):
        clock.move(seconds=1)
        await one.answered(response(401))
        await sql(ledger, "UPDATE shops SET state_since = :now WHERE id = :shop", now=clock.now, shop=shop)
        clock.move(seconds=1)
        await other.answered(response(401))
    assert await sql(ledger, "SELECT count(*) FROM failed_logins") == 2, "Upgates counts both"

    await one_call(ledger, shop)


async def test_the_login_of_a_shop_that_fails_does_not_count_as_working(
    ledger: OpenLedger, make_shop: MakeShop
) -> None:
    shop = await make_shop()
    await one_call(ledger, shop)
    async with (
        ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as one,
        ledger.call(shop, access=ACCESS, purpose=Purpose.ORDERS) as other,
    ):
        await one.answered(response(401))
        assert await sql(ledger, "SELECT succeeded_at FROM budgets") is None
        await other.answered(response(200))
    await fails(ledger, await make_shop())
    with pytest.raises(Throttled):
        await one_call(ledger, await make_shop())


async def test_first_calls_go_one_at_a_time_and_no_other_call_waits_for_them(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    good, stranger = await make_shop(), await make_shop()
    await one_call(ledger, good)
    async with ledger.call(await make_shop(), access=ACCESS, purpose=Purpose.LIFECYCLE):
        await one_call(ledger, good)
        assert clock.slept == 0
        with pytest.raises(Throttled):
            await one_call(ledger, stranger)
        assert clock.slept >= 10
    await one_call(ledger, stranger)


async def test_the_turn_of_a_killed_first_call_comes_back(
    ledger: OpenLedger, make_shop: MakeShop, clock: MovableClock
) -> None:
    stranger = await make_shop()
    await ledger.enter_and_die(await make_shop())
    with pytest.raises(Throttled):
        await one_call(ledger, stranger)
    clock.now = NOON + LEASE
    await one_call(ledger, stranger)


async def test_doubted_credentials_make_a_first_call_again(ledger: OpenLedger, make_shop: MakeShop) -> None:
    shop = await make_shop()
    await one_call(ledger, shop)
    await ledger.doubt(shop)
    async with ledger.call(shop, access=ACCESS, purpose=Purpose.LIFECYCLE):
        assert await sql(ledger, "SELECT first FROM call_leases") is True


async def test_failures_outlive_the_shop_that_made_them(ledger: OpenLedger, make_shop: MakeShop) -> None:
    for _ in range(2):
        gone = await make_shop()
        await fails(ledger, gone)
        await sql(ledger, "DELETE FROM shops WHERE id = :shop", shop=gone)
    with pytest.raises(Throttled):
        await one_call(ledger, await make_shop())


@pytest.mark.rule("R56")
async def test_forty_dead_shops_at_once_over_four_processes_fail_twice(
    database_url: str, ledger: OpenLedger, make_shop: MakeShop
) -> None:
    shops = [await make_shop() for _ in range(40)]

    async with watched(Witness(status=401)) as witness:
        refused = await call_from(4, witness, url=database_url, now=NOON, purpose=Purpose.LIFECYCLE, shops=shops)

    assert (witness.calls, witness.most, len(refused)) == (2, 1, 38)
    assert await sql(ledger, "SELECT count(*) FROM failed_logins") == 2


@pytest.mark.rule("R56")
async def test_after_two_failures_even_good_shops_that_all_die_at_once_stop_at_four(
    database_url: str, ledger: OpenLedger, make_shop: MakeShop
) -> None:
    shops = [await make_shop() for _ in range(8)]
    for shop_id in shops:
        await one_call(ledger, shop_id)
    for _ in range(2):
        await fails(ledger, await make_shop())

    async with watched(Witness(status=401)) as witness:
        refused = await call_from(4, witness, url=database_url, now=NOON, purpose=Purpose.ORDERS, shops=shops * 5)

    assert (witness.calls, len(refused)) == (2, 38)
    assert await sql(ledger, "SELECT count(*) FROM failed_logins") == BLOWN
