"""What was read becomes what is to be sent: only what differs, the newest wins, nothing is forgotten."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.support.engine import Engine
from tests.support.simulated import Said, Target, accept, delivered, mirror, one_by_one
from tests.support.upp import make_line, make_order, make_product, make_variant
from upbridge.domain.delivery import DesiredDocument, Document, Entity, Issue, Link, Parked, Unmappable
from upbridge.domain.product import Product
from upbridge.engine.planner import BadEntity, ReadBatch
from upbridge.store import documents as outbox
from upbridge.store.document_queries import is_wanted
from upbridge.store.links import record_delivered, save_links


def coat(stock: int = 12, **overrides: Any) -> Product:
    """A product with one variant, `v-4711`, of product 12."""
    return make_product(make_variant(stock=Decimal(stock)), **overrides)


def stock_of(document: dict[str, Any]) -> Any:
    return json.loads(document["body"])["stock"]


# --- what differs is queued, what agrees costs nothing ------------------------------------------------------


async def test_what_was_read_waits_for_each_target(machine: Engine) -> None:
    other = Target("uphance")

    news = await machine.settle(coat(), targets=(machine.target, other))

    assert news == {"12"}
    assert [*await machine.documents("upp")] == [*await machine.documents("uphance")] == ["v-4711"]


async def test_a_document_is_encrypted_at_rest(machine: Engine) -> None:
    await machine.settle(coat())

    raw = await machine.value("SELECT body FROM documents")

    assert b"4711" not in bytes(raw)


async def test_what_was_delivered_unchanged_costs_nothing(machine: Engine) -> None:
    await machine.settle(coat())
    await machine.push()

    news = await machine.settle(coat())

    assert news == set()
    assert await machine.documents() == {}
    assert machine.target.times() == {"v-4711": 1}


async def test_reading_the_same_again_changes_nothing_that_waits(machine: Engine) -> None:
    await machine.settle(coat())
    before = await machine.documents()

    news = await machine.settle(coat())

    assert news == set()
    assert {key: row["seq"] for key, row in (await machine.documents()).items()} == {
        key: row["seq"] for key, row in before.items()
    }


async def test_the_newest_state_wins(machine: Engine) -> None:
    for stock in (12, 11, 10):
        await machine.settle(coat(stock))

    assert await machine.push() is False
    assert [body["stock"] for body in machine.target.bodies()] == [10]


async def test_what_waited_is_taken_back_when_the_thing_is_as_it_was_delivered(machine: Engine) -> None:
    await machine.settle(coat(12))
    await machine.push()
    await machine.settle(coat(11))

    await machine.settle(coat(12))

    assert await machine.documents() == {}


async def test_the_more_urgent_purpose_decides_when_it_is_sent(machine: Engine) -> None:
    await machine.settle(coat(12), priority=5)
    await machine.settle(coat(11), priority=1)
    await machine.settle(coat(10), priority=5)

    assert (await machine.documents())["v-4711"]["priority"] == 1


@pytest.mark.situation("field.unread")
async def test_what_cannot_be_mapped_now_is_kept_as_it_is(machine: Engine) -> None:
    await machine.settle(coat(12))
    await machine.push()

    def unread(entity: Entity) -> Iterable[Unmappable]:
        del entity
        return [
            Unmappable("product", "v-4711", Issue("product.unreadable_field", {"fields": "stock"}), keeps=True)
        ]

    machine.target.mapping = unread
    await machine.settle(coat(11))
    await machine.push()

    assert [body["stock"] for body in machine.target.bodies()] == [12]
    assert [one.key for one in await machine.problems()] == ["product.unreadable_field"]


# --- while it is on its way ---------------------------------------------------------------------------------


async def test_a_change_during_the_sending_is_sent_afterwards(machine: Engine) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if len(machine.target.received) == 1:
            await machine.settle(coat(11))
        async for said in accept(documents):
            yield said

    machine.target.script = meanwhile
    await machine.settle(coat(12))

    await machine.push()

    assert [body["stock"] for body in machine.target.bodies()] == [12, 11]
    assert await machine.documents() == {}


async def test_what_reverts_during_the_sending_is_still_corrected(machine: Engine) -> None:
    """They had 12, 11 is on its way, and it is 12 again: without a second document they would keep 11."""
    await machine.settle(coat(12))
    await machine.push()

    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if len(machine.target.received) == 2:
            await machine.settle(coat(12))
        async for said in accept(documents):
            yield said

    machine.target.script = meanwhile
    await machine.settle(coat(11))

    await machine.push()

    assert [body["stock"] for body in machine.target.bodies()] == [12, 11, 12]


async def test_what_is_deleted_during_its_first_sending_is_looked_at_again_and_retired(machine: Engine) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if len(machine.target.received) == 1:
            await machine.settle(missing=("12",))
        async for said in accept(documents):
            yield said

    machine.target.script = meanwhile
    await machine.settle(coat(12))
    await machine.push()
    assert machine.again == {"12"}

    await machine.settle(missing=("12",))
    await machine.push()

    assert machine.target.bodies()[-1] == {"id": "v-4711", "gone": True}


async def test_what_is_not_wanted_any_more_and_was_not_sent_yet_goes_with_its_claim(machine: Engine) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        machine.target.mapping = lambda _entity: []
        await machine.settle(coat())
        async for said in accept(documents[:0]):
            yield said

    machine.target.script = meanwhile
    await machine.settle(coat())
    await machine.push(monotonic=iter((0.0, 0.0, 20.0, 20.0)).__next__)

    assert await machine.documents() == {}


@pytest.mark.parametrize("stock", [12, 11])
async def test_what_is_wanted_again_while_it_is_on_its_way_is_sent(machine: Engine, stock: int) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        if len(machine.target.received) == 1:
            usual, machine.target.mapping = machine.target.mapping, lambda _entity: []
            await machine.settle(coat(12))
            machine.target.mapping = usual
            await machine.settle(coat(stock))
        async for said in accept(documents):
            yield said

    machine.target.script = meanwhile
    await machine.settle(coat(12))

    await machine.push()

    assert [body["stock"] for body in machine.target.bodies()][-1] == stock
    assert await machine.documents() == {}


@pytest.mark.parametrize("meanwhile", ["nothing", "changed", "withdrawn", "missing once"])
async def test_what_is_on_its_way_is_wanted_as_long_as_nothing_else_was_read(
    machine: Engine, meanwhile: str
) -> None:
    wanted: list[bool] = []

    async def looking(taken: Sequence[Document]) -> AsyncIterator[Said]:
        if not wanted:
            await _read(machine, meanwhile)
            async with machine.db.connect() as tx:
                wanted.append(await is_wanted(tx, machine.shop_id, "upp", taken[0], now=machine.watch()))
        async for said in accept(taken):
            yield said

    machine.target.script = looking
    await machine.settle(coat(12))
    await machine.push()

    assert wanted == [meanwhile == "nothing"]


async def _read(machine: Engine, meanwhile: str) -> None:
    match meanwhile:
        case "changed":
            await machine.settle(coat(11))
        case "withdrawn":
            machine.target.mapping = lambda _entity: []
            await machine.settle(coat(12))
        case "missing once":
            async with machine.db.begin() as tx:
                later = machine.watch() + timedelta(minutes=2)
                await outbox.postpone(tx, machine.shop_id, "upp", ["12"], until=later)
        case _:
            await machine.settle(coat(12))


async def test_what_stopped_for_a_person_and_goes_with_its_claim_asks_that_person_no_more(machine: Engine) -> None:
    async def meanwhile(documents: Sequence[Document]) -> AsyncIterator[Said]:
        machine.target.mapping = lambda _entity: []
        await machine.settle(coat())
        async for said in accept(documents[:0]):
            yield said

    await machine.settle(coat())
    machine.target.script = one_by_one(lambda _: Parked(Issue("product.refused", {"message": "no"})))
    await machine.push()
    assert [one.key for one in await machine.problems()] == ["product.refused"]
    async with machine.db.begin() as tx:
        await outbox.release(tx, machine.shop_id, "upp", now=machine.watch())
    machine.target.script = meanwhile

    await machine.push(monotonic=iter((0.0, 0.0, 20.0, 20.0)).__next__)

    assert await machine.problems() == []


# --- no longer wanted ---------------------------------------------------------------------------------------


async def test_what_is_desired_no_more_is_withdrawn(machine: Engine) -> None:
    await machine.settle(coat())
    machine.target.mapping = lambda _entity: []

    await machine.settle(coat())

    assert await machine.documents() == {}


async def test_a_draft_for_known_things_is_not_sent_to_those_who_never_had_it(machine: Engine) -> None:
    machine.target.mapping = known_only

    assert await machine.settle(coat()) == set()
    assert await machine.documents() == {}


async def test_a_draft_for_known_things_is_sent_to_those_who_have_it(machine: Engine) -> None:
    await machine.settle(coat(12))
    await machine.push()
    machine.target.mapping = known_only

    await machine.settle(coat(0))
    await machine.push()

    assert [body["stock"] for body in machine.target.bodies()] == [12, 0]


async def test_a_draft_for_known_things_replaces_what_waits_for_the_first_time(machine: Engine) -> None:
    await machine.settle(coat(12))
    machine.target.mapping = known_only

    await machine.settle(coat(0))

    assert await machine.documents() == {}


def known_only(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
    for draft in mirror(entity):
        assert isinstance(draft, DesiredDocument)
        yield replace(draft, only_if_known=True)


# --- deletion -----------------------------------------------------------------------------------------------


@pytest.mark.situation("product.deleted")
async def test_a_deleted_product_is_retired_once(machine: Engine) -> None:
    await machine.settle(coat())
    await machine.push()

    for _ in range(2):
        await machine.settle(missing=("12",))
        await machine.push()

    assert machine.target.bodies()[1:] == [{"id": "v-4711", "gone": True}]
    assert await machine.documents() == {}


async def test_a_variant_that_vanishes_is_retired_and_the_others_stay(machine: Engine) -> None:
    red, blue = make_variant(1), make_variant(2)
    await machine.settle(make_product(red, blue))
    await machine.push()

    await machine.settle(make_product(blue))
    await machine.push()

    assert machine.target.bodies()[2:] == [{"id": "v-1", "gone": True}]
    assert machine.target.times() == {"v-1": 2, "v-2": 1}


async def test_a_deleted_product_that_was_never_delivered_is_forgotten(machine: Engine) -> None:
    await machine.settle(coat())

    await machine.settle(missing=("12",))

    assert await machine.documents() == {}


async def test_a_product_that_returns_is_sent_again(machine: Engine) -> None:
    await machine.settle(coat())
    await machine.push()
    await machine.settle(missing=("12",))
    await machine.push()

    await machine.settle(coat())
    await machine.push()

    assert machine.target.bodies()[-1]["stock"] == 12


async def test_a_deleted_order_of_which_nothing_was_kept_is_left_alone(machine: Engine) -> None:
    order = make_order()
    await machine.settle(order, kind="order")
    await machine.push()

    await machine.settle(kind="order", missing=(order.key,))

    assert await machine.documents() == {}


# --- parked -------------------------------------------------------------------------------------------------


async def park(machine: Engine) -> None:
    async def refuse(documents: Sequence[Document]) -> AsyncIterator[Said]:
        yield [(one, Parked(Issue("uphance.sku_unknown", {"sku": "X"}))) for one in documents]

    await machine.settle(coat(12))
    before, machine.target.script = machine.target.script, refuse
    await machine.push()
    machine.target.script = before


async def test_what_is_parked_stays_parked_while_it_says_the_same(machine: Engine) -> None:
    await park(machine)

    assert await machine.settle(coat(12)) == set()
    await machine.push()

    assert (await machine.documents())["v-4711"]["state"] == "parked"
    assert machine.target.times() == {"v-4711": 1}


async def test_what_is_parked_waits_again_when_it_says_something_new(machine: Engine) -> None:
    await park(machine)

    assert await machine.settle(coat(11)) == {"12"}

    row = (await machine.documents())["v-4711"]
    assert (row["state"], row["reason"], row["attempts"]) == ("waiting", None, 0)
    await machine.push()
    assert await machine.problems() == []


async def test_what_is_parked_goes_when_it_is_released(machine: Engine) -> None:
    await park(machine)

    async with machine.db.begin() as tx:
        assert await outbox.release(tx, machine.shop_id, "upp", now=machine.watch()) == 1
    machine.watch.move(seconds=60)
    await machine.push()

    assert await machine.documents() == {}
    assert await machine.problems() == []


async def test_only_what_is_named_is_released(machine: Engine) -> None:
    await park(machine)

    async with machine.db.begin() as tx:
        nothing = await outbox.release_some(tx, machine.shop_id, "upp", [("product", "v-1")], now=machine.watch())
        one = await outbox.release_some(tx, machine.shop_id, "upp", [("product", "v-4711")], now=machine.watch())

    assert (nothing, one) == (set(), {("product", "v-4711")})


# --- problems -----------------------------------------------------------------------------------------------


def no_price(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
    assert isinstance(entity, Product)
    for variant in entity.variants:
        yield Unmappable("product", variant.id, Issue("product.no_price", {"language": "cs"}))


async def test_what_cannot_be_mapped_is_a_problem_once_and_stops_nothing(machine: Engine) -> None:
    def some(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
        return no_price(entity) if entity.key == "12" else mirror(entity)

    machine.target.mapping = some
    other = make_product(make_variant(1, product_id=13), product_id=13)

    for _ in range(3):
        await machine.settle(coat(), other)

    [problem] = await machine.problems()
    assert (problem.key, problem.entity, problem.parent, problem.target) == (
        "product.no_price",
        "v-4711",
        "12",
        "upp",
    )
    assert [*await machine.documents()] == ["v-1"]


async def test_a_problem_keeps_its_beginning_and_takes_the_newest_details(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())
    [first] = await machine.problems()
    machine.target.mapping = lambda _: [Unmappable("product", "v-4711", Issue("product.no_price", {"x": 1}))]

    await machine.settle(coat())

    [second] = await machine.problems()
    assert (second.id, second.since, dict(second.params)) == (first.id, first.since, {"x": 1})


async def test_a_problem_closes_when_it_is_resolved(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())
    machine.target.mapping = mirror

    await machine.settle(coat())

    assert await machine.problems() == []


async def test_a_problem_closes_when_the_thing_is_gone(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())

    await machine.settle(missing=("12",))

    assert await machine.problems() == []


async def test_a_problem_of_one_thing_is_not_closed_by_another(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())

    await machine.settle(make_product(make_variant(1, product_id=13), product_id=13))

    assert [problem.entity for problem in await machine.problems()] == ["v-4711", "v-1"]


async def test_a_dismissed_problem_does_not_come_back_for_the_same_cause(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())
    [problem] = await machine.problems()
    await machine.service.problem_actions.dismiss(problem.id)

    await machine.settle(coat())

    assert await machine.problems() == []


async def test_a_dismissed_problem_comes_back_if_it_was_resolved_meanwhile(machine: Engine) -> None:
    machine.target.mapping = no_price
    await machine.settle(coat())
    [problem] = await machine.problems()
    await machine.service.problem_actions.dismiss(problem.id)
    machine.target.mapping = mirror
    await machine.settle(coat())

    machine.target.mapping = no_price
    await machine.settle(coat())

    assert len(await machine.problems()) == 1


async def test_what_cannot_be_read_never_stops_the_batch_and_is_named(machine: Engine) -> None:
    read = ReadBatch("product", [coat()], broken=[BadEntity("13", "prices.0.vat: is not a number")])

    await machine.settle(read=read)

    assert [*await machine.documents()] == ["v-4711"]
    [problem] = await machine.problems()
    assert (problem.key, problem.target, problem.entity) == ("product.unreadable", "upgates", "13")
    assert problem.params["reason"] == "prices.0.vat: is not a number"


async def test_what_can_be_read_again_closes_its_problem(machine: Engine) -> None:
    await machine.settle(read=ReadBatch("product", [], broken=[BadEntity("12", "is not text")]))

    await machine.settle(coat())

    assert await machine.problems() == []


async def test_what_cannot_be_read_is_not_taken_for_deleted(machine: Engine) -> None:
    await machine.settle(coat())
    await machine.push()

    await machine.settle(read=ReadBatch("product", [], broken=[BadEntity("12", "is not text")]))

    assert await machine.documents() == {}
    assert await machine.value("SELECT count(*) FROM variants") == 1


def stumbling_over(key: str) -> Callable[[Entity], Iterable[DesiredDocument | Unmappable]]:
    """A mapping with a defect that one entity brings to light."""

    def mapping(entity: Entity) -> Iterable[DesiredDocument | Unmappable]:
        if entity.key == key:
            raise ZeroDivisionError
        return mirror(entity)

    return mapping


async def test_a_defect_that_one_entity_brings_to_light_stops_no_other_and_is_named(machine: Engine) -> None:
    machine.target.mapping = stumbling_over("12")

    await machine.settle(coat(), make_product(make_variant(id="v-5"), product_id=13))

    assert [*await machine.documents()] == ["v-5"]
    [problem] = await machine.problems()
    assert (problem.key, problem.target, problem.kind, problem.entity) == (
        "mapping.failed",
        "upp",
        "product",
        "12",
    )


async def test_a_defect_takes_nothing_back_and_sends_nothing_outdated(machine: Engine) -> None:
    await machine.settle(coat(12))
    await machine.push()
    await machine.settle(coat(11))
    machine.target.mapping = stumbling_over("12")

    await machine.settle(coat(10))

    assert await machine.documents() == {}
    await machine.push()
    assert [body["stock"] for body in machine.target.bodies()] == [12]


async def test_a_defect_that_was_repaired_closes_its_problem(machine: Engine) -> None:
    machine.target.mapping = stumbling_over("12")
    await machine.settle(coat())
    machine.target.mapping = mirror

    await machine.settle(coat())

    assert await machine.problems() == []
    assert [*await machine.documents()] == ["v-4711"]


# --- recognised ---------------------------------------------------------------------------------------------


async def save(machine: Engine, **values: Any) -> None:
    order = make_order()
    link = Link(**{"kind": "order", "key": order.key, "parent": order.key, "remote_id": "99", **values})
    async with machine.db.begin() as tx:
        await save_links(tx, machine.shop_id, "upp", [link], now=machine.watch())


async def test_what_is_there_already_is_taken_for_delivered(machine: Engine) -> None:
    order = make_order()
    await save(machine)

    assert await machine.settle(order, kind="order") == set()

    assert await machine.documents() == {}
    [draft] = mirror(order)
    assert isinstance(draft, DesiredDocument)
    assert (await machine.links())[order.key]["hash"] == draft.hash


async def test_what_changes_after_it_was_recognised_is_sent_with_its_link(machine: Engine) -> None:
    order = make_order()
    await save(machine)
    await machine.settle(order, kind="order")

    await machine.settle(order.model_copy(update={"total": Decimal(1)}), kind="order")
    await machine.push()

    [document] = machine.target.received
    assert document.link is not None
    assert document.link.remote_id == "99"


async def test_an_attempt_that_certainly_failed_does_not_count_as_known(machine: Engine) -> None:
    order = make_order()
    [draft] = mirror(order)
    assert isinstance(draft, DesiredDocument)
    await save(machine, state="unsent", hash=draft.hash, remote_id=None)

    assert await machine.settle(order, kind="order") == {order.key}

    assert [*await machine.documents()] == [order.key]


# --- the copy of the catalogue ------------------------------------------------------------------------------


async def test_the_catalogue_copy_follows_the_variants(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(1), make_variant(2)))
    await machine.settle(make_product(make_variant(2, stock=Decimal(5)), make_variant(3)))

    rows = await machine.rows("SELECT key, stock, code, product_id, title FROM variants ORDER BY key")

    assert [(row["key"], row["stock"]) for row in rows] == [("v-2", 5), ("v-3", 12)]
    assert rows[0]["title"] == "Košile"
    await machine.settle(missing=("12",))
    assert await machine.value("SELECT count(*) FROM variants") == 0


async def test_a_variant_that_moves_to_another_product_is_kept(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(1)))

    await machine.settle(make_product(make_variant(1, product_id=13), product_id=13))
    await machine.settle(missing=("12",))

    assert await machine.value("SELECT product_id FROM variants WHERE key = 'v-1'") == 13


# --- any history --------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.just(0)),
        st.tuples(st.just("send"), st.just(0)),
        st.tuples(st.just("change while it is sent"), st.integers(0, 3)),
    ),
    max_size=12,
)


@pytest.mark.rule("R40")
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(steps=STEPS)
async def test_after_any_history_they_have_what_the_shop_has(
    machine: Engine, steps: list[tuple[str, int]]
) -> None:
    for table in ("documents", "links", "variants", "problems", "changes"):
        async with machine.db.begin() as tx:
            await tx.execute(text(f"DELETE FROM {table}"))
    machine.target.received.clear()
    machine.again.clear()
    state: list[int | None] = [None]

    async def apply(stock: int | None) -> None:
        state[0] = stock
        await (machine.settle(missing=("12",)) if stock is None else machine.settle(coat(stock)))

    for step, stock in steps:
        match step:
            case "read":
                await apply(stock)
            case "delete":
                await apply(None)
            case "send":
                await machine.push()
            case _:
                documents = await machine.take()
                await apply(stock)
                if documents:
                    await deliver(machine, documents)
    if machine.again:
        await apply(state[0])
    await machine.push()

    have = machine.target.bodies()[-1] if machine.target.received else None
    if state[0] is not None:
        assert have == {"id": "v-4711", "stock": state[0], "code": "AB-4711"}
    else:
        assert have is None or have.get("gone")
    assert await machine.documents() == {}


async def deliver(machine: Engine, documents: Sequence[Document]) -> None:
    """Settle documents that were taken, as the target would."""
    machine.target.received += documents
    async with machine.db.begin() as tx:
        await record_delivered(
            tx, machine.shop_id, "upp", [(one, delivered(one)) for one in documents], now=machine.watch()
        )
        await outbox.remove(tx, machine.shop_id, "upp", documents)


async def test_a_product_of_a_thousand_variants_is_settled_as_one(machine: Engine) -> None:
    await machine.settle(make_product(*[make_variant(number) for number in range(1, 1001)]))

    assert await machine.value("SELECT count(*) FROM documents") == 1000


# --- what the variants of an order are called by now --------------------------------------------------------


async def test_orders_are_mapped_with_what_their_variants_are_called_by_now(machine: Engine) -> None:
    await machine.settle(make_product(make_variant(5, code="NEW-1", ean=None)))
    sold = make_order(make_line(code="OLD-1", variant_id=5), make_line(code="B", variant_id=9))

    await machine.settle(sold, kind="order")

    assert machine.target.fronts[-1].variant_names == {"v-5": ("NEW-1", None)}
