"""The figures of docs/decisions/0013, counted: `python -m tests.project.measures`.

How far an order goes is counted by running one: `pytest -s tests/conformance/test_way_of_an_order.py`.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator

from tests.project import arrows, container, system_names, tables

_EXEMPT = re.compile(r"noqa:[^#]*\bS608\b")
_SQL_TEXT = re.compile(r"from sqlalchemy import (?:\([^)]*|[^\n]*)\btext\b")


def figures() -> Iterator[tuple[str, str]]:
    """What is counted, and the figure."""
    product, sandbox = list(arrows.modules()), list(arrows.sandbox_modules())
    demo = [one for one in sandbox if one[0].startswith("upbridge_sandbox.demo")]
    lines = f"{_lines(sandbox) - _lines(demo):,}; {_lines(demo):,}"
    yield "Python lines of the simulated systems; of the demo", lines
    texts = Counter(
        module for module, source in product if _SQL_TEXT.search(source) for _ in _calls(source, "text")
    )
    yield "calls of `text()` in the product, and modules with one", f"{texts.total()} in {len(texts)}"
    exempt = sum(bool(_EXEMPT.search(line)) for _, source in product for line in source.splitlines())
    yield "statements put together from strings (`noqa: S608`)", str(exempt)
    outside = {(one.module, one.table) for one in tables.findings()}
    yield "pairs of a module and a table of another owner", str(len(outside))
    yield "modules that write a table; that name it in SQL, at most", f"1; {1 + max(map(_readers, tables.OWNERS))}"
    named = system_names.naming()
    yield "lines outside the systems' folders that name Upp.ai or Uphance", str(sum(named.values()))
    yield (
        "modules outside its folder that write the platform's name",
        str(1 + len(system_names.naming_the_platform())),
    )
    yield "functions that take a whole container, but for the body of a command", str(len(container.complaints()))
    longest = sorted(((_lines([one]), one[0]) for one in (*product, *sandbox)), reverse=True)
    yield "the longest modules", ", ".join(f"{module.rpartition('.')[2]} {lines}" for lines, module in longest[:3])


def _readers(table: str) -> int:
    return table in tables.QUERIES


def _lines(modules: list[tuple[str, str]]) -> int:
    return sum(source.count("\n") for _, source in modules)


def _calls(source: str, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called == name:
                yield node


if __name__ == "__main__":
    sys.stdout.write("".join(f"| {what} | {figure} |\n" for what, figure in figures()))
