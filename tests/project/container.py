"""Only what makes a container and what a command does take one: all other functions take what they use."""

import ast
import re
from collections.abc import Iterable, Iterator

from tests.project import arrows

#: The classes that hold everything.
CONTAINERS = ("WorkerContainer", "WebContainer")

_NAMED = re.compile(rf"""['"]?({"|".join(CONTAINERS)})\b""")

#: Where they are made. This list only gets shorter.
ROOTS = {"upbridge.bootstrap", "upbridge.web_container", "upbridge.worker_container"}

#: What a command does is a function within its command, and takes what the command opens. Nothing else may.
EDGE = "upbridge.cli."


def _takers(source: str) -> Iterator[tuple[str, bool]]:
    """Each function that has to do with a container, and whether it stands within another function."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner = {id(node) for one in functions for node in ast.walk(one) if node is not one}
    for function in functions:
        given = [one.annotation for one in ast.walk(function.args) if isinstance(one, ast.arg)]
        if any(one is not None and _names(one) for one in given):
            yield function.name, id(function) in inner


def _names(annotation: ast.expr) -> bool:
    """Whether *annotation* is a container, and not a callable that takes one."""
    return bool(_NAMED.match(ast.unparse(annotation)))


def complaints(files: Iterable[tuple[str, str]] | None = None) -> list[str]:
    """One line for each function that takes a container. *files*: name and source of modules."""
    return [
        f"{module}.{function} takes a whole container"
        for module, source in (arrows.modules() if files is None else files)
        if module not in ROOTS
        for function, within in _takers(source)
        if not (within and module.startswith(EDGE))
    ]
