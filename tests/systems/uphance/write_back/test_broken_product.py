"""A product that Uphance cannot give: it is named, and the numbers of all others go on."""

import httpx
import pytest

from tests.systems.uphance.write_back.town import Town


async def _open(town: Town) -> dict[str, str]:
    found = await town.service.problems.open(town.shop_id)
    return {one.key: one.params.get("products", "") for one in found if one.stage == "read"}


@pytest.mark.situation("list.uphance")
async def test_a_product_that_uphance_cannot_give_is_named_and_costs_no_other(town: Town) -> None:
    products = town.organisation.products
    broken, other = sorted(products)[3], sorted(products)[7]
    before = await town.rows("SELECT * FROM skus WHERE shop_id = :shop_id AND product_id = :id", id=broken)

    def cut(request: httpx.Request) -> Exception | None:
        path = request.url.path
        if request.url.host != "uphance.test" or not path.startswith("/products"):
            return None
        since = int(request.url.params.get("since_id", 0))
        shown = path == f"/products/{broken}" or (path == "/products" and broken > since)
        return httpx.ReadError("cut") if shown else None

    town.network.lose = cut
    for sku in (sku for one in products[other]["variations"] for sku in one["skus"]):
        sku["in_stock"] = 777
    for _ in range(4):
        await town.poll()
        town.watch.move(minutes=16)

    assert await _open(town) == {"catalogue.products_missed": str(broken)}
    read = await town.rows("SELECT in_stock FROM skus WHERE shop_id = :shop_id AND product_id = :id", id=other)
    assert {row.in_stock for row in read} == {777}
    kept = await town.rows("SELECT * FROM skus WHERE shop_id = :shop_id AND product_id = :id", id=broken)
    assert kept == before

    town.network.lose = lambda _: None
    town.watch.move(hours=1)
    await town.poll()

    assert await _open(town) == {}
