"""Is there code that nothing uses? The product is searched without its tests: what only a test calls is dead.

Vulture finds names that no other line of the package mentions. Used as well is what a library calls by decorator,
and what a template reads. What else is used is on the list `ALIVE`, with its user.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vulture import Vulture

from tests.project.documents import TOP, committed

#: Confidence of vulture in percent: 60 is a name that no line mentions; more says nothing about functions.
CONFIDENCE = 60

#: What these decorators mark is called by a library: routes, commands, validators.
CALLED_BY_DECORATOR = (
    "@*.command",
    "@*.callback",
    "@*.get",
    "@*.post",
    "@*.api_route",
    "@*.exception_handler",
    "@field_validator",
    "@model_validator",
)

#: Alive although no line of the package mentions them: the name, and who uses it.
ALIVE: Mapping[str, str] = {
    "model_config": "pydantic reads it",
    "factory_for_held_socket": "uvicorn calls it by its name in each web process",
    "__signature__": "Typer reads it",
    "__annotations__": "Typer reads it",
    "disabled": "logging reads it",
    "disconnected": "uvicorn reads it",
    "load_bytecode": "Jinja calls it",
    "dump_bytecode": "Jinja calls it",
    "handle_data": "html.parser calls it",
    "handle_starttag": "html.parser calls it",
    "handle_endtag": "html.parser calls it",
    "metric_samples": "a table: Alembic compares it, and its owner names it in SQL",
    "uninstalled_at": "a column of shops that people read",
    "match_one_to_one": "the rule to which a property test holds its twin in SQL, store/sku_matching",
    "BOTH": "one of the readings of an order, all of which are tried",
}

#: Beside the product: its simulated systems call their methods by name, so a shorter list would prove nothing.
SEARCHED = ("src/upbridge",)

_EXPRESSION = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")


def complaints() -> Iterator[str]:
    """One line for each name that nothing uses, and for each one on the list that is gone or used after all."""
    found = dict(unused([TOP / folder for folder in SEARCHED]))
    in_templates = names_in_templates()
    for name, place in found.items():
        if name not in ALIVE and name not in in_templates:
            yield f"{place} is used by no line but tests: delete it, or name its user in dead_code.ALIVE"
    yield from (f"{name} is in ALIVE, but it is gone or used" for name in ALIVE if name not in found)


def unused(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Each name that nothing in *paths* mentions, and what and where it is."""
    search = Vulture(ignore_decorators=list(CALLED_BY_DECORATOR))
    search.scavenge([str(path) for path in paths])
    for item in search.get_unused_code(min_confidence=CONFIDENCE):
        place = Path(item.filename)
        shown = place.relative_to(TOP) if place.is_relative_to(TOP) else place.name
        yield item.name, f"{shown}:{item.first_lineno}: the {item.typ} {item.name!r}"


def names_in_templates() -> set[str]:
    """Every name in an expression of a template."""
    return {
        name
        for path in committed("templates/*.html", "templates/**/*.html")
        for expression in _EXPRESSION.findall(path.read_text())
        for name in _NAME.findall(expression)
    }
