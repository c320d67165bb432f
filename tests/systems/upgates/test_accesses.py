import ast
from pathlib import Path

from upbridge.systems import upgates
from upbridge.systems.upgates import accesses
from upbridge.systems.upgates.accesses import ACCESSES, Access, as_markdown, as_rows


def test_every_access_is_in_the_table_once() -> None:
    declared = [value for value in vars(accesses).values() if isinstance(value, Access)]

    assert sorted(declared, key=lambda access: access.name) == sorted(ACCESSES, key=lambda access: access.name)
    assert len({access.label for access in ACCESSES}) == len(ACCESSES) == len({access.name for access in ACCESSES})


def test_every_declared_access_is_called_by_the_client() -> None:
    """R47: what is declared is what happens."""
    source = Path(next(iter(upgates.__path__)), "client.py").read_text()
    used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}

    assert {access.name.upper() for access in ACCESSES} <= used


def test_a_row_has_what_the_form_asks_for() -> None:
    rows = {(row["method"], row["path"]): row for row in as_rows()}

    assert list(as_rows()[0]) == [
        "section",
        "method",
        "path",
        "frequency",
        "repetitions",
        "webhook",
        "description",
    ]
    orders = rows["GET", "/api/v2/orders"]
    assert orders["section"] == "Orders"
    assert orders["frequency"] == "Only during installation and custom"
    assert orders["repetitions"].startswith("Custom -> Based on webhook")
    assert orders["webhook"] is True
    assert rows["PUT", "/api/v2/products"]["webhook"] is False
    assert all(row["description"].endswith(".") for row in as_rows())


def test_the_markdown_has_a_line_per_row() -> None:
    lines = as_markdown().splitlines()

    assert len(lines) == len(ACCESSES) + 2
    assert all(line.count("|") == 7 for line in lines)
