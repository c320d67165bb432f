"""Each list of Uphance with a row in it that breaks its page, in every way that an answer can be broken."""

import pytest

from tests.support.broken import WAYS
from tests.support.clock import NOON, MovableClock
from tests.support.fake_uphance import FakeUphance
from upbridge.core.errors import Unreachable
from upbridge.systems.uphance.careful_read import ListById, read_above, read_carefully, read_each

pytestmark = [pytest.mark.situation("list.uphance"), pytest.mark.parametrize("how", WAYS)]

BROKEN, IDS = 1017, range(1001, 1031)
LISTS = [
    ListById("/products", "products", "product"),
    ListById("/sales_orders", "sales_orders", "sales_order"),
    ListById("/pick_tickets", "pick_tickets", "pick_ticket"),
]
CUSTOMERS = ListById("/customers", "customers", "customer")


def uphance_with(how: str, broken: int = BROKEN) -> FakeUphance:
    uphance = FakeUphance(MovableClock(NOON), page=10, how=how, broken={broken})
    for rows in (uphance.products, uphance.orders, uphance.tickets, uphance.customers):
        rows += [{"id": number, "organisation_id": 5} for number in IDS]
    return uphance


@pytest.mark.parametrize("of", LISTS, ids=lambda of: of.plural)
async def test_of_what_is_known_all_rows_come_but_the_broken_one_which_is_not_gone(of: ListById, how: str) -> None:
    read = await read_carefully(uphance_with(how).client(), IDS, of=of)

    assert {row["id"] for row in read.rows} == {*IDS} - {BROKEN}
    assert read.missed == [BROKEN]


@pytest.mark.situation("after.uphance")
@pytest.mark.parametrize("of", LISTS, ids=lambda of: of.plural)
async def test_one_by_one_the_broken_one_is_missed_and_only_what_the_list_lacks_is_gone(
    of: ListById, how: str
) -> None:
    found, missed = await read_each(uphance_with(how).client(), of, [1003, BROKEN, 2000])

    assert {number: row is not None for number, row in found.items()} == {1003: True, 2000: False}
    assert missed == [BROKEN]


@pytest.mark.parametrize("broken", [1011, BROKEN, 1030])
@pytest.mark.parametrize("of", LISTS, ids=lambda of: of.plural)
async def test_above_a_mark_all_rows_come_but_the_broken_one(of: ListById, broken: int, how: str) -> None:
    rows, gaps = await read_above(uphance_with(how, broken).client(), of, 1008)

    assert rows.keys() == {*range(1009, 1031)} - {broken}
    assert [str(gap) for gap in gaps] == [str(broken)]


@pytest.mark.parametrize(("broken", "gap"), [(1017, "1011 … 1020"), (1030, "1021 …")])
async def test_in_a_list_without_a_filter_the_gap_is_a_page(broken: int, gap: str, how: str) -> None:
    rows, gaps = await read_above(uphance_with(how, broken).client(), CUSTOMERS, 1005)

    assert rows.keys() == {number for number in range(1006, 1031) if (number - 1) // 10 != (broken - 1) // 10}
    assert [str(one) for one in gaps] == [gap]


async def test_a_list_that_breaks_as_a_whole_is_uphance_itself(how: str) -> None:
    uphance = uphance_with(how)
    uphance.broken = {*IDS}

    with pytest.raises(Unreachable):
        await read_above(uphance.client(), CUSTOMERS, 1005)
