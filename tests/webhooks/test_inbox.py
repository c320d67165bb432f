"""Storing a delivery: committed or refused within half a second, even if Postgres hangs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.clock import NOON
from tests.support.shops import MakeShop
from upbridge.core.errors import NotFound, NotReady
from upbridge.domain.purpose import Purpose
from upbridge.domain.shop_id import ShopId
from upbridge.store.changes import Kind
from upbridge.store.database import Database
from upbridge.store.gatherings import gather_until
from upbridge.webhooks.connection_pool import InboxPool
from upbridge.webhooks.inbox import DEADLINE, ENOUGH, Inbox, inbox_engine
from upbridge.webhooks.parsing import ChangedKeys

LIMIT = 0.5
"""Seconds in which a delivery is answered."""
AT_ONCE = 5.0
"""Seconds: a request that waits for a lock would wait for ever, many in a row longer. How quick: `make bench`."""

Store = Callable[..., Awaitable[None]]
Rows = Callable[[str], Awaitable[list[Any]]]


@pytest.fixture
def announced() -> list[tuple[ShopId, str]]:
    """What the inbox has told the workers to read at once."""
    return []


@pytest.fixture
async def inbox(
    database: Database, announced: list[tuple[ShopId, str]], webhook_seconds: float
) -> AsyncIterator[Inbox]:
    pool = inbox_engine(database.conninfo, seconds=webhook_seconds)
    inbox = Inbox(pool, lambda: NOON, announce=lambda *what: announced.append(what), seconds=webhook_seconds)
    await inbox.warm_up()
    yield inbox
    await pool.dispose()


@pytest.fixture
def store(inbox: Inbox) -> Store:
    """Store a delivery of one product, or of what is said."""

    async def one(shop_id: ShopId, *keys: str, **more: Any) -> None:
        values = {"source": "upgates", "event": "Products.update", **more}
        changed = ChangedKeys(
            {more.pop("kind", Kind.PRODUCT): list(keys or ("1",))},
            records=len(keys) or 1,
            deletes=more.pop("deletes", False),
        )
        for name in ("kind", "deletes"):
            values.pop(name, None)
        await inbox.store(shop_id, changed=changed, **values)

    return one


@pytest.fixture
def rows(engine: AsyncEngine) -> Rows:
    async def read(query: str) -> list[Any]:
        async with engine.connect() as tx:
            return list(await tx.execute(text(query)))

    return read


async def how_long(work: Awaitable[None]) -> float:
    """Seconds until *work* was refused as not ready."""
    started = time.perf_counter()
    with pytest.raises(NotReady):
        await work
    return time.perf_counter() - started


async def accepted(store: Store, shop_id: ShopId) -> None:
    """Store a delivery, again while it is refused as not ready, as Upgates does."""
    while True:
        try:
            return await store(shop_id)
        except NotReady:
            continue


class Gate(InboxPool):
    """Connections that wait for their turn."""

    under_way = 0

    def __init__(self, conninfo: str, **limits: float) -> None:
        super().__init__(conninfo, **limits)
        self.opened = asyncio.Event()

    async def value(self, query: bytes, values: Mapping[str, Any], *, patient: bool = False) -> Any:
        """Wait, then run it."""
        self.under_way += 1
        await self.opened.wait()
        return await super().value(query, values, patient=patient)


class TestStoring:
    async def test_an_announced_deletion_is_remembered_beside_all_else_that_is_said_of_the_thing(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id = await make_shop()
        for deletes in (False, True, False):
            await store(shop_id, "1", deletes=deletes)
        await store(shop_id, "2")

        found = await rows("SELECT key, origin FROM changes ORDER BY key")

        assert [tuple(row) for row in found] == [("1", "deletion"), ("2", "webhook")]

    @pytest.mark.parametrize("state", ["uninstalling", "uninstalled"])
    async def test_a_shop_that_does_not_listen_is_not_found_and_nothing_is_kept(
        self, store: Store, rows: Rows, make_shop: MakeShop, state: str
    ) -> None:
        with pytest.raises(NotFound):
            await store(await make_shop(state=state))

        assert await rows("SELECT FROM deliveries UNION ALL SELECT FROM changes") == []

    @pytest.mark.rule("R36", "R40")
    async def test_what_comes_at_once_goes_together_and_each_is_kept(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()

        await asyncio.gather(
            *(store(shop_id, str(number % 50), event=f"Products.{number}") for number in range(300)),
            *(store(other, str(number)) for number in range(30)),
            *(store(shop_id, "c", source="uphance", kind=Kind.CATALOGUE) for _ in range(30)),
        )

        deliveries = await rows("SELECT event, xmin::text AS written FROM deliveries WHERE event LIKE '%.%'")
        assert {row.event for row in deliveries} >= {f"Products.{number}" for number in range(300)}
        assert len(deliveries) == 360
        assert len({row.written for row in deliveries}) < 60
        counts = await rows("SELECT count(*) AS n FROM changes GROUP BY shop_id, source ORDER BY 1")
        assert [row.n for row in counts] == [1, 30, 50]

    async def test_what_comes_at_once_for_many_shops_is_one_commit_and_a_gone_shop_harms_none(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_ids, gone = [await make_shop() for _ in range(12)], await make_shop(state="uninstalled")

        came = await asyncio.gather(
            *(store(shop_id, "2") for shop_id in shop_ids),
            store(gone),
            return_exceptions=True,
        )

        assert [type(one) for one in came if one is not None] == [NotFound]
        kept = await rows("SELECT shop_id, xmin::text AS written FROM deliveries")
        assert {row.shop_id for row in kept} == set(shop_ids)
        assert len({row.written for row in kept}) == 1
        assert {row.shop_id for row in await rows("SELECT shop_id FROM changes")} == set(shop_ids)

    @pytest.mark.rule("R36", "R40")
    async def test_a_few_wait_for_the_commit_under_way_and_many_go_beside_it(
        self, database: Database, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id, pool = await make_shop(), Gate(database.conninfo, statement_seconds=9, lock_seconds=9)
        inbox = Inbox(pool, lambda: NOON, announce=lambda *_: None)
        stored = []

        async def come(*keys: int) -> int:
            """Store a delivery of each key; how many statements are under way then."""
            for key in keys:
                changed = ChangedKeys({Kind.PRODUCT: [str(key)]}, records=1)
                one = inbox.store(shop_id, source="upgates", event="Products.update", changed=changed)
                stored.append(asyncio.create_task(one))
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            return pool.under_way

        assert [await come(0), await come(*range(1, ENOUGH)), await come(0)] == [1, 1, 2]
        assert await come(*range(2 * ENOUGH)) == 2
        pool.opened.set()
        await asyncio.gather(*stored)

        kept = await rows("SELECT xmin::text AS written FROM deliveries")
        assert (len(kept), len({row.written for row in kept})) == (3 * ENOUGH + 1, 3)
        assert len(await rows("SELECT FROM changes")) == 2 * ENOUGH
        await pool.dispose()

    async def test_an_old_and_a_new_address_of_a_shop_may_name_the_same_thing_at_once(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id = await make_shop()

        await asyncio.gather(store(shop_id), *(store(shop_id, "2", generation=number % 2) for number in range(4)))

        assert len(await rows("SELECT FROM deliveries")) == 5
        assert [row.key for row in await rows("SELECT key FROM changes ORDER BY key")] == ["1", "2"]

    @pytest.mark.rule("R39")
    async def test_bodies_of_five_thousand_records_are_not_put_together(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id = await make_shop()

        await asyncio.gather(*(store(shop_id, *(str(part * 5000 + n) for n in range(5000))) for part in range(2)))

        deliveries = await rows("SELECT records, xmin::text AS written FROM deliveries")
        assert [row.records for row in deliveries] == [5000, 5000]
        assert len({row.written for row in deliveries}) == 2
        assert (await rows("SELECT count(*) AS n FROM changes"))[0].n == 10_000


class TestWhenItIsDue:
    async def test_the_first_after_a_quiet_time_is_due_at_once_and_wakes_a_worker(
        self, store: Store, rows: Rows, make_shop: MakeShop, announced: list[tuple[ShopId, str]]
    ) -> None:
        shop_id = await make_shop()

        await store(shop_id, "1", "2")

        assert {row.due_at for row in await rows("SELECT due_at FROM changes")} == {NOON}
        assert announced == [(shop_id, "upgates")]

    @pytest.mark.parametrize(
        ("after", "due"),
        [(5, 5), (0, 0), (-5, 0), (3_600, 3_600), pytest.param(86_400, 0, id="a worker's clock was a day ahead")],
    )
    async def test_what_comes_while_its_kind_is_gathered_is_due_when_that_ends(  # noqa: PLR0917
        self,
        store: Store,
        rows: Rows,
        make_shop: MakeShop,
        engine: AsyncEngine,
        announced: list[tuple[ShopId, str]],
        after: int,
        due: int,
    ) -> None:
        shop_id, other = await make_shop(), await make_shop()
        async with engine.begin() as tx:
            until = NOON + timedelta(seconds=after)
            await gather_until(tx, shop_id, "upgates", Purpose.PRODUCTS, until)

        await store(shop_id, "1")
        await store(shop_id, "A-1", kind=Kind.ORDER)
        await store(other, "1")

        found = await rows("SELECT shop_id, kind, due_at FROM changes")
        at = {(row.shop_id, row.kind): row.due_at for row in found}
        assert at[shop_id, "product"] == NOON + timedelta(seconds=due)
        assert at[shop_id, "order"] == at[other, "product"] == NOON
        assert announced.count((shop_id, "upgates")) == (1 if due else 2)


class TestWhatCannotBeStored:
    @pytest.mark.deadline
    @pytest.mark.rule("R37")
    @pytest.mark.parametrize("table", ["changes", "deliveries", "shops"])
    async def test_is_refused_in_time_while_a_table_is_locked(
        self, store: Store, rows: Rows, make_shop: MakeShop, engine: AsyncEngine, table: str
    ) -> None:
        shop_id = await make_shop()
        async with engine.begin() as tx:
            await tx.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            assert DEADLINE * 0.9 < await how_long(store(shop_id)) < AT_ONCE

        await accepted(store, shop_id)
        assert await rows("SELECT key FROM changes")

    @pytest.mark.deadline
    @pytest.mark.rule("R37")
    async def test_keeps_no_other_shop_waiting(
        self, store: Store, rows: Rows, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        locked, others = await make_shop(), [await make_shop() for _ in range(5)]
        await store(locked)
        async with engine.begin() as tx:
            await tx.execute(text("SELECT FROM changes FOR UPDATE"))
            waits = asyncio.create_task(how_long(store(locked)))
            await asyncio.gather(*(accepted(store, shop_id) for shop_id in others))
            assert await waits > DEADLINE * 0.9

        assert {row.shop_id for row in await rows("SELECT shop_id FROM changes")} == {locked, *others}

    @pytest.mark.deadline
    @pytest.mark.rule("R37")
    async def test_never_waits_longer_however_many_wait(
        self, store: Store, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_ids = [await make_shop() for _ in range(20)]
        async with engine.begin() as tx:
            await tx.execute(text("LOCK TABLE changes IN ACCESS EXCLUSIVE MODE"))
            waits = await asyncio.gather(*(how_long(store(shop_ids[n % 20])) for n in range(400)))

        assert DEADLINE < LIMIT
        assert max(waits) < AT_ONCE < DEADLINE * 400 / 20
        for shop_id in shop_ids:
            await accepted(store, shop_id)

    async def test_is_stored_beside_a_long_transaction(
        self, store: Store, rows: Rows, make_shop: MakeShop, engine: AsyncEngine
    ) -> None:
        shop_id = await make_shop()
        async with engine.connect() as tx:
            for table in ("shops", "changes", "deliveries"):
                await tx.execute(text(f"SELECT count(*) FROM {table}"))
            await store(shop_id)

        assert await rows("SELECT key FROM changes")

    async def test_is_stored_by_a_new_connection_after_the_server_cut_the_old_ones(
        self, store: Store, rows: Rows, make_shop: MakeShop
    ) -> None:
        shop_id = await make_shop()
        await store(shop_id, "1")

        cut = await rows(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE application_name = 'inbox' AND datname = current_database()"
        )
        await store(shop_id, "2")

        assert cut
        assert [row.key for row in await rows("SELECT key FROM changes ORDER BY key")] == ["1", "2"]

    @pytest.mark.deadline
    @pytest.mark.rule("R37")
    async def test_is_refused_while_there_is_no_database(self, make_shop: MakeShop) -> None:
        pool = inbox_engine("postgresql://nobody@127.0.0.1:9/nothing")
        inbox = Inbox(pool, lambda: NOON, announce=lambda *_: None)

        changed = ChangedKeys({Kind.PRODUCT: ["1"]}, records=1)
        work = inbox.store(await make_shop(), source="upgates", event="Products.update", changed=changed)
        assert await how_long(work) < AT_ONCE
        with pytest.raises(OSError, match="cannot reach"):
            await inbox.warm_up()
