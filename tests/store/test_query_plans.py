"""Where thousands wait, Postgres reads no more rows than are needed, even if its estimate of due rows is wrong."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.visitors import iterate

from tests.support.engine import Engine
from tests.support.statements import each_question
from upbridge.domain.lane import Lane
from upbridge.domain.purpose import EVERYTHING, Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.domain.sku import code_key
from upbridge.engine import lanes
from upbridge.insights.flow_states import FlowFacts, see
from upbridge.insights.order_list import Box
from upbridge.insights.order_search import MOST_COUNTED, FoundOrders, find_orders
from upbridge.insights.order_search import OrderSearch as WantedOrders
from upbridge.maintenance import retention
from upbridge.store import (
    change_queries,
    changes,
    document_queries,
    link_queries,
    orders,
    schema,
    sku_matching,
    variant_queries,
)
from upbridge.store.changes import Kind

MANY = 3_000
#: A row for each purpose that is looked at, and for each step from one to the next.
A_FEW = 3 * len(Purpose)

Asked = list[tuple[str, Any]]


@contextmanager
def asking(machine: Engine) -> Iterator[Asked]:
    """The statements of a block."""
    asked: Asked = []
    with each_question(machine.db, lambda words, values: asked.append((words, values))):
        yield asked


async def rows_read(machine: Engine, table: str, work: Callable[[], Awaitable[Any]]) -> int:
    """How many rows of *table* were looked at for what *work* asks the database."""
    with asking(machine) as asked:
        await work()
    read = 0
    for statement, values in asked:
        async with machine.db.connect() as tx:
            found = await tx.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            plan = found.scalar_one()
            await tx.rollback()
        [top] = json.loads(plan) if isinstance(plan, str) else plan
        read += sum(_looked_at(node) for node in _nodes(top["Plan"]) if node.get("Relation Name") == table)
    return read


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _looked_at(node: dict[str, Any]) -> int:
    if node["Node Type"] == "ModifyTable":
        return 0
    rows = float(node["Actual Rows"]) + float(node.get("Rows Removed by Filter", 0))
    return round(rows * int(node["Actual Loops"]))


async def due(machine: Engine) -> list[Lane]:
    return list(await lanes.due(machine.db, machine.service.systems, now=machine.watch(), only=machine.shop_id))


async def take(machine: Engine, limit: int = 100) -> list[changes.Change]:
    async with machine.db.connect() as tx:
        return await change_queries.claim(
            tx, machine.shop_id, "upgates", below=EVERYTHING, limit=limit, now=machine.watch()
        )


@pytest.fixture
async def crowded(machine: Engine) -> Engine:
    """A shop whose catalogue and orders have all changed at once; the table was counted when it had grown
    (`maintenance/analyze.py`), and not since."""
    await machine.mark(Kind.PRODUCT, *(str(number) for number in range(MANY)))
    await machine.mark(Kind.ORDER, *(f"A-{number}" for number in range(MANY)), purpose=Purpose.SAFETY)
    await machine.run("ANALYZE changes")
    return machine


async def test_a_batch_is_read_and_not_all_that_it_is_taken_from(crowded: Engine) -> None:
    assert len(await take(crowded)) == 100

    assert await rows_read(crowded, "changes", lambda: take(crowded)) <= 100 + A_FEW


async def test_what_is_gathered_until_later_is_not_read_every_second(crowded: Engine) -> None:
    later = crowded.watch() + timedelta(hours=1)
    async with crowded.db.begin() as tx:
        await changes.gather(tx, crowded.shop_id, "upgates", list(Purpose), until=later)
    assert await due(crowded) == []
    assert await take(crowded) == []

    assert await rows_read(crowded, "changes", lambda: due(crowded)) <= A_FEW
    assert await rows_read(crowded, "changes", lambda: take(crowded)) <= A_FEW
    crowded.watch.now = later
    assert await due(crowded) == [Lane.pull(crowded.shop_id, "upgates")]


async def test_what_has_no_budget_is_not_read_every_second(crowded: Engine) -> None:
    lane = Lane.pull(crowded.shop_id, "upgates")
    await lanes.block(crowded.db, lane, reason="no budget", now=crowded.watch(), priority=int(Purpose.PRODUCTS))
    assert await due(crowded) == []

    assert await rows_read(crowded, "changes", lambda: due(crowded)) <= A_FEW
    await crowded.mark(Kind.FACTS, "facts")
    assert await due(crowded) == [lane]


async def test_what_is_kept_is_not_read_to_find_what_is_thrown_away(machine: Engine) -> None:
    await machine.run(
        "INSERT INTO orders (shop_id, number, ordered_at, read_at)"
        " SELECT :shop_id, n::text, CAST(:now AS timestamptz), :now FROM generate_series(1, :many) AS n",
        now=machine.watch(),
        many=MANY,
    )
    await machine.run(
        "INSERT INTO problems (shop_id, stage, key, target, kind, entity, parent, params, message, since)"
        " SELECT :shop_id, 'map', 'product.no_price', 'upp', 'product', n::text, n::text, '{}', '', :now"
        " FROM generate_series(1, :many) AS n",
        now=machine.watch(),
        many=MANY,
    )

    # What it believes of them may come from a moment before they were filled.
    await machine.run("ANALYZE orders, problems")

    async def prune() -> None:
        await retention.prune(machine.db, now=machine.watch())

    assert await rows_read(machine, "orders", prune) == 0
    assert await rows_read(machine, "problems", prune) == 0


async def test_what_a_page_is_judged_by_is_one_statement_and_reads_no_link_but_the_newest(machine: Engine) -> None:
    await machine.run(
        "INSERT INTO links (shop_id, target, kind, key, hash, updated_at)"
        " SELECT :shop_id, 'upp', 'product', n::text, 'hash', CAST(:now AS timestamptz) - n * interval '1 second'"
        " FROM generate_series(0, :many) AS n",
        now=machine.watch(),
        many=MANY,
    )
    await machine.run("ANALYZE links")
    found: list[FlowFacts] = []

    async def judge() -> None:
        async with machine.db.connect() as tx:
            found.append(await see(tx, machine.service.systems, machine.shop_id))

    with asking(machine) as asked:
        await judge()

    assert len(asked) == 1
    assert found[0].last_at == {("upp", "product"): machine.watch()}
    assert await rows_read(machine, "links", judge) <= A_FEW


async def test_a_page_of_orders_reads_no_more_orders_than_it_has(machine: Engine) -> None:
    await machine.run(
        "INSERT INTO orders (shop_id, number, ordered_at, read_at)"
        " SELECT :shop_id, n::text, CAST(:now AS timestamptz) - n * interval '1 second', :now"
        " FROM generate_series(1, :many) AS n",
        now=machine.watch(),
        many=MANY,
    )
    await machine.run("ANALYZE orders")
    middle = orders.KnownOrder(str(MANY // 2), machine.watch() - timedelta(seconds=MANY // 2))

    async def page() -> list[orders.KnownOrder]:
        async with machine.db.connect() as tx:
            return await orders.newest_before(tx, machine.shop_id, middle, since=None, most=100)

    assert [one.number for one in await page()][:2] == [str(MANY // 2 + 1), str(MANY // 2 + 2)]
    assert await rows_read(machine, "orders", page) <= 100 + A_FEW


def test_a_search_of_titles_needs_nothing_that_an_index_of_the_shop_does_not_have() -> None:
    query = variant_queries.titled(ShopId(uuid4()), "vlněný", most=20)
    read = {part.name for part in iterate(query) if isinstance(part, Column) and part.table is schema.variants}
    [index] = [one for one in schema.variants.indexes if one.name == "variants_match_idx"]

    assert index.columns.keys()[0] == "shop_id"
    assert "title_folded" in read
    assert read <= {*index.columns.keys(), *index.dialect_options["postgresql"]["include"]}


@pytest.fixture
async def uncounted(machine: Engine) -> Engine:
    """Right after an import Postgres knows of another shop's variants alone, and expects none of this one."""
    other = await machine.make_shop()
    fill = (
        "INSERT INTO variants (shop_id, product_id, key, code, ean, stock_own, active, listed)"
        " SELECT :owner, n, n::text, 'C' || n, n::text, true, true, true FROM generate_series(1, :many) AS n"
    )
    await machine.run(fill, owner=other, many=MANY)
    await machine.run("ANALYZE variants")
    await machine.run(fill, owner=machine.shop_id, many=MANY)
    return machine


async def matching_reads(tx: AsyncConnection) -> int:
    """The rows of `variants` that this transaction has looked at."""
    found = await tx.scalar(
        text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'variants'")
    )
    return int(found or 0)


async def test_a_catalogue_that_was_not_counted_yet_is_matched_without_reading_it_for_each_variant(
    uncounted: Engine,
) -> None:
    async with uncounted.db.begin() as tx:
        await sku_matching.rematch_all(tx, uncounted.shop_id)
        read = await matching_reads(tx)

    assert MANY <= read <= 10 * MANY


async def test_a_page_of_a_catalogue_that_was_not_counted_yet_reads_it_once_at_most(
    uncounted: Engine,
) -> None:
    page = range(1, 301)
    names = sku_matching.Keys.of([(code_key(f"C{number}"), code_key(str(number))) for number in page])

    async with uncounted.db.begin() as tx:
        await sku_matching.rematch(tx, uncounted.shop_id, list(page), names)
        read = await matching_reads(tx)

    assert len(page) <= read <= 3 * MANY


def test_an_index_of_names_is_no_way_to_orders_that_have_none() -> None:
    """Postgres takes orders for as fresh as products. If it may, it reads all of a shop through such an index to
    count those of a month."""
    conditions = {
        str(index.name): str(index.dialect_options["postgresql"]["where"])
        for index in schema.links.indexes
        if index.name in {"links_remote_id_idx", "links_order_number_idx"}
    }

    assert len(conditions) == 2
    for condition in conditions.values():
        assert condition.endswith(" IS NOT NULL")


async def test_an_order_is_found_by_what_a_system_calls_it_without_reading_the_others(machine: Engine) -> None:
    await machine.run(
        "INSERT INTO links (shop_id, target, kind, key, parent, remote_id, metadata, updated_at)"
        " SELECT :shop_id, 'upp', 'order', 'A-' || n, 'A-' || n, (7000 + n)::text,"
        " jsonb_build_object('order_number', 'SO' || n), :now FROM generate_series(1, :many) AS n",
        now=machine.watch(),
        many=MANY,
    )
    await machine.run("ANALYZE links")
    found: list[list[str]] = []

    async def find() -> None:
        async with machine.db.connect() as tx:
            for name in ("7012", "SO12", "nothing"):
                query = link_queries.called(machine.shop_id, ["upp", "uphance"], "order", name)
                found.append(list(await tx.scalars(query.limit(20))))

    await find()
    assert found == [["A-12"], ["A-12"], []]
    assert await rows_read(machine, "links", find) <= A_FEW


async def test_orders_that_wait_or_were_sent_are_found_by_the_beginning_of_their_number_and_no_others_read(
    machine: Engine,
) -> None:
    for target in ("upp", "uphance"):
        for kind in ("order", "product"):
            await machine.run(
                "INSERT INTO documents (shop_id, target, kind, key, parent, body, hash, priority)"
                " SELECT :shop_id, :target, :kind, n::text, n::text, '', '', 1"
                " FROM generate_series(260001, 260000 + :many) AS n",
                target=target,
                kind=kind,
                many=MANY,
            )
        await machine.run(
            "INSERT INTO links (shop_id, target, kind, key, parent, updated_at)"
            " SELECT :shop_id, :target, 'order', n::text, n::text, :now"
            " FROM generate_series(260001, 260000 + :many) AS n",
            target=target,
            many=MANY,
            now=machine.watch(),
        )
    await machine.run("ANALYZE documents, links")
    found: list[set[str]] = []

    async def find(words: str) -> None:
        async with machine.db.connect() as tx:
            to = ["upp", "uphance"]
            waiting = document_queries.keys_beginning(machine.shop_id, to, words, most=20)
            sent = link_queries.keys_beginning(machine.shop_id, to, "order", words, most=20)
            found.extend([set(await tx.scalars(query)) for query in (waiting, sent)])

    await find("26")
    assert found == [{str(number) for number in range(260001, 260021)}] * 2
    for table in ("documents", "links"):
        assert await rows_read(machine, table, lambda: find("26")) <= 40 + A_FEW


async def test_orders_of_a_box_are_found_and_counted_in_one_look(machine: Engine) -> None:
    await machine.run(
        "INSERT INTO orders (shop_id, number, ordered_at, read_at)"
        " SELECT :shop_id, n::text, CAST(:now AS timestamptz) - n * interval '1 second', :now"
        " FROM generate_series(1, :many) AS n",
        now=machine.watch(),
        many=MOST_COUNTED + 70,
    )

    async def page(offset: int) -> FoundOrders:
        async with machine.db.connect() as tx:
            return await find_orders(
                tx,
                machine.shop_id,
                WantedOrders(box=Box.HELD),
                platform="upgates",
                systems=["upp"],
                offset=offset,
                limit=50,
            )

    with asking(machine) as asked:
        first = await page(0)
    looks = [statement for statement, _ in asked if "signs" in statement]
    behind = await page(MOST_COUNTED + 50)

    assert len(looks) == 1
    assert (first.count, first.more) == (behind.count, behind.more) == (MOST_COUNTED, True)
    assert [one.number for one in first.orders] == [str(number) for number in range(1, 51)]
    assert [one.number for one in behind.orders] == [str(MOST_COUNTED + 50 + number) for number in range(1, 21)]
