"""A row of staff that Uphance cannot give: one problem names it, and the shop's orders go on."""

import pytest

from tests.support.broken import WAYS
from tests.systems.uphance.write_back.connected_shop import ConnectedShop

pytestmark = pytest.mark.situation("restored.unread")


async def _open(connected: ConnectedShop) -> dict[str, str]:
    found = await connected.service.problems.open(connected.shop_id)
    return {one.key: one.params["rows"] for one in found if one.key.startswith("uphance.")}


async def _minutes(connected: ConnectedShop, number: int) -> None:
    for _ in range(number):
        connected.watch.move(minutes=1)
        await connected.work()


def _of_staff(connected: ConnectedShop, what: str) -> int:
    rows = getattr(connected.organisation, what)
    made = connected.world.uphance.next_id()
    rows[made] = {**rows[max(rows)], "id": made, "purchase_order_ref": "PO 7", "reference": "of staff"}
    return made


@pytest.mark.parametrize("how", WAYS)
async def test_an_order_of_staff_that_cannot_be_read_holds_up_none_of_the_shops(
    connected: ConnectedShop, how: str
) -> None:
    code = (await connected.tracked())[0]
    await connected.order(code)
    foreign = _of_staff(connected, "orders")
    connected.network.broken = (how, "/sales_orders", foreign)

    number = await connected.order(code)
    await _minutes(connected, 5)

    assert connected.sale(number)["purchase_order_ref"] == f"UPG-demo-{number}"
    assert (await _open(connected)).keys() == {"uphance.orders_unread"}
    assert str(foreign) in (await _open(connected))["uphance.orders_unread"]

    connected.network.broken = None
    connected.watch.move(minutes=15)
    assert connected.sale(await connected.order(code))
    assert await _open(connected) == {}


async def test_a_customer_of_staff_that_cannot_be_read_holds_up_no_order_of_a_new_one(
    connected: ConnectedShop,
) -> None:
    code = (await connected.tracked())[0]
    await connected.order(code, customer={"customer_id": 71, "email": "a@example.cz"})
    connected.network.broken = ("500", "/customers", _of_staff(connected, "customers"))

    number = await connected.order(code, customer={"customer_id": 72, "email": "b@example.cz"})
    await _minutes(connected, 5)

    assert connected.sale(number)
    assert (await _open(connected)).keys() == {"uphance.customers_unread"}


async def test_who_says_that_the_row_is_none_of_the_shops_lets_its_order_go(connected: ConnectedShop) -> None:
    code = (await connected.tracked())[0]
    await connected.order(code)
    connected.network.broken = ("500", "/sales_orders", _of_staff(connected, "orders"))
    connected.restart()

    number = await connected.order(code)
    await _minutes(connected, 5)
    found = {one.key: one for one in await connected.service.problems.open(connected.shop_id)}
    assert {"uphance.orders_unread", "order.perhaps_there"} <= found.keys()

    await connected.service.problem_actions.dismiss(found["uphance.orders_unread"].id)
    await connected.service.problem_actions.retry(found["order.perhaps_there"].id)
    await connected.work()

    assert connected.sale(number)
