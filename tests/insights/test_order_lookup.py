"""Whom an order is about: read from the shop for who asks, and nothing of it kept."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import structlog

from tests.support.engine import Engine
from tests.support.simulated import answering, mirror
from upbridge.core.errors import Conflict, NotFound, Rejected, Throttled, Unreachable
from upbridge.domain.delivery import DesiredDocument
from upbridge.domain.history import What
from upbridge.domain.shop import BY_UPGATES, ShopState
from upbridge.insights.order_lookup import MOST_AN_HOUR, EnoughShown, OrderLookup
from upbridge.store import history
from upbridge.store.changes import Kind

MakeEngine = Callable[..., Awaitable[Engine]]


async def asked(machine: Engine, number: str = "O-1") -> OrderLookup:
    return await machine.service.order_lookups.look_up(await machine.shop(), number)


async def everything(machine: Engine) -> str:
    """Every row of the shop but the budget's own."""
    tables = (
        "documents",
        "links",
        "order_events",
        "orders",
        "problems",
        "changes",
        "open_order_lines",
        "variants",
        "deliveries",
    )
    return repr({name: await machine.rows(f"SELECT * FROM {name} WHERE shop_id = :shop_id") for name in tables})


async def test_it_is_one_call_and_leaves_nothing_behind(machine: Engine) -> None:
    machine.upgates.order("O-1", "O-2")
    before = await everything(machine)

    with structlog.testing.capture_logs() as logs:
        found = await asked(machine)

    assert found.order.shopper is not None
    assert found.order.shopper.email == "jana@example.cz"
    assert machine.upgates.asked("/orders") == [{"order_numbers": "O-1", "page": "1"}]
    assert await everything(machine) == before
    told = [line for line in logs if line["event"] == "shopper_shown"]
    assert [(line["shop_id"], line["order"]) for line in told] == [(str(machine.shop_id), "O-1")]
    assert "jana" not in repr(logs)


async def test_a_program_that_looks_at_all_orders_is_stopped_and_a_person_goes_on_later(machine: Engine) -> None:
    machine.upgates.order("O-1")
    for _ in range(MOST_AN_HOUR):
        machine.watch.move(seconds=10)
        await asked(machine)
    calls = len(machine.upgates.asked("/orders"))

    with pytest.raises(EnoughShown) as limited:
        await asked(machine)

    assert len(machine.upgates.asked("/orders")) == calls
    assert limited.value.until is not None
    machine.watch.move(seconds=(limited.value.until - machine.watch()).total_seconds())
    assert (await asked(machine)).order.key == "O-1"


async def test_the_history_says_of_which_order_it_was_shown(machine: Engine) -> None:
    machine.upgates.order("O-1")

    await asked(machine)

    async with machine.db.connect() as tx:
        (shown,) = await history.latest(tx, machine.shop_id, limit=9)
    assert (shown.what, shown.subject) == (What.PERSON_SHOWN, "O-1")


async def test_a_system_has_exactly_this_until_the_order_changes(machine: Engine) -> None:
    machine.upgates.order("O-1")
    (new,) = (await asked(machine)).copies
    await machine.mark(Kind.ORDER, "O-1")
    await machine.drain()

    (same,) = (await asked(machine)).copies
    machine.upgates.order("O-1", order_total=99)
    (other,) = (await asked(machine)).copies

    assert (new.system, new.same) == ("upp", None)
    assert same.same is True
    assert machine.target.bodies()[0]["id"] in same.body
    assert other.same is False
    assert "99" in other.body


async def test_what_a_system_neither_has_nor_shall_have_is_not_shown(machine: Engine) -> None:
    machine.upgates.order("O-1")

    def only_if_known(entity: Any) -> Any:
        for draft in mirror(entity):
            assert isinstance(draft, DesiredDocument)
            yield DesiredDocument(draft.kind, draft.key, draft.parent, draft.body, only_if_known=True)

    machine.target.mapping = only_if_known

    assert (await asked(machine)).copies == ()


async def test_a_mapping_that_breaks_hides_no_customer(machine: Engine) -> None:
    machine.upgates.order("O-1")

    def broken(_entity: Any) -> Any:
        raise ZeroDivisionError

    machine.target.mapping = broken
    found = await asked(machine)

    assert found.copies == ()
    assert found.order.key == "O-1"


async def test_what_the_shop_does_not_have_is_not_found(machine: Engine) -> None:
    with pytest.raises(NotFound):
        await asked(machine)


async def test_what_cannot_be_understood_is_said_so(machine: Engine) -> None:
    machine.upgates.order("O-1", creation_time="tomorrow", currency_id=None)

    with pytest.raises(Rejected):
        await asked(machine)


async def test_a_shop_that_refuses_is_suspended_and_not_asked_again(machine: Engine) -> None:
    machine.upgates.order("O-1")
    machine.upgates.judges.append(answering(401))

    with pytest.raises(Conflict):
        await asked(machine)
    with pytest.raises(Conflict):
        await asked(machine)

    shop = await machine.shop()
    assert (shop.state, shop.reason) == (ShopState.SUSPENDED, BY_UPGATES)
    assert len(machine.upgates.requests) == 1
    assert await machine.change_keys() == [("probe", "probe")]


@pytest.mark.parametrize("state", [state for state in ShopState if state is not ShopState.ACTIVE])
async def test_only_an_active_shop_is_asked(make_engine: MakeEngine, state: ShopState) -> None:
    machine = await make_engine(state=state)

    with pytest.raises(Conflict):
        await asked(machine)

    assert machine.upgates.requests == []


async def test_without_calls_left_for_it_no_system_is_asked_and_the_moment_is_named(machine: Engine) -> None:
    """Orders may still be read when a user who looks has to wait."""
    machine.upgates.order("O-1")
    hour = machine.watch().replace(minute=0)
    await machine.run(
        "INSERT INTO budgets (shop_id, hour_limit, day_limit, hour_at, hour_used, day_at, day_used, succeeded_at)"
        " VALUES (:shop_id, 100, 1000, :hour, 75, :hour, 1000, :now)",
        hour=hour,
        now=machine.watch(),
    )

    with pytest.raises(Throttled) as waits:
        await asked(machine)

    assert waits.value.until is not None
    assert machine.watch() < waits.value.until <= hour + timedelta(hours=1)
    assert machine.upgates.requests == []
    await machine.mark(Kind.ORDER, "O-1")
    await machine.drain()
    assert machine.target.times() == {"O-1": 1}


async def test_no_answer_is_no_answer(machine: Engine) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    machine.upgates.judges.append(silent)

    with pytest.raises(Unreachable):
        await asked(machine)


async def test_two_who_ask_at_once_are_both_told(machine: Engine) -> None:
    machine.upgates.order("O-1", "O-2")
    await asked(machine)  # proves the login: before that one asks at a time

    first, second = await asyncio.gather(asked(machine, "O-1"), asked(machine, "O-2"))

    assert (first.order.key, second.order.key) == ("O-1", "O-2")
