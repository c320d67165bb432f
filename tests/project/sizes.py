"""A module tells one story: it has fewer than 450 lines, and each of its functions at most 60."""

import ast
from collections.abc import Iterator, Mapping

from tests.project import arrows

LIMIT = 450
FUNCTION = 60

#: Why a module is longer.
LONGER: Mapping[str, str] = {
    "upbridge.store.schema": "the list of all tables: it is looked up, not read, and Alembic compares it whole",
}


def complaints() -> Iterator[str]:
    """One line for each module and function that is too long, and for each exception that is not needed."""
    for modules in (arrows.modules, arrows.sandbox_modules):
        for module, source in modules():
            lines = source.count("\n")
            if (lines >= LIMIT) is not (module in LONGER):
                yield f"{module} has {lines} lines"
            for name, length in functions(source):
                if length > FUNCTION:
                    yield f"{module}.{name} has {length} lines"


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Each function with its number of lines, those of its docstring too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1
