"""The code as the pages see it: modules, their sources, and the objects in them."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import upbridge

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """One module of the product, unopened: its name below the package, and its tree."""

    name: str
    text: str
    tree: ast.Module


@cache
def sources() -> tuple[Source, ...]:
    """Every module of the product, by name."""
    (top,) = upbridge.__path__
    found = []
    for path in sorted(Path(top).rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found.append(Source(name, text, ast.parse(text)))
    return tuple(sorted(found, key=lambda source: source.name))


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the product, imported; not `__main__`, which would run."""
    names = [
        module.name
        for module in pkgutil.walk_packages(upbridge.__path__, f"{upbridge.__name__}.")
        if not module.name.endswith(".__main__")
    ]
    return tuple(importlib.import_module(name) for name in sorted(names))


def instances(kind: type[T]) -> Iterator[tuple[ModuleType, str, T]]:
    """Each object of exactly this *kind* that a module holds under a name, with the first module that does."""
    seen: set[int] = set()
    for module in modules():
        for name, value in vars(module).items():
            if type(value) is kind and id(value) not in seen:
                seen.add(id(value))
                yield module, name, value


def classes(base: type[T]) -> list[type[T]]:
    """Every class of the product below *base*, in the order of the tree."""
    modules()
    found: list[type[T]] = []
    for sub in base.__subclasses__():
        found += [sub, *classes(sub)] if sub.__module__.startswith(f"{upbridge.__name__}.") else classes(sub)
    return found


def first_sentence(docstring: str | None) -> str:
    """What *docstring* promises: its first paragraph as one line, without what follows the first sentence."""
    paragraph = " ".join((docstring or "").strip().split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]
