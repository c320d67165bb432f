"""Does every citation lead somewhere? Anchors of links, and the documents that code and tests name."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.project.documents import TOP, committed, documents

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<page>[^)#\s]*\.md)?#(?P<anchor>[^)\s]+)\)")
_PAGE = re.compile(r"\bdocs/[\w./-]+?\.md(?:#(?P<anchor>[\w-]+))?")
_PATH = re.compile(
    r"`(?P<path>(?:src|tests|docs|templates|bench|migrations|locales|\.ci|\.github)/[\w./-]+)(?:::[^`]*)?`"
)
_BESIDE = re.compile(r"`(?P<file>[\w-]+\.(?:py|html))`")
_DECISION = re.compile(r"\b(?:docs/decisions/|[Dd]ecision )(?P<number>\d{4})\b")

#: Words that cite what is not in the repository. Put together here, so that this file does not contain them.
_ABSENT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"contract,? " + r"section",
        r"sections? \d+(\.\d+)?( and \d+)? of the (\w+ )?" + r"reference",
        r"\(section " + r"\d+\.\d+\)",
        r"\(G" + r"\d+\)",
        r"\bshared/" + r"(reference|design|findings)",
        r"\bissue " + r"#?\d+",
    )
)

#: Where code cites documents.
_CODE = ("*.py", "*.html", "*.sql", "Makefile", "Dockerfile", "*.toml", "*.yml", "*.yaml")


def complaints() -> Iterator[str]:
    """One line for each link to a heading, and each cited document, that does not exist."""
    for path in documents():
        yield from in_document(path, path.read_text())
    for path in committed(*_CODE):
        yield from in_code(str(path.relative_to(TOP)), path.read_text())
    for path in committed("src/*.py"):
        yield from beside(path, path.read_text())
    for path in committed("*.md", ".ci/run", *_CODE):
        yield from absent(str(path.relative_to(TOP)), path.read_text())


def in_document(path: Path, text: str) -> Iterator[str]:
    """The headings that *text*, the page at *path*, links to, and the files that it names, in vain."""
    plain, name = _FENCE.sub("", text), path.relative_to(TOP)
    for link in _LINK.finditer(plain):
        page = path.parent / link["page"] if link["page"] else path
        if page.is_file() and link["anchor"] not in anchors(page):
            yield f"{name} links to {link['page'] or ''}#{link['anchor']}, which is no heading"
    for found in _PATH.finditer(plain):
        if not (TOP / found["path"]).exists():
            yield f"{name} names {found['path']}, which is not there"


def in_code(name: str, text: str) -> Iterator[str]:
    """The documents, their headings and the decisions that *text*, the file called *name*, cites in vain."""
    for found in _PAGE.finditer(text):
        page = TOP / found[0].partition("#")[0]
        if not page.is_file():
            yield f"{name} cites {found[0]}, which is not there"
        elif found["anchor"] and found["anchor"] not in anchors(page):
            yield f"{name} cites {found[0]}, which is no heading"
    for found in _DECISION.finditer(text):
        if not list((TOP / "docs/decisions").glob(f"{found['number']}-*.md")):
            yield f"{name} cites decision {found['number']}, which is not there"


def beside(path: Path, text: str) -> Iterator[str]:
    """The files that *text*, the code at *path*, names without a folder, and that do not stand in its own."""
    for found in _BESIDE.finditer(text):
        if not (path.parent / found["file"]).is_file():
            yield f"{path.relative_to(TOP)} names {found['file']}, which does not stand beside it"


def absent(name: str, text: str) -> Iterator[str]:
    """Where *text*, the file called *name*, cites papers that a reader of the repository does not have."""
    for pattern in _ABSENT:
        yield from (
            f"{name} cites {found[0]!r}, which is not in the repository" for found in pattern.finditer(text)
        )


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of the headings of *page*, as GitHub makes them."""
    headings = (heading["text"] for heading in _HEADING.finditer(_FENCE.sub("", page.read_text())))
    return frozenset(anchor(text) for text in headings)


def anchor(heading: str) -> str:
    """The anchor of one heading: lower case, no punctuation, hyphens for blanks."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
