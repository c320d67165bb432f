"""`doctor --uphance`: what Uphance leaves open is tried in a shop's organisation, and told step by step."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.documented import compare
from tests.support.program import Database, Ended, Program
from upbridge.systems.uphance.probe import MARK, differences, masked
from upbridge_sandbox import Sandbox

KINDS = ("customers", "products", "orders")


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    return asyncio.run(sandbox.control(method, path, body))


@pytest.fixture
def login(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """How to log in to a simulated Uphance that has goods; its faults end with the test."""
    environment.setenv("UPBRIDGE_ALLOW_INSECURE", "1")
    environment.setenv("UPBRIDGE_UPHANCE_URL", sandbox.addresses.uphance)
    if not control(sandbox, "GET", "/shops")["shops"]:
        control(sandbox, "POST", "/shops", {"name": "garde", "products": 5, "orders": 2})
    yield control(sandbox, "GET", "/shops/garde")["credentials"]["uphance"]
    control(sandbox, "DELETE", "/faults")


@pytest.fixture
def shop(program: Program, database: Database, login: dict[str, Any]) -> str:
    """A connected shop."""
    database.shop()
    words = ("shops", "connect", "garde", "uphance", "--email", login["email"])
    ended = program(*words, "--organisation", str(login["organisation"]), stdin=login["password"] + "\n")
    assert ended.code == 0, ended
    return "garde"


def states(ended: Ended) -> dict[str, str]:
    return {step["step"]: step["state"] for step in ended.json}


def there(sandbox: Sandbox, login: dict[str, Any]) -> dict[str, list[Any]]:
    """All that the organisation has."""
    organisation = login["organisation"]
    return {kind: control(sandbox, "GET", f"/uphance/{organisation}/{kind}")["items"] for kind in KINDS}


def test_without_yes_nothing_is_made(program: Program, shop: str, sandbox: Sandbox, login: dict[str, Any]) -> None:
    before = there(sandbox, login)

    looked = program("doctor", "--uphance", shop, "--json")
    asked = program("doctor", "--uphance", shop, stdin="n\n")

    assert (looked.code, asked.code) == (0, 0), looked
    assert "bad" not in states(looked).values()
    assert "Make a customer, a product and a draft sales order" in asked.out
    assert there(sandbox, login) == before


def test_with_yes_one_of_each_is_made_read_back_and_named(
    program: Program, shop: str, sandbox: Sandbox, login: dict[str, Any], database: Database
) -> None:
    before = there(sandbox, login)

    ended = program("doctor", "--uphance", shop, "--yes", "--json")

    assert ended.code == 0, ended.out
    compare("doctor --uphance SHOP --json", ended.json)
    wanted = ("customer", "product", "product, one more SKU", "sales order", "status", "tax")
    assert {name: states(ended)[name] for name in wanted} == dict.fromkeys(wanted, "ok"), ended.out
    after = there(sandbox, login)
    assert {kind: len(after[kind]) - len(before[kind]) for kind in KINDS} == dict.fromkeys(KINDS, 1)
    assert all(MARK in str(after[kind][-1]) for kind in KINDS)
    [left] = [step["detail"] for step in ended.json if step["step"] == "left behind"]
    assert left.count(MARK) == len(KINDS)
    assert database.run("SELECT FROM links WHERE target = 'uphance' AND kind IN ('order', 'product')") == []


def test_what_made_nothing_is_printed_in_the_servers_words_and_ends_with_one(
    program: Program, shop: str, sandbox: Sandbox
) -> None:
    control(sandbox, "PUT", "/faults/uphance", {"error_share": 1.0, "match": "/products"})

    ended = program("doctor", "--uphance", shop)

    assert ended.code == 1
    assert "bad  products" in ended.out
    assert "500" in ended.out
    assert "Make a customer" not in ended.out


def test_no_token_is_printed(program: Program, shop: str) -> None:
    ended = program("doctor", "--uphance", shop, "--yes")

    assert ended.code == 0, ended
    assert "access_token" not in ended.out + ended.err
    assert masked('{"access_token": "hunter2", "rows": [{"Refresh_Token": "hunter3"}]}') == (
        '{"access_token": "(7 characters)", "rows": [{"Refresh_Token": "(7 characters)"}]}'
    )


def test_a_shop_that_is_not_connected_is_one_line(program: Program, database: Database) -> None:
    database.shop()

    ended = program("doctor", "--uphance", "garde")

    assert (ended.code, ended.out) == (1, "")
    assert "is not connected to Uphance" in ended.err


def test_differences_are_what_was_not_taken() -> None:
    sent = {"name": "A", "cost": "1.0", "note": None, "lines": [{"price": "2.5", "pieces": 2}, {"price": "1"}]}
    read = {"id": 1, "name": "B", "cost": "1.00", "lines": [{"price": "2.50", "pieces": "2", "tax": "0.5"}]}

    assert list(differences(sent, read)) == ["name is B instead of A", "lines.1.price is not there instead of 1"]
