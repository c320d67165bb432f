"""The operator hears once that something has stopped and once that it is over, from the process that sees it."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from tests.support.clock import MovableClock
from tests.support.mail import Box
from tests.support.shops import MakeShop
from upbridge.core.encryption import Cipher
from upbridge.domain.shop import BY_LOST_KEY
from upbridge.domain.shop_id import ShopId
from upbridge.mail.operator import MOST_A_DAY, Disk, OperatorWatch
from upbridge.mail.post_office import PostOffice
from upbridge.store import heartbeat
from upbridge.store.connections import Breakage
from upbridge.store.schema import HEAD
from upbridge.systems.registry import SYSTEMS
from upbridge.webhooks.addresses import load_addresses

TO = "operator@example.com"
GB = 1024**3


@dataclass
class Host:
    """What the operator's watch sees, and the mails that come of it."""

    post: PostOffice
    mail: Box
    time: MovableClock
    disk: Disk = field(default=Disk(500 * GB, 1000 * GB))
    worker: bool = True
    """Whether a worker is there."""

    def watch(self, host: str = "one") -> OperatorWatch:
        return OperatorWatch(
            post=self.post, to=TO, systems=SYSTEMS, disk=lambda: self.disk, since=self.time(), host=host
        )

    async def beat(self) -> None:
        async with self.post.engine.begin() as tx:
            await heartbeat.beat(tx, now=self.time())

    async def run(self, statement: str, **values: object) -> None:
        async with self.post.engine.begin() as tx:
            await tx.execute(text(statement), values)

    async def subjects(self, *watches: OperatorWatch, rounds: int = 1) -> list[str]:
        """The subjects of the mails that these watches cause, a look every half minute."""
        for number in range(rounds):
            if number:
                self.time.move(seconds=30)
            if self.worker:
                await self.beat()
            for watch in watches:
                await watch.look()
        self.mail.box.received.clear()
        await self.post.send_due()
        assert all(one.recipients == (TO,) for one in self.mail.box.received)
        return [one.subject for one in self.mail.box.received]


@pytest.fixture
async def host(post: PostOffice, mail: Box, watch: MovableClock) -> Host:
    found = Host(post, mail, watch)
    await found.beat()
    return found


async def test_where_all_is_well_no_mail_is_written(host: Host, make_shop: MakeShop) -> None:
    await make_shop()

    assert await host.subjects(host.watch(), rounds=3) == []


async def test_a_suspended_shop_is_one_mail_and_its_return_another(host: Host, make_shop: MakeShop) -> None:
    shop_id = await make_shop(key="eshop", state="suspended", reason="refused")
    watch = host.watch()

    assert await host.subjects(watch) == ["Upbridge: Shop eshop is suspended"]
    assert "Upgates refuses its credentials" in host.mail.box.received[0].body("plain")
    assert await host.subjects(watch, rounds=3) == []
    await host.run("UPDATE shops SET state = 'active' WHERE id = :id", id=shop_id)
    assert await host.subjects(watch, rounds=4) == ["Upbridge: over: Shop eshop is suspended"]
    assert await host.subjects(watch, rounds=3) == []


async def test_several_processes_write_one_mail(host: Host, make_shop: MakeShop) -> None:
    await make_shop(key="eshop", state="suspended", reason="operator")
    watches = [host.watch() for _ in range(4)]

    await asyncio.gather(*(watch.look() for watch in watches))

    assert await host.subjects(*watches) == ["Upbridge: Shop eshop is suspended"]


async def test_what_comes_and_goes_makes_no_mails(host: Host, make_shop: MakeShop) -> None:
    shop_id = await make_shop(key="eshop", state="suspended", reason="refused")
    watch = host.watch()
    assert len(await host.subjects(watch)) == 1

    for _ in range(4):
        for state in ("active", "suspended"):
            await host.run("UPDATE shops SET state = :state WHERE id = :id", id=shop_id, state=state)
            host.time.move(seconds=10)
            assert await host.subjects(watch) == []


async def test_a_dead_login_names_the_shop_and_the_system(host: Host, make_shop: MakeShop) -> None:
    shop_id = await make_shop(key="eshop")
    await connect(host, shop_id, "broken")
    watch = host.watch()

    assert await host.subjects(watch) == ["Upbridge: The login of shop eshop at Uphance is dead"]
    assert "upbridge shops connect eshop uphance" in host.mail.box.received[0].body("plain").replace("\n", " ")
    await host.run("UPDATE connections SET state = 'connected'")
    assert await host.subjects(watch, rounds=4) == ["Upbridge: over: The login of shop eshop at Uphance is dead"]


async def test_a_login_that_no_key_opens_is_not_said_to_be_refused(host: Host, make_shop: MakeShop) -> None:
    await make_shop(key="eshop", state="suspended", reason=BY_LOST_KEY)
    await connect(host, await make_shop(key="other"), "broken", Breakage.UNREADABLE)

    assert await host.subjects(host.watch()) == ["Upbridge: 2 new"]
    body = " ".join(host.mail.box.received[0].body("plain").split()).lower()
    assert body.count("none of upbridge_encryption_keys opens it any more") == 2
    assert "refuse" not in body


async def test_a_login_that_leads_to_another_account_is_not_said_to_be_dead(
    host: Host, make_shop: MakeShop
) -> None:
    await connect(host, await make_shop(key="eshop"), "broken", Breakage.ELSEWHERE)

    (subject,) = await host.subjects(host.watch())

    body = " ".join(host.mail.box.received[0].body("plain").split())
    assert subject == "Upbridge: The login of shop eshop at Uphance leads to another account"
    assert "Was that meant, its staff" in body
    assert "dead" not in body


async def test_keys_that_do_not_open_what_is_stored_are_reported_once_and_when_they_do_again(host: Host) -> None:
    new = Cipher([Fernet.generate_key().decode()])
    await load_addresses(host.post.engine, new)
    old = host.watch()

    (subject,) = await host.subjects(old)
    assert subject == "Upbridge: The encryption keys of one do not open what is stored"
    assert "upbridge keys check" in " ".join(host.mail.box.received[0].body("plain").split())
    assert await host.subjects(old, rounds=4) == []
    host.post = replace(host.post, cipher=new)
    assert await host.subjects(host.watch(), rounds=4) == [f"Upbridge: over: {subject.removeprefix('Upbridge: ')}"]


async def test_the_login_of_a_shop_that_has_left_is_not_reported(host: Host, make_shop: MakeShop) -> None:
    await connect(host, await make_shop(key="eshop", state="uninstalled"), "broken")

    assert await host.subjects(host.watch()) == []


async def connect(host: Host, shop_id: ShopId, state: str, broken_by: str | None = None) -> None:
    await host.run(
        "INSERT INTO connections (shop_id, system, state, broken_by, account)"
        " VALUES (:id, 'uphance', :state, :broken_by, '1')",
        id=shop_id,
        state=state,
        broken_by=broken_by,
    )


async def test_several_at_once_are_one_mail_that_names_each(host: Host, make_shop: MakeShop) -> None:
    for number in range(3):
        await make_shop(key=f"shop-{number}", state="suspended", reason="refused")

    assert await host.subjects(host.watch()) == ["Upbridge: 3 new"]
    body = host.mail.box.received[0].body("plain")
    assert all(f"Shop shop-{number} is suspended" in body for number in range(3))


async def test_a_web_process_tells_that_no_worker_is_there_and_that_one_is_back(host: Host) -> None:
    watch = host.watch()
    host.worker = False
    host.time.move(seconds=119)
    assert await host.subjects(watch) == []
    host.time.move(seconds=1)
    assert await host.subjects(watch) == ["Upbridge: No worker is alive"]
    assert "Nothing is read or sent" in host.mail.box.received[0].body("plain")
    host.worker = True
    assert await host.subjects(watch, rounds=3) == ["Upbridge: over: No worker is alive"]


async def test_a_web_process_that_was_just_started_waits_for_its_worker(host: Host) -> None:
    host.worker = False
    host.time.move(days=2)

    assert await host.subjects(host.watch(), rounds=3) == []


async def test_a_disk_that_fills_up_is_reported_by_its_own_machine_alone(host: Host) -> None:
    full, other = host.watch("full"), host.watch("other")
    host.disk = Disk(40 * GB, 1000 * GB)
    assert await host.subjects(full) == ["Upbridge: The disk of full is nearly full"]
    host.disk = Disk(60 * GB, 1000 * GB)
    assert await host.subjects(other, full, rounds=3) == []
    host.disk = Disk(500 * GB, 1000 * GB)
    assert await host.subjects(other, rounds=3) == []
    assert await host.subjects(full, rounds=3) == ["Upbridge: over: The disk of full is nearly full"]


async def test_the_disk_of_a_machine_that_is_no_more_is_over_after_a_day(host: Host) -> None:
    host.disk = Disk(40 * GB, 1000 * GB)
    assert len(await host.subjects(host.watch("gone"))) == 1
    host.disk = Disk(500 * GB, 1000 * GB)
    here = host.watch("here")
    host.time.move(hours=23)
    assert await host.subjects(here, rounds=3) == []
    host.time.move(hours=2)
    assert await host.subjects(here, rounds=3) == ["Upbridge: over: The disk of gone is nearly full"]


@pytest.mark.parametrize("schema", ["0001", "9999"])
async def test_a_schema_that_this_version_cannot_run_on_is_reported_after_the_time_of_an_upgrade(
    host: Host, schema: str, make_shop: MakeShop
) -> None:
    await make_shop(key="eshop", state="suspended", reason="refused")
    watch = host.watch()
    assert await host.subjects(watch) == ["Upbridge: Shop eshop is suspended"]
    await host.run("UPDATE alembic_version SET version_num = :schema", schema=schema)
    await host.run("INSERT INTO compatibility VALUES (:schema)", schema=schema)
    try:
        assert await host.subjects(watch) == []
        host.time.move(minutes=2)
        assert await host.subjects(watch, rounds=3) == ["Upbridge: This version cannot run"]
    finally:
        await host.run("UPDATE alembic_version SET version_num = :schema", schema=HEAD)
        await host.run("DELETE FROM compatibility")
    assert await host.subjects(watch, rounds=3) == ["Upbridge: over: This version cannot run"]


async def test_another_version_does_not_say_that_it_is_over(host: Host) -> None:
    await host.run(
        "INSERT INTO notices (cause, about, reader, began_at, seen_at, told_at)"
        " VALUES ('schema:9999', 'x', 'y', :now, :now, :now)",
        now=host.time(),
    )

    assert await host.subjects(host.watch(), rounds=4) == []


async def test_the_next_operator_hears_what_is_still_so(host: Host, make_shop: MakeShop) -> None:
    await make_shop(key="eshop", state="suspended", reason="refused")
    assert len(await host.subjects(host.watch())) == 1
    after = replace(host.watch(), to="another@example.com")

    await after.look()
    host.mail.box.received.clear()
    await host.post.send_due()

    assert [one.recipients for one in host.mail.box.received] == [("another@example.com",)]


async def test_more_mails_than_a_person_reads_in_a_day_wait_for_the_next(host: Host, make_shop: MakeShop) -> None:
    watch = host.watch()
    for number in range(MOST_A_DAY + 2):
        await make_shop(key=f"shop-{number}", state="suspended", reason="refused")
        await watch.look()
    while await host.post.send_due():
        pass
    assert len(host.mail.box.received) == MOST_A_DAY

    host.time.move(hours=24)

    assert await host.subjects(watch) == ["Upbridge: 2 new"]
    assert host.time() - watch.since == timedelta(hours=24)
