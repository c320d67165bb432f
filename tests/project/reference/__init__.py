"""docs/reference: what the code says of itself, one page for each kind of thing.

    python -m tests.project.reference       (or: make docs)

A page is made from the code alone, so it cannot be out of date without `make check` noticing. Modules are found by
walking the packages: moving one changes a page, never this generator.
"""

from collections.abc import Callable, Iterator, Mapping

from tests.project.documents import TOP
from tests.project.reference import commands, http, log_events, metrics, settings, tables

FOLDER = TOP / "docs/reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "http.md": http.page,
    "cli.md": commands.page,
    "settings.md": settings.page,
    "tables.md": tables.page,
    "metrics.md": metrics.page,
    "log-events.md": log_events.page,
}


def write() -> None:
    """Make every page anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


def complaints(pages: Mapping[str, Callable[[], str]] = PAGES) -> Iterator[str]:
    """One line for each page that is not what the code says, and for each that no generator makes."""
    for name, page in pages.items():
        path = FOLDER / name
        if not path.is_file() or path.read_text() != page():
            yield f"docs/reference/{name} is out of date: run make docs"
    made = {*pages, "README.md"}
    yield from (
        f"docs/reference/{path.name} is made by nothing"
        for path in sorted(FOLDER.glob("*.md"))
        if path.name not in made
    )
