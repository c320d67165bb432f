"""A module tells one story: it has fewer than 450 lines."""

import pytest

from tests.project import arrows

LIMIT = 450

#: Why a module is longer.
LONGER = {
    "upbridge.store.schema": "the list of all tables: it is looked up, not read, and Alembic compares it whole"
}


def lengths() -> dict[str, int]:
    """How many lines each module of the two packages has."""
    return {
        module: source.count("\n")
        for modules in (arrows.modules, arrows.sandbox_modules)
        for module, source in modules()
    }


def test_a_module_can_be_read_in_one_sitting() -> None:
    assert [
        f"{module}: {lines} lines"
        for module, lines in lengths().items()
        if lines >= LIMIT and module not in LONGER
    ] == []


@pytest.mark.parametrize("module", LONGER)
def test_an_exception_is_struck_when_nothing_needs_it(module: str) -> None:
    assert lengths()[module] >= LIMIT
