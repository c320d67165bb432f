"""What the doctor says, against real systems where that is possible."""

from typing import Any

import pytest

from tests.support.clock import NOON
from tests.support.mail import listening
from tests.support.shops import KEY, MakeShop
from upbridge.core.encryption import Cipher
from upbridge.maintenance.doctor import Finding, examine
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


@pytest.mark.parametrize(("keys", "state"), [(KEY, "ok"), (f"{ANOTHER_KEY},{KEY}", "ok"), (ANOTHER_KEY, "bad")])
async def test_keys_that_open_nothing_are_found(database_url: str, keys: str, state: str) -> None:
    async with open_database(settings(database_url)) as database:
        await load_addresses(database.engine, Cipher([KEY]))

    found = by_check(await examine(settings(database_url, encryption_keys=keys), SYSTEMS))

    assert found["encryption key"].state == state


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
    assert "nobody is written to" in found["mail"].detail
