"""A function of the engine takes the whole container only where it needs more than the database and the time."""

import ast
from collections.abc import Iterable, Iterator

from tests.project import arrows

#: The rooms in which functions are called with what they use. Those above put it together.
ROOMS = ("upbridge.engine.", "upbridge.insights.")
#: What every container has. A function that needs no more takes just that.
ALONE = {"engine", "clock"}


def _takers(source: str) -> Iterator[tuple[str, set[str]]]:
    """Each function that takes a `Service` and does not hand it on, with the parts that it uses."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = [one.arg for one in function.args.args]
        if "service" not in names or names[1:] == ["shop", "chunk"]:  # a reader is called like any other
            continue
        used = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "service"]
        parts = [
            node.attr
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "service"
        ]
        if len(parts) == len(used):
            yield function.name, set(parts)


def complaints(files: Iterable[tuple[str, str]] | None = None) -> list[str]:
    """One line for each function that takes too much. *files*: name and source of modules."""
    return [
        f"{module}.{function} takes the container for {', '.join(sorted(parts))}"
        for module, source in (arrows.modules() if files is None else files)
        if module.startswith(ROOMS)
        for function, parts in _takers(source)
        if len(parts) < 2 or parts <= ALONE
    ]
