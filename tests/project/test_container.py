"""A function of the engine takes the whole container only where it needs more than the database and the time."""

import ast
from collections.abc import Iterator

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


def _complaints(modules: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{module}.{function} takes the container for {', '.join(sorted(parts))}"
        for module, source in modules
        if module.startswith(ROOMS)
        for function, parts in _takers(source)
        if len(parts) < 2 or parts <= ALONE
    ]


def test_a_function_that_needs_little_takes_just_that() -> None:
    assert _complaints(arrows.modules()) == []


def test_one_that_takes_everything_for_the_time_is_found() -> None:
    source = "async def tell(service: Service) -> None:\n    await say(service.clock())"

    assert _complaints(iter([("upbridge.engine.attic", source)])) == [
        "upbridge.engine.attic.tell takes the container for clock"
    ]
