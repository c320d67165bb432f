"""`upbridge shops person`: what an operator answers to a person who asks what is held, or to be erased."""

import json

from tests.cli.documented import compare
from tests.support.program import Database, Program
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher

SHOPPER = {"email": "jana@example.com", "customer_id": 12}


def waiting(database: Database) -> str:
    """An order that waits for Uphance; returns the id of its shop."""
    shop = database.everything()
    body = Cipher([KEY]).encrypt(json.dumps({"order_number": "OBJ-1", "shopper": SHOPPER}))
    document = {"target": "uphance", "kind": "order", "key": "OBJ-1", "parent": "OBJ-1", "hash": b"h"}
    database.insert("documents", {"shop_id": shop, **document, "body": body, "priority": 1})
    database.run("DELETE FROM documents WHERE target = 'upp'")
    link = {"shop_id": shop, "target": "uphance", "kind": "customer", "key": "UPG-garde-12", "remote_id": "7"}
    database.insert("links", link)
    return shop


def test_what_is_held_is_printed_as_the_page_says(program: Program, database: Database) -> None:
    waiting(database)

    found = program("shops", "person", "garde", "--order", "OBJ-1", "--json").json

    by_table = {one["table"]: one for one in found["held"]}
    assert by_table["documents"]["content"]["shopper"] == SHOPPER
    assert by_table["links"]["content"]["remote_id"] == "7"
    compare("shops person SHOP --json", {**found, "held": [{**by_table["orders"], "content": {}}]})
    assert "jana@example.com" in program("shops", "person", "garde", "--email", "JANA@example.com").out


def test_an_erasure_asks_and_prints_a_receipt(program: Program, database: Database) -> None:
    waiting(database)

    refused = program("shops", "person", "garde", "--email", "jana@example.com", "--erase", stdin="n\n")
    assert refused.code == 1
    assert database.run("SELECT count(*) FROM documents") == [(1,)]
    receipt = program("shops", "person", "garde", "--email", "jana@example.com", "--erase", "--yes", "--json").json

    assert receipt["orders"] == ["OBJ-1"]
    assert receipt["erased"]["documents"] == 1
    assert {"system": "uphance", "kind": "customer", "id": "7"} in receipt["elsewhere"]
    compare("shops person SHOP --erase --json", receipt)
    assert database.run("SELECT count(*) FROM documents") == [(0,)]
    again = program("shops", "person", "garde", "--order", "OBJ-1", "--erase", "--yes").out
    assert "Still there, to be erased by people:" in again


def test_one_of_both_is_needed(program: Program, database: Database) -> None:
    database.shop()

    assert program("shops", "person", "garde").code == 2
    assert program("shops", "person", "garde", "--order", "1", "--email", "a@b.c").code == 2
    assert "no order 1" in program("shops", "person", "garde", "--order", "1").err
    assert "Nothing is held" in program("shops", "person", "garde", "--email", "a@b.c").out
