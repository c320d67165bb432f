"""What it takes to ask Uphance for news where there are none."""

from tests.support.statements import each_statement
from tests.systems.uphance.write_back.connected_shop import ConnectedShop
from upbridge.domain.lane import Lane
from upbridge.store.changes import Kind, Origin
from upbridge.store.problems import NewProblem, Stage, raise_problems
from upbridge.systems.uphance.stock import TARGET
from upbridge.systems.uphance.stock_calculation import KIND


async def test_a_poll_without_news_is_two_calls_and_few_statements(connected: ConnectedShop) -> None:
    await connected.poll()
    await connected.poll()
    connected.asked()
    await connected.mark("uphance", Kind.CATALOGUE, "catalogue", origin=Origin.SCHEDULE)
    asked: list[str] = []

    with each_statement(connected.service.engine, asked.append):  # two of them are for the lane
        await connected.work_slice(Lane.pull(connected.shop_id, "uphance"))

    assert connected.asked() == ["GET /products", "GET /pick_tickets"]
    assert len(asked) <= 24


async def test_what_is_left_of_stock_that_is_switched_off_is_put_right_once_a_day(
    connected: ConnectedShop,
) -> None:
    await connected.poll()
    left = NewProblem(
        stage=Stage.MAP, key="product.no_price", target=TARGET, kind=KIND, entity="x", parent=KIND, params={}
    )
    async with connected.service.engine.begin() as tx:
        await raise_problems(tx, connected.shop_id, [left], now=connected.watch())

    await connected.poll()
    today = list(await connected.problems())
    connected.watch.move(days=1)
    await connected.poll()

    assert today == ["product.no_price"]
    assert await connected.problems() == {}
