"""What would be changed, for an operator: what a guard holds, and what a setting would do."""

from tests.cli.documented import compare
from tests.support.program import Database, Program
from tests.support.shops import KEY
from upbridge.core.encryption import Cipher


def _goods(database: Database) -> str:
    """A shop with an item that shows 5, of which Uphance has none."""
    shop = database.shop()
    database.insert("connections", {"shop_id": shop, "system": "uphance", "state": "connected", "account": "7"})
    one = {"shop_id": shop, "product_id": 4711}
    numbers = dict.fromkeys(("in_stock", "available", "available_from_stock"), 0)
    database.insert("skus", {**one, "sku_id": 1, "sku_number": "TRI-M", "code_key": "tri-m", **numbers})
    named = {"key": "v-4711", "code": "TRI-M", "code_key": "tri-m", "stock": 5, "match": "code", "sku_id": 1}
    database.insert("variants", {**one, **named, "stock_own": True, "active": True, "listed": True})
    return shop


def test_what_a_setting_would_do_is_said_and_not_done(program: Program, database: Database) -> None:
    _goods(database)

    found = program("shops", "settings", "garde", "stock.write=true", "--dry-run", "--json").json

    assert found[0]["changes"] == [{"code": "TRI-M", "key": "v-4711", "old": 5, "new": 0}]
    compare("shops settings SHOP KEY=VALUE --dry-run --json", found)
    told = program("shops", "settings", "garde", "stock.write=true", "--dry-run").out
    assert "zeroed 1" in told
    assert "Nothing was changed." in told
    assert program("shops", "settings", "garde", "--json").json["stock.write"] is False


def test_what_a_guard_holds_is_listed(program: Program, database: Database) -> None:
    shop = _goods(database)
    about = {"shop_id": shop, "target": "upgates", "kind": "stock"}
    guard = {"key": "stock.guard", "entity": "stock.guard", "parent": "stock.guard"}
    database.insert("problems", {**about, **guard, "stage": "push", "message": "stock: guard"})
    body = Cipher([KEY]).encrypt(b'{"code": "TRI-M", "written": 0}')
    held = {"key": "v-4711", "parent": "v-4711", "body": body, "hash": b"h", "priority": 3}
    database.insert("documents", {**about, **held, "state": "parked", "reason": "stock.guard"})
    [problem] = program("problems", "list", "--json").json

    found = program("problems", "show", str(problem["id"]), "--json").json

    assert (found["count"], found["changes"][0]["old"], found["changes"][0]["new"]) == (1, 5, 0)
    compare("problems show ID --json", found)
    assert "TRI-M" in program("problems", "show", str(problem["id"])).out


def test_a_variant_is_paired_with_a_sku_and_that_is_taken_back(program: Program, database: Database) -> None:
    shop = _goods(database)
    named = {"key": "v-9", "product_id": 9, "code": "ODD", "stock": 1, "stock_own": True, "match": "unmatched"}
    database.insert("variants", {"shop_id": shop, **named, "active": True, "listed": True})

    assert "TRI-M" in program("shops", "pair", "garde", "v-9", "TRI-M").out
    assert database.run("SELECT match, sku_id FROM variants WHERE key = 'v-9'") == [("code", 1)]
    assert "finds no SKU" in program("shops", "pair", "garde", "v-9", "nothing").err
    assert "is no more" in program("shops", "unpair", "garde", "v-9").out
    assert database.run("SELECT match, sku_id FROM variants WHERE key = 'v-9'") == [("unmatched", None)]
