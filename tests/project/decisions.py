"""Have the decisions one form? The number, five sections in their order, files that exist, a complete index."""

import re
from collections.abc import Iterator

from tests.project.documents import TOP

FOLDER = TOP / "docs/decisions"
SECTIONS = ("The question", "Decision", "What else there was", "Consequences", "Held by")

_NAME = re.compile(r"^(?P<number>\d{4})-[a-z0-9-]+\.md$")
_TITLE = re.compile(r"^# (?P<number>\d{4}): (?P<words>\S.*)$", re.MULTILINE)
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_INLINE = re.compile(r"`([^`\n]+)`")
_ROW = re.compile(r"^\| \[(?P<number>\d{4})\]\((?P<page>[^)]+)\) \| (?P<words>.+) \|$", re.MULTILINE)


def complaints() -> Iterator[str]:
    """One line for each decision that has another form, names a missing file, or is not in the index."""
    titles: dict[str, str] = {}
    for number, page in enumerate(sorted(FOLDER.glob("[0-9]*.md")), start=1):
        name, text = str(page.relative_to(TOP)), page.read_text()
        if not _NAME.match(page.name) or not page.name.startswith(f"{number:04}-"):
            yield f"{name} should be called {number:04}-some-words.md"
        yield from in_page(name, number, text)
        titles[page.name] = "".join(title["words"] for title in _TITLE.finditer(text))
    rows = {row["page"]: row["words"] for row in _ROW.finditer((FOLDER / "README.md").read_text())}
    yield from (f"docs/decisions/README.md lacks {lost}" for lost in sorted(titles.keys() - rows.keys()))
    yield from (f"docs/decisions/README.md has {lost}, which is not there" for lost in rows.keys() - titles.keys())
    for known in sorted(titles.keys() & rows.keys()):
        if rows[known] != titles[known]:
            yield f"docs/decisions/README.md calls {known} {rows[known]!r}, its title is {titles[known]!r}"


def in_page(name: str, number: int, text: str) -> Iterator[str]:
    """What is wrong with *text*, the decision *number*."""
    title = _TITLE.match(text)
    if title is None or int(title["number"]) != number:
        yield f"{name} does not begin with '# {number:04}: …'"
    sections = tuple(_SECTION.findall(text))
    if sections != SECTIONS:
        yield f"{name} has the sections {', '.join(sections)} instead of {', '.join(SECTIONS)}"
    held_by = text.rpartition("\n## Held by\n")[2]
    files = [word.partition("::")[0] for word in _INLINE.findall(held_by) if "/" in word]
    if not files:
        yield f"{name} names no file that holds it"
    yield from (f"{name}: {file} is not there" for file in files if not (TOP / file).exists())
