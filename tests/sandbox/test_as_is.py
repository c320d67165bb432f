"""Products and orders that are placed exactly as an API once showed them: the oddest breaks nothing."""

import copy
import json
from typing import Any

import httpx
import pytest

from tests.sandbox.addon import Caller
from upbridge_sandbox import Sandbox

DEEP = "[" * 900 + "]" * 900
DEEPER = "[" * 90_000 + "]" * 90_000
GONE = "it is not there"


@pytest.mark.parametrize("kind", ["orders", "products"])
@pytest.mark.parametrize(
    "placed",
    [
        pytest.param("{}", id="nothing"),
        pytest.param('{"order_number": null, "product_id": null}', id="no name"),
        pytest.param('{"order_number": "", "product_id": ""}', id="an empty name"),
        pytest.param('{"order_number": true, "product_id": true}', id="a name that is none"),
        pytest.param('{"order_number": [], "product_id": []}', id="a list as a name"),
        pytest.param('{"order_number": "A", "product_id": 9, "note": "\\ud800"}', id="half a character"),
        pytest.param(f'{{"order_number": "A", "product_id": 9, "note": {DEEP}}}', id="nested deeply"),
        pytest.param(
            f'{{"order_number": "A", "product_id": 9, "note": {DEEPER}}}', id="nested too deeply to be read"
        ),
        pytest.param('{"order_number": "A", "product_id": 9, "note": 1e400}', id="no number"),
    ],
)
async def test_what_no_api_could_show_is_refused_and_not_kept(
    box: Sandbox, api: Caller, kind: str, placed: str
) -> None:
    path = f"{box.addresses.admin}/control/shops/demo/{kind}"
    async with httpx.AsyncClient(trust_env=False) as client:
        said = await client.post(path, content=f'{{"as_is": {placed}}}')

    assert (said.status_code, said.json().keys()) == (400, {"error"})
    assert (await api("GET", f"/{kind}")).status_code == 200
    assert len((await box.control("GET", f"/shops/demo/{kind}"))["items"]) == 40


@pytest.mark.parametrize("odd", [None, "abc", [], {"a": 1}, GONE], ids=str)
async def test_an_order_of_which_anything_is_odd_is_shown_and_changed_like_any_other(
    box: Sandbox, api: Caller, odd: Any
) -> None:
    order = (await box.control("GET", "/shops/demo/orders"))["items"][0]
    names = [name for name in order if name not in {"order_number", "creation_time", "last_update_time"}]
    async with httpx.AsyncClient(trust_env=False, base_url=box.addresses.admin) as client:
        for number, name in enumerate(names):
            one = copy.deepcopy(order) | {"order_number": f"F-{number}", name: odd}
            if odd == GONE:
                del one[name]
            await box.control("POST", "/shops/demo/orders", {"as_is": one})

            [shown] = (await api("GET", f"/orders?order_numbers=F-{number}")).json()["orders"]
            wanted = order["status"] if (name, odd) == ("status", GONE) else one.get(name)
            assert json.dumps(shown.get(name)) == json.dumps(wanted), name
            change = {"order_number": f"F-{number}", "status_id": 4, "tracking_code": "T"}
            assert (await api("PUT", "/orders", json={"orders": [change]})).status_code == 200, name
            assert (await client.get("/shops/demo/orders")).status_code == 200, name
            more = await client.put(f"/control/shops/demo/orders/F-{number}", json={"quantity": 2})
            assert more.status_code in {200, 400}, name
            await box.control("DELETE", f"/shops/demo/orders/F-{number}")
