"""A session opens so many pages; who knows one cannot keep other shops, or their webhooks, waiting."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from weakref import WeakSet

import httpx
import pytest

from tests.support.pages import Enter
from tests.support.shops import MakeShop
from upbridge.core.errors import TooOften
from upbridge.domain.shop_id import ShopId
from upbridge.web.context import Pages
from upbridge.web.visits import AT_ONCE, LONGEST_WAIT, PAGES, PAGES_OF_SHOP, Visits


class Seconds:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_person_who_clicks_never_waits() -> None:
    clock = Seconds()
    visits = Visits(seconds=clock)
    for _ in range(1_000):
        assert visits.of("session").waits() == 0
        clock.now += 0.2


def test_a_flood_waits_for_its_turn_and_is_refused_where_that_is_too_long() -> None:
    visits = Visits(seconds=Seconds())
    waits = [visits.of("session").waits() for _ in range(int(PAGES.burst + PAGES.rate * LONGEST_WAIT))]

    assert waits == sorted(waits)
    assert waits[int(PAGES.burst) - 1] == 0
    assert waits[-1] == LONGEST_WAIT
    with pytest.raises(TooOften):
        visits.of("session").waits()
    assert visits.of("another session").waits() == 0


def test_sessions_that_are_not_used_any_more_are_forgotten() -> None:
    clock = Seconds()
    visits = Visits(seconds=clock)
    remembered: WeakSet[object] = WeakSet()
    for number in range(30_000):
        remembered.add(session := visits.of(str(number)))
        session.waits()
        clock.now += 0.01

    assert len(remembered) <= 10_000


@pytest.fixture
def pages(pages: Pages) -> Pages:
    """While a busy machine gets to the next line no page comes free: their clock stands still."""
    return replace(pages, visits=Visits(seconds=Seconds()))


async def test_the_shop_that_opens_too_many_pages_is_refused_and_no_other_is(
    pages: Pages, make_shop: MakeShop, enter: Enter, browser: httpx.AsyncClient
) -> None:
    home, other = await enter(ShopId(await make_shop())), await enter(ShopId(await make_shop()))
    session = home.removeprefix("/ui/s/").rstrip("/")
    while True:
        try:
            pages.visits.of(session).waits()
        except TooOften:
            break

    refused, fine = await browser.get(home), await browser.get(other)

    assert (refused.status_code, fine.status_code) == (429, 200)
    assert "try again" in refused.text
    assert int(refused.headers["retry-after"]) == LONGEST_WAIT


async def test_many_sessions_of_one_shop_have_no_more_than_the_shop_has(
    pages: Pages, make_shop: MakeShop, enter: Enter, browser: httpx.AsyncClient
) -> None:
    mine, theirs = ShopId(await make_shop()), ShopId(await make_shop())
    homes = [await enter(mine), await enter(mine), await enter(theirs)]
    for _ in range(int(PAGES_OF_SHOP.burst + PAGES_OF_SHOP.rate * LONGEST_WAIT)):
        pages.visits.shops.of(mine).waits()

    assert [(await browser.get(home)).status_code for home in homes] == [429, 429, 200]


async def test_pages_of_one_session_are_made_few_at_a_time() -> None:
    visits, made, together = Visits(), 0, []

    async def page() -> None:
        nonlocal made
        async with visits.of("session").opens():
            made += 1
            together.append(made)
            await asyncio.sleep(0)
            made -= 1

    await asyncio.gather(*(page() for _ in range(40)))

    assert (len(together), max(together)) == (40, AT_ONCE)


async def test_slow_forms_take_no_place_from_the_pages_of_their_session() -> None:
    visits = Visits()
    async with AsyncExitStack() as forms:
        for _ in range(AT_ONCE + 1):
            await forms.enter_async_context(visits.of("session").opens(form=True))

        async with visits.of("session").opens():
            pass
