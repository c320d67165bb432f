"""docs/reference/http.md: every address, and every error that it may answer."""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.project.reference.code import classes, first_sentence
from tests.project.reference.markdown import code, codes, document, paragraph, table
from upbridge.app import create_app
from upbridge.core.errors import UpbridgeError
from upbridge.settings import Settings

_INTRODUCTION = """
Every address that the web side serves, in the order of its first part. Bodies and answers of the signed calls and
of webhooks are those of the vendors: [the signed calls](../vendors/upgates.md#the-signed-calls),
[payloads of webhooks](../vendors/upgates.md#payloads-of-webhooks),
[webhooks of Uphance](../vendors/uphance.md#webhooks-of-uphance). Wrong input is a 4xx, never a 5xx, and no answer
repeats a secret.
"""

_GROUPS = {
    "/addon": ("Signed calls", "Upgates calls these. A call that Upgates did not sign is answered 403."),
    "/webhooks": (
        "Webhooks",
        (
            "Upgates and Uphance call these. 204 after one committed write; an unknown token 404; what cannot be "
            "stored 503 within half a second; at most 5,000 records and 4 MiB, more is 413."
        ),
    ),
    "/ui": ("Pages", "The shop's staff, in the frame of the admin. Errors are pages in the visitor's language."),
    "/": ("For the platform that runs it", ""),
}

#: An address with more methods takes any.
_MANY = 4

_ERRORS = """
Outside the pages an error is JSON: `{"error": code, "detail": text}`. A refusal of a genuine signed call is 200
with `{"error": true, "message": text}` instead, because Upgates shows no other answer.
"""


@dataclass(frozen=True, slots=True)
class Address:
    """One address: methods, path, and what is done there."""

    path: str
    methods: tuple[str, ...]
    words: str

    @property
    def group(self) -> str:
        """The part of the page to which it belongs."""
        return next(prefix for prefix in _GROUPS if self.path.startswith(prefix))


def page() -> str:
    """The page."""
    parts = []
    for prefix, (title, words) in _GROUPS.items():
        rows = [
            ("any" if len(one.methods) > _MANY else codes(one.methods), code(one.path), one.words)
            for one in addresses()
            if one.group == prefix
        ]
        listed = table(("Method", "Path", "What it does"), rows)
        parts.append("\n\n".join(filter(None, (f"## {title}", paragraph(words), listed))))
    return document("HTTP", _INTRODUCTION, *parts, f"## Errors\n\n{_ERRORS.strip()}\n\n{_errors()}")


def addresses() -> list[Address]:
    """Every address of the web application, in order of path."""
    found = _below(create_app(Settings.model_construct()).routes, "")
    return sorted(found, key=lambda one: (one.path, one.methods))


def _below(routes: Iterable[Any], prefix: str) -> Iterator[Address]:
    """The addresses of *routes*; an included router has its own and adds its prefix."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from _below(included.routes, prefix + route.include_context.prefix)
        else:
            methods = tuple(sorted(route.methods or ()))
            yield Address(prefix + route.path, methods, first_sentence(inspect.getdoc(route.endpoint)))


def _errors() -> str:
    rows: dict[tuple[int, str], str] = {}
    for error in classes(UpbridgeError):
        if error.__module__ == UpbridgeError.__module__:
            rows.setdefault((error.status, error.code), first_sentence(error.__doc__))
    listed = [(str(status), code(name), words) for (status, name), words in sorted(rows.items())]
    return table(("Status", "Code", "Text where no other is given"), listed)
