"""A module tells one story: it has fewer than 450 lines."""

from collections.abc import Iterator, Mapping

from tests.project import arrows

LIMIT = 450

#: Why a module is longer.
LONGER: Mapping[str, str] = {
    "upbridge.store.schema": "the list of all tables: it is looked up, not read, and Alembic compares it whole",
}


def complaints() -> Iterator[str]:
    """One line for each module that is too long, and for each exception that is not needed."""
    for modules in (arrows.modules, arrows.sandbox_modules):
        for module, source in modules():
            lines = source.count("\n")
            if (lines >= LIMIT) is not (module in LONGER):
                yield f"{module} has {lines} lines"
