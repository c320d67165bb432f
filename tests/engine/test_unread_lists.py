"""Each list of the shop's facts cannot be read, or is shorter for a moment: what waits for it, what does not."""

import itertools
from collections.abc import Callable

import httpx
import pytest

from tests.support.engine import Engine, MakeEngine
from tests.support.facts import Upp, held
from tests.support.upgates import raw_prices
from upbridge.store.changes import Kind, Origin


def _hangs(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("no answer", request=request)


#: What an API may answer instead of a list.
BROKEN: list[Callable[[httpx.Request], httpx.Response]] = [
    lambda _: httpx.Response(500, json={}),
    lambda _: httpx.Response(404, json={}),
    _hangs,
    lambda _: httpx.Response(200, text='{"owner": ['),
    lambda _: httpx.Response(200, text="<html>Please wait</html>"),
    lambda _: httpx.Response(200, json=[1]),
]
LISTS = ("/status", "/owner", "/languages", "/pricelists", "/config", "/order-statuses")
FOR_PRODUCTS = ("/languages", "/pricelists", "/config")
"""Without these no product has a price."""


def break_list(machine: Engine, path: str) -> None:
    """Each call of *path* is answered by the next thing that is no list."""
    answers = itertools.cycle(BROKEN)

    def judge(request: httpx.Request) -> httpx.Response | None:
        return next(answers)(request) if request.url.path == f"/api/v2{path}" else None

    machine.upgates.judges.append(judge)


async def work(machine: Engine, *, minutes: int) -> None:
    for _ in range(minutes):
        await machine.drain()
        machine.watch.move(minutes=1)


@pytest.mark.situation("facts.unread")
@pytest.mark.parametrize("path", LISTS)
async def test_a_list_that_never_answers_a_new_shop_holds_up_what_needs_it_alone(
    make_engine: MakeEngine, path: str
) -> None:
    upp = Upp("upp")
    machine = await make_engine(facts=None, targets={"upp": upp})
    machine.target = upp
    machine.upgates.sell(1)
    machine.upgates.order("A-1")
    break_list(machine, path)
    await machine.mark(Kind.FACTS, "facts", origin=Origin.LIFECYCLE)
    await machine.mark(Kind.WEBHOOKS, "webhooks", origin=Origin.LIFECYCLE)
    await machine.mark(Kind.ORDER, "A-1")
    await machine.mark(Kind.PRODUCT, "1")

    await work(machine, minutes=2)

    waits = {"p-1"} if path in FOR_PRODUCTS else {"A-1"} if path == "/order-statuses" else set()
    assert held(machine).keys() == {"p-1", "A-1"} - waits
    assert machine.upgates.hooks, "nothing is announced to us"
    await work(machine, minutes=6)
    [problem] = [one for one in await machine.problems() if one.key == "read.refused"]
    assert problem.entity == "facts"
    assert path.strip("/") in problem.params["said"]

    machine.upgates.judges.clear()
    await work(machine, minutes=6)

    assert held(machine).keys() == {"p-1", "A-1"}
    assert {one.key for one in await machine.problems()} == {"order.net_estimated"}, "a remark that it has anyway"


SLOVAK = {"language_id": "sk", "default_yn": False, "active_yn": True, "currency_id": "EUR"}
WHOLE = {
    "/languages": {
        "languages": [{**SLOVAK, "language_id": "cs", "default_yn": True, "currency_id": "CZK"}, SLOVAK]
    },
    "/pricelists": {"pricelists": [{"id": 1, "name": "Výchozí", "default_yn": True}, {"id": 2, "name": "VIP"}]},
    "/order-statuses": {"order_statuses": [{"id": 1, "type": "Received"}, {"id": 2, "type": "Canceled"}]},
}


@pytest.mark.situation("after.facts")
@pytest.mark.situation("facts.shorter")
@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("path", WHOLE)
async def test_a_list_that_is_shorter_for_a_moment_takes_nothing_away(
    make_engine: MakeEngine, path: str, rows: int
) -> None:
    upp = Upp("upp")
    machine = await make_engine(targets={"upp": upp})
    machine.target = upp
    machine.upgates.rare |= WHOLE
    euros = raw_prices(language="sk", currency="EUR", pricelist={"price_with_vat": 5, "price_without_vat": 4})
    machine.upgates.sell(1, prices=[raw_prices(), euros])
    machine.upgates.order("A-1")
    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()
    await machine.mark(Kind.PRODUCT, "1")
    await machine.mark(Kind.ORDER, "A-1")
    await machine.drain()
    before, sent = (await machine.shop()).facts, len(upp.received)
    [(name, whole)] = WHOLE[path].items()

    machine.upgates.rare[path] = {name: whole[len(whole) - rows :]}
    await machine.mark(Kind.FACTS, "facts")
    await machine.drain()
    assert (await machine.shop()).facts == before
    machine.upgates.rare[path] = {name: whole}
    await work(machine, minutes=5)

    assert ((await machine.shop()).facts, len(upp.received)) == (before, sent)
    assert (
        await machine.changes() == await machine.rows("SELECT * FROM first_looks WHERE shop_id = :shop_id") == []
    )

    machine.upgates.rare[path] = {name: whole[:1]}
    await machine.mark(Kind.FACTS, "facts")
    await work(machine, minutes=5)

    assert (await machine.shop()).facts != before
