"""docs/reference/log-events.md: every event that the product logs."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.project.reference.code import sources
from tests.project.reference.markdown import code, codes, document, table

_INTRODUCTION = """
Each line of the log is one event with a constant name; identifiers are fields beside it. Every line also has
`level` and `timestamp`. A line of an exception has `exception`. No field holds a secret or personal data.
"""

_LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


def page() -> str:
    """The page."""
    places: dict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
    for event, module, level, fields in events():
        places[event].append((module, level, fields))
    rows = [
        (
            code(event),
            ", ".join(dict.fromkeys(level for _, level, _ in found)),
            codes(dict.fromkeys(module for module, _, _ in found)),
            codes(sorted({field for _, _, fields in found for field in fields})),
        )
        for event, found in sorted(places.items())
    ]
    return document("Log events", _INTRODUCTION, table(("Event", "Level", "Module", "Fields"), rows))


def events() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Event, module, level and fields of each line that the product can log."""
    for module, call in _calls():
        match call:
            case ast.Call(func=ast.Attribute(attr=level), args=[ast.Constant(value=str(event))], keywords=named):
                fields = tuple(keyword.arg for keyword in named if keyword.arg not in {None, "exc_info"})
                yield event, module, "error" if level == "exception" else level, tuple(map(str, fields))


def not_constant() -> list[str]:
    """The lines whose event is no constant, by module."""
    return [
        f"{module}:{call.lineno}"
        for module, call in _calls()
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant)
    ]


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for source in sources():
        for node in ast.walk(source.tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in _LEVELS:
                    yield source.name, node
