"""A product that Uphance cannot give: it is named, and the numbers of all others go on."""

import pytest

from tests.systems.uphance.write_back.connected_shop import ConnectedShop


async def _open(connected: ConnectedShop) -> dict[str, str]:
    found = await connected.service.problems.open(connected.shop_id)
    return {one.key: one.params.get("products", "") for one in found if one.stage == "read"}


@pytest.mark.situation("list.uphance")
@pytest.mark.parametrize("how", ["cut", "404"])
async def test_a_product_that_uphance_cannot_give_is_named_and_costs_no_other(
    connected: ConnectedShop, how: str
) -> None:
    products = connected.organisation.products
    broken, other = sorted(products)[3], sorted(products)[7]
    before = await connected.rows(
        "SELECT * FROM skus WHERE shop_id = :shop_id AND product_id = :id ORDER BY sku_id", id=broken
    )
    connected.network.broken = (how, "/products", broken)
    for sku in (sku for one in products[other]["variations"] for sku in one["skus"]):
        sku["in_stock"] = 777
    for _ in range(4):
        await connected.poll()
        connected.watch.move(minutes=16)

    assert await _open(connected) == {"catalogue.products_missed": str(broken)}
    read = await connected.rows(
        "SELECT in_stock FROM skus WHERE shop_id = :shop_id AND product_id = :id", id=other
    )
    assert {row.in_stock for row in read} == {777}
    kept = await connected.rows(
        "SELECT * FROM skus WHERE shop_id = :shop_id AND product_id = :id ORDER BY sku_id", id=broken
    )
    assert kept == before

    connected.network.broken = None
    connected.watch.move(hours=1)
    await connected.poll()

    assert await _open(connected) == {}
