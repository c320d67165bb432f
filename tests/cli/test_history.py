"""`upbridge shops history`: what an operator reads of who did what."""

from tests.cli.documented import compare
from tests.support.program import Database, Program


def test_what_was_done_by_commands_is_listed_by_commands(program: Program, database: Database) -> None:
    database.shop()

    program("shops", "settings", "garde", "stock.safety=3")
    program("shops", "suspend", "garde")

    lines = program("shops", "history", "garde", "--json").json
    assert [(one["way"], one["what"], one["subject"], one["old"], one["new"]) for one in lines] == [
        ("cli", "state", "", "active", "suspended"),
        ("cli", "setting", "stock.safety", "0", "3"),
    ]
    compare("shops history SHOP --json", lines[1:])
    told = program("shops", "history", "garde").out
    assert "0 → 3" in told
    assert "operator" in told


def test_limits_and_pages(program: Program, database: Database) -> None:
    database.shop()
    for number in "123":
        program("shops", "settings", "garde", f"stock.safety={number}")

    newest = program("shops", "history", "garde", "--limit", "1", "--json").json
    older = program("shops", "history", "garde", "--before", str(newest[0]["id"]), "--json").json

    assert [one["new"] for one in newest] == ["3"]
    assert [one["new"] for one in older] == ["2", "1"]
    assert program("shops", "history", "garde", "--since", "2999-01-01", "--json").json == []
    assert "Nothing was done yet" in program("shops", "history", "garde", "--since", "2999-01-01").out
    assert program("shops", "history", "garde", "--limit", "0").code == 2


def test_the_numbers_of_a_stock_run(program: Program, database: Database) -> None:
    shop = database.shop()
    run = "2026-11-24T11:00:00+00:00"
    for code, old, new in (("B", 5, 0), ("A", None, 2.5)):
        number = {"shop_id": shop, "run_at": run, "key": f"v-{code}", "code": code, "old": old, "new": new}
        database.insert("stock_writes", number)
    line = {"shop_id": shop, "at": run, "way": "program", "what": "stock", "subject": run}
    database.insert("history", line)
    [found] = program("shops", "history", "garde", "--json").json

    numbers = program("shops", "history", "garde", "--run", str(found["id"]), "--json").json

    assert numbers == [
        {"code": "A", "key": "v-A", "old": None, "new": 2.5},
        {"code": "B", "key": "v-B", "old": 5, "new": 0},
    ]
    compare("shops history SHOP --run ID --json", numbers)
    assert "no stock run" in program("shops", "history", "garde", "--run", "0").err


def test_a_stock_run_is_taken_back(program: Program, database: Database) -> None:
    shop = database.shop()
    run = "2026-11-24T11:00:00+00:00"
    database.insert(
        "stock_writes", {"shop_id": shop, "run_at": run, "key": "v-1", "code": "A", "old": 5, "new": 0}
    )
    known = {"key": "v-1", "product_id": 1, "code": "A", "stock": 0, "stock_own": True}
    database.insert("variants", {"shop_id": shop, **known, "active": True, "listed": True, "match": "unmatched"})
    database.insert("history", {"shop_id": shop, "at": run, "way": "program", "what": "stock", "subject": run})
    [found] = program("shops", "history", "garde", "--json").json

    looked = program("shops", "undo-stock", "garde", str(found["id"]), "--dry-run", "--json").json
    assert program("outbox", "list", "--json").json == []
    done = program("shops", "undo-stock", "garde", str(found["id"]), "--json").json

    assert done == looked
    compare("shops undo-stock SHOP ID --json", done)
    assert [one["key"] for one in program("outbox", "list", "--json").json] == ["v-1"]
    assert program("shops", "history", "garde", "--json").json[0]["what"] == "undone"
