"""An order or a pick ticket that Uphance cannot give: it is named, and the shipments of all others arrive."""

import pytest

from tests.systems.uphance.write_back.connected_shop import ConnectedShop

pytestmark = pytest.mark.situation("list.uphance")


async def _open(connected: ConnectedShop) -> dict[str, str]:
    found = await connected.service.problems.open(connected.shop_id)
    return {one.key: one.params.get("missed", "") for one in found if one.stage == "read"}


async def two_shipped(connected: ConnectedShop) -> tuple[str, str, int]:
    """Two orders of which everything was shipped, and the ticket of the first."""
    code = (await connected.tracked())[0]
    first, second = await connected.order(code), await connected.order(code)
    ticket = connected.ticket(first)
    connected.ship(ticket, "CZ1")
    connected.ship(connected.ticket(second), "CZ2")
    return first, second, int(ticket["id"])


async def rounds(connected: ConnectedShop) -> None:
    for _ in range(4):
        await connected.poll()
        connected.watch.move(minutes=16)


@pytest.mark.parametrize("how", ["cut", "404"])
@pytest.mark.parametrize("what", ["/pick_tickets", "/sales_orders"])
async def test_what_uphance_cannot_give_is_named_and_keeps_no_other_shipment(
    connected: ConnectedShop, what: str, how: str
) -> None:
    first, second, ticket = await two_shipped(connected)
    order = int(connected.sale(first)["id"])
    connected.network.broken = (how, what, ticket if what == "/pick_tickets" else order)

    await rounds(connected)

    named = {"/pick_tickets": f"pick ticket {ticket}", "/sales_orders": f"sales order {order}"}
    assert named[what] in (await _open(connected))["shipment.missed"]
    numbers = {number: connected.origin.orders[number]["tracking_code"] for number in (first, second)}
    assert numbers == {first: None, second: "CZ2"}

    connected.network.broken = None
    await rounds(connected)

    assert await _open(connected) == {}
    assert connected.origin.orders[first]["tracking_code"] == "CZ1"
