"""Markdown that a generator writes."""

import textwrap
from collections.abc import Iterable, Sequence

#: The first line of every generated page.
MADE = "<!-- Made from the code by `make docs`; `make check` compares. Change the code, not this page. -->"


def document(title: str, introduction: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", MADE, introduction.strip(), *(part.strip() for part in parts)]) + "\n"


def paragraph(text: str) -> str:
    """*text* as lines of at most 120 characters."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines)


def cell(text: str) -> str:
    """*text* on one line, its bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """*text* as code; nothing where there is none."""
    return f"`{text}`" if text not in (None, "") else ""


def codes(texts: Iterable[object]) -> str:
    """Several pieces of code, comma separated."""
    return ", ".join(code(text) for text in texts)
