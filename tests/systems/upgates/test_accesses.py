import ast
import itertools
from pathlib import Path

import pytest

import upbridge
from upbridge.systems import upgates
from upbridge.systems.accesses import Access
from upbridge.systems.upgates import accesses
from upbridge.systems.upgates.accesses import ACCESSES, DECLARED


def test_every_access_is_in_the_table_once() -> None:
    declared = [value for value in vars(accesses).values() if isinstance(value, Access)]

    assert sorted(declared, key=lambda access: access.name) == sorted(ACCESSES, key=lambda access: access.name)
    assert len({access.label for access in ACCESSES}) == len(ACCESSES) == len({access.name for access in ACCESSES})


@pytest.mark.rule("R47")
def test_every_declared_access_is_called_by_the_client() -> None:
    """R47: what is declared is what happens."""
    folder = Path(next(iter(upgates.__path__)))
    sources = [(folder / name).read_text() for name in ("client.py", "shop_profile.py")]
    nodes = itertools.chain.from_iterable(ast.walk(ast.parse(source)) for source in sources)
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}

    assert {access.name.upper() for access in ACCESSES} <= used


@pytest.mark.rule("R47")
def test_a_call_that_is_not_declared_cannot_be_made() -> None:
    """Only `transport.py` talks HTTP, it takes an `Access`, and only `accesses.py` makes one."""
    calls: list[tuple[str, ast.Call]] = []
    talking, made = set(), set()
    for path in sorted(Path(next(iter(upgates.__path__))).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Attribute(attr="_remote")):
                    talking.add(path.name)
                case ast.Call(func=ast.Name(id="Access")):
                    made.add(path.name)
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="_calls"), attr="call")):
                    calls.append((path.name, node))

    assert talking == {"transport.py"}
    assert made == {"accesses.py"}
    assert {name for name, _ in calls} == {"client.py"}
    for _, call in calls:
        first = ast.unparse(call.args[0])
        assert first == "access" or hasattr(accesses, first.removeprefix("accesses.")), first


@pytest.mark.rule("R47")
def test_no_other_module_has_a_client_or_the_credentials_to_call_a_shop() -> None:
    """The system's own folder makes the one client; the credentials are opened where it is asked for."""
    top = Path(next(iter(upbridge.__path__)))
    making, opening = set(), set()
    for path in sorted(top.rglob("*.py")):
        where = path.relative_to(top)
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="UpgatesClient" | "Account" as name)):
                    making.add((str(where), name))
                case ast.Call(func=ast.Attribute(attr="credentials")):
                    opening.add(str(where))

    assert making == {("systems/upgates/system.py", "UpgatesClient"), ("systems/upgates/system.py", "Account")}
    assert opening == {"engine/shop_apis.py"}


def test_a_row_has_what_the_form_asks_for() -> None:
    rows = {(row["method"], row["path"]): row for row in DECLARED.as_rows()}

    assert list(DECLARED.as_rows()[0]) == [
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
    assert all(row["description"].endswith(".") for row in DECLARED.as_rows())


def test_the_markdown_has_a_line_per_row() -> None:
    lines = DECLARED.as_markdown().splitlines()

    assert len(lines) == len(ACCESSES) + 2
    assert all(line.count("|") == 7 for line in lines)
