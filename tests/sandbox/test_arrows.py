"""The simulated systems share no code with the client side, nor does the demo that compares the two."""

import ast
from pathlib import Path

import pytest

import upbridge

ROOT = Path(upbridge.__file__).parent


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots"
            found.add(node.module or "")
    return {name for name in found if name.startswith("upbridge")}


@pytest.mark.parametrize(("room", "allowed"), [("sandbox", "upbridge.sandbox"), ("demo", "upbridge.demo")])
def test_a_room_imports_only_itself(room: str, allowed: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        foreign = {name for name in _imports(path) if name != allowed and not name.startswith(f"{allowed}.")}
        assert not foreign, f"{path.relative_to(ROOT)} imports {sorted(foreign)}"
