"""What the doctor says, against real systems where that is possible."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.project.documents import TOP
from tests.support.clock import NOON
from tests.support.mail import listening
from tests.support.pgbouncer import needs_pgbouncer, pgbouncer
from tests.support.rows import change_row, connection_row, document_row, insert_rows
from tests.support.shops import KEY, MakeShop
from tests.support.silent_servers import refusing_postgres, silent_server
from upbridge.core.clock import utc_now
from upbridge.core.encryption import Cipher
from upbridge.domain.shop_id import ShopId
from upbridge.maintenance.doctor import LONGEST, Finding, examine
from upbridge.maintenance.doctor.given import look_at_settings
from upbridge.settings import Settings
from upbridge.store.database import open_database
from upbridge.systems.registry import SYSTEMS
from upbridge.webhooks.addresses import load_addresses
from upbridge_sandbox import Sandbox, running_sandbox

ANOTHER_KEY = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyE="


def settings(database_url: str, box: Sandbox | None = None, **changes: Any) -> Settings:
    """Settings over the shared database; without *box* nothing else answers."""
    nobody = "http://127.0.0.1:9"
    found = {
        "database_url": database_url,
        "encryption_keys": KEY,
        "public_url": "https://upbridge.example",
        "signature_token": "t",
        "allow_insecure": True,
        "upp_url": box.addresses.upp if box else nobody,
        "uphance_url": box.addresses.uphance if box else nobody,
        "signature_key_url": box.addresses.key if box else nobody,
    }
    return Settings(_env_file=None, **{**found, **changes})


async def looked_at(given: Settings, **variables: str) -> dict[str, Finding]:
    """What the doctor says of each thing, with these variables in the environment."""
    return by_check(await examine(given, SYSTEMS, given=variables))


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in findings}


async def test_where_all_is_well_nothing_is_bad_and_no_rule_is_broken(database_url: str) -> None:
    async with running_sandbox() as box:
        found = await examine(settings(database_url, box), SYSTEMS)

        assert {one.check for one in found if one.state == "bad"} == set()
        assert by_check(found)["upp.ai"].detail == f"{box.addresses.upp} answers"
        assert await box.violations() == []


async def test_a_failing_system_is_a_warning(database_url: str) -> None:
    async with running_sandbox() as box:
        await box.control("PUT", "/faults/uphance", {"error_share": 1, "error_status": 503})

        found = by_check(await examine(settings(database_url, box), SYSTEMS))

        assert (found["uphance"].state, found["upp.ai"].state) == ("warn", "ok")
        assert "503" in found["uphance"].detail


async def test_what_cannot_be_reached_is_bad_and_hides_nothing(database_url: str) -> None:
    found = by_check(await examine(settings(database_url), SYSTEMS))

    assert {one.check for one in found.values() if one.state == "bad"} == {"signature key", "upp.ai", "uphance"}
    assert found["schema"].state == "ok"
    assert "attempts failed" in found["uphance"].detail, "the library's own words"


@pytest.mark.parametrize(("keys", "state"), [(KEY, "ok"), (f"{ANOTHER_KEY},{KEY}", "ok"), (ANOTHER_KEY, "bad")])
async def test_keys_that_open_nothing_are_found(database_url: str, keys: str, state: str) -> None:
    async with open_database(settings(database_url)) as database:
        await load_addresses(database.engine, Cipher([KEY]))

    found = by_check(await examine(settings(database_url, encryption_keys=keys), SYSTEMS))

    assert found["encryption key"].state == state


async def test_a_flow_that_is_not_well_is_named(
    database_url: str, engine: AsyncEngine, make_shop: MakeShop
) -> None:
    shop_id = await make_shop(key="denied", facts={"rights": {"orders": "deny"}})
    before = by_check(await examine(settings(database_url), SYSTEMS))["flows"]
    await insert_rows(engine, connection_row(shop_id, "upp"))

    found = by_check(await examine(settings(database_url), SYSTEMS))["flows"]

    assert (before.state, found.state) == ("ok", "warn")
    assert "denied: order.upp no_right" in found.detail


@pytest.mark.rule("R45")
async def test_webhooks_whose_last_call_failed_are_a_warning_that_names_them(
    database_url: str, make_shop: MakeShop
) -> None:
    failures = [{"event": "Orders.update", "at": NOON.isoformat(), "status": status} for status in (503, None)]
    before = by_check(await examine(settings(database_url), SYSTEMS))["webhooks"]
    await make_shop(key="failing", webhook_failures=failures)
    await make_shop(key="gone", state="suspended", webhook_failures=failures)

    found = by_check(await examine(settings(database_url), SYSTEMS))["webhooks"]

    assert (before.state, found.state) == ("ok", "warn")
    assert f"failing Orders.update at {NOON.isoformat()}: 503" in found.detail
    assert "no answer" in found.detail
    assert "gone" not in found.detail


async def test_the_mail_server_is_asked_without_a_mail(database_url: str) -> None:
    async with listening() as here:
        one = settings(
            database_url, smtp_url=here.url(), mail_from="a@example.com", operator_email="b@example.com"
        )
        found = by_check(await examine(one, SYSTEMS))["mail"]

        assert found == Finding("mail", "ok", f"smtp://127.0.0.1:{here.port} takes mails, not encrypted")
        assert here.box.logins == 1
        assert not here.box.received


async def test_a_mail_server_that_refuses_the_login_is_bad_and_its_password_is_not_told(database_url: str) -> None:
    async with listening() as here:
        url = here.url(login="me:hush@")
        found = by_check(await examine(settings(database_url, smtp_url=url, mail_from="a@example.com"), SYSTEMS))

    assert found["mail"].state == "bad"
    assert "refuses the login" in found["mail"].detail
    assert "hush" not in found["mail"].detail


async def test_without_a_mail_server_all_is_well_and_it_is_said(database_url: str) -> None:
    found = by_check(await examine(settings(database_url), SYSTEMS))

    assert found["mail"].state == "ok"
    assert "no mail is sent" in found["mail"].detail


# --- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UPBRIDGE_ENCRYPTION_KEY", "UPBRIDGE_ENCRYPTION_KEYS"),
        ("UPBRIDGE_LOGLEVEL", "UPBRIDGE_LOG_LEVEL"),
        ("UPBRIDGE_WEATHER", "take it out"),
    ],
)
def test_a_variable_that_no_setting_reads_is_named_with_the_nearest(name: str, meant: str) -> None:
    (found, *_) = look_at_settings(settings("postgresql://nowhere"), {name: "x"})

    assert (found.check, found.state) == ("settings", "bad")
    assert name in found.detail
    assert meant in found.detail


def test_every_filled_in_value_of_the_example_is_a_placeholder() -> None:
    lines = [line for line in (TOP / ".env.example").read_text().splitlines() if line.startswith("UPBRIDGE_")]
    given = {name: value for name, _, value in (line.partition("=") for line in lines) if value}

    found = [one for one in look_at_settings(settings("postgresql://nowhere"), given) if one.check == "settings"]

    assert given
    assert [(one.state, one.detail.split()[0]) for one in found] == [("bad", name) for name in sorted(given)]


def test_support_that_merchants_cannot_reach_is_said() -> None:
    unsaid = look_at_settings(settings("postgresql://nowhere"), {})
    said = look_at_settings(settings("postgresql://nowhere", support_phone="+420 123 456 789"), {})

    assert [one.state for one in unsaid if one.check == "support"] == ["warn"]
    assert [one.check for one in said if one.check == "support"] == []


def test_values_of_ones_own_are_no_placeholders() -> None:
    given = {
        "UPBRIDGE_PUBLIC_URL": "https://upbridge.shop.cz",
        "UPBRIDGE_SIGNATURE_TOKEN": "t",
        "UPBRIDGE_UPGATES_HOSTS": "*.upgates.com",
        "UPBRIDGE_SUPPORT_EMAIL": "help@example.community",
        "UPBRIDGE_RECONCILE_HOURS": "24",
    }

    (first, *_) = look_at_settings(settings("postgresql://nowhere"), given)

    assert first == Finding("settings", "ok", "complete")


# --- the database ---------------------------------------------------------------------------------------------


async def test_a_refusal_is_printed_in_the_servers_own_words() -> None:
    async with refusing_postgres("28P01", 'password authentication failed for user "upbridge"') as address:
        found = (await looked_at(settings(address)))["database"]

    assert found.state == "bad"
    assert 'password authentication failed for user "upbridge"' in found.detail
    assert "correct the password in UPBRIDGE_DATABASE_URL" in found.detail


@needs_pgbouncer
async def test_a_pooler_that_mixes_sessions_is_bad(database_url: str) -> None:
    async with pgbouncer(database_url, mode="transaction") as address:
        found = (await looked_at(settings(address)))["sessions"]

    assert found.state == "bad"
    assert "by transaction" in found.detail


async def test_connections_are_held_against_what_the_server_allows(database_url: str) -> None:
    found = (await looked_at(settings(database_url)))["connections"]

    assert found.state == "ok"
    assert re.fullmatch(r"\d+ of \d+ are taken", found.detail)


async def test_work_without_a_worker_is_bad_and_says_how_much(database_url: str, make_shop: MakeShop) -> None:
    before = (await looked_at(settings(database_url)))["workers"]
    shop_id = ShopId(await make_shop())
    async with open_database(settings(database_url)) as database:
        await insert_rows(database.engine, change_row(shop_id, "order", "1"), document_row(shop_id, "upp", "2"))

    found = (await looked_at(settings(database_url)))["workers"]

    assert before.state == "warn"
    assert found.state == "bad"
    assert "1 changes and 1 documents wait" in found.detail
    assert "upbridge worker" in found.detail


async def test_a_worker_that_lives_is_counted(database_url: str) -> None:
    async with open_database(settings(database_url)) as database, database.engine.begin() as tx:
        for _queue in SYSTEMS.all:
            await tx.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))

    found = (await looked_at(settings(database_url)))["workers"]

    assert (found.state, found.detail.split(";")[0]) == ("ok", "1 lives")


# --- outside --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moved", "state", "says"),
    [
        (timedelta(seconds=90), "bad", "fast"),
        (timedelta(seconds=-90), "bad", "slow"),
        (timedelta(), "ok", "s"),
    ],
)
async def test_the_clock_is_printed_with_its_sign(
    database_url: str, moved: timedelta, state: str, says: str
) -> None:
    async with running_sandbox() as box:
        found = by_check(await examine(settings(database_url, box), SYSTEMS, clock=lambda: utc_now() + moved))[
            "clock"
        ]

    assert found.state == state
    assert says in found.detail


async def test_a_public_address_that_leads_elsewhere_is_bad(database_url: str) -> None:
    async with running_sandbox() as box:
        elsewhere = (await looked_at(settings(database_url, public_url=box.addresses.upp)))["public address"]
    nowhere = (await looked_at(settings(database_url, public_url="https://127.0.0.1:9")))["public address"]

    assert elsewhere.state == "bad"
    assert "something else" in elsewhere.detail
    assert nowhere.state == "warn"
    assert "from here" in nowhere.detail


async def test_nothing_that_hangs_keeps_the_doctor() -> None:
    """Every address is a port where the kernel takes connections and no process answers."""
    with silent_server() as port:
        silent = f"http://127.0.0.1:{port}"
        given = settings(
            f"postgresql://someone:hush@127.0.0.1:{port}/none",
            public_url=silent,
            signature_key_url=silent,
            upp_url=silent,
            uphance_url=silent,
        )
        async with asyncio.timeout(LONGEST + 5):
            found = by_check(await examine(given, SYSTEMS))

    assert {name for name, one in found.items() if one.state == "bad"} >= {
        "database",
        "signature key",
        "upp.ai",
        "uphance",
    }
    assert found["public address"].state == "warn"
    assert "hush" not in str(found)


async def test_mails_that_wait_are_counted_with_the_reason(database_url: str) -> None:
    async with open_database(settings(database_url)) as database, database.engine.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO letters (once, sealed, made_at, due_at, attempts, reason)"
                " VALUES ('a', 'x', :now, :now, 3, 'does not answer in time'), ('b', 'x', :now, :now, 0, NULL)"
            ),
            {"now": NOON},
        )

    found = by_check(await examine(settings(database_url), SYSTEMS))["mails"]

    assert found.state == "warn"
    assert found.detail == "2 wait to be sent, since 2026-11-24 11:00 UTC: does not answer in time"
