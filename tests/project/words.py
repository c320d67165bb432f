"""The words that are gone: private names that had a standard one, and turns of phrase that name no actor.

docs/glossary.md has the words that are used instead. Names are looked for in identifiers, file names, tables and
log events; phrases in docstrings, comments, the names of tests, pages of documentation and the help of commands.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.project.documents import TOP

#: A name that is gone, and the one to use. A name stands alone or as a part between underscores and
#: capitals; one of several parts stands in this order.
NAMES: dict[str, str] = {
    "absence": "outage",
    "beget": "create",
    "bite": "slice",
    "brokenseal": "DecryptionError",
    "cast_net": "start reconciliation",
    "coalesced": "gathered",
    "cure": "resolve",
    "dice": "rng",
    "disclosure": "order lookup",
    "door": "dependencies",
    "fed": "target connections",
    "foresight": "settings preview",
    "fuse": "login breaker",
    "give_back": "release",
    "hint": "mark as changed",
    "hinted": "marked",
    "journal": "order timeline",
    "look_around": "refresh the facts",
    "manieth": "every n-th",
    "namesake": "name owner",
    "namesakes": "name owners",
    "outlook": "snapshot",
    "patience": "deadline",
    "puzzling": "unmappable",
    "sealer": "cipher",
    "shopfront": "mapping context",
    "standing": "health",
    "theatre": "testbed",
    "trouble": "issue",
    "wardrobe": "seed of Uphance",
    "way_back": "write-back",
    "whoever": "the actor's name",
}

#: Names that only look like one of the above, and why they stay.
SPARED: dict[str, str] = {"param_hint": "of the library for commands"}

#: A turn of phrase that is gone, and what to write.
PHRASES: dict[str, str] = {
    r"\bwhoever\b": "name the actor: the shop, the worker, Upgates, Uphance",
    r"\bnobody\b": "name the actor, or say that no process does it",
    r"\banybody\b": "name the actor: any caller, any person",
    r"\bsomebody\b": "name the actor: a person in the shop, another worker",
    r"\bover there\b": "name the system",
    r"\bwhatever\b": "say which",
    r"\bbecomes? of\b": "say what happens to it",
    r"\bmanieth\b": "every n-th",
    r"\bwhat c(?:a|o)mes? of\b": "the outcome of",
    r"\bstands? so\b": "name the state",
    r"\bDoubt:": "Assumption:",
    r"\b(?:is|are) told\b(?! apart)|\btold once\b": "say who reads it: reported, shown, logged",
    r"\bbites?\b": "slice",
}

#: Words that mean one thing, and the packages that call something else by another name.
ELSEWHERE: dict[str, tuple[str, str]] = {
    "ledger": ("src/upbridge_sandbox/", "call log"),
}

_CODE = ("src", "tests", "bench", "migrations")
_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**/*.md")
_EVENT = re.compile(r"\blog\.\w+\(\s*\"(\w+)\"")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: This module has to name them; the history of versions and the vendors' own words may.
_SPARED_FILES = {"tests/project/words.py", "tests/project/test_words.py"}


def complaints() -> list[str]:
    """One line for each word that is gone and still stands somewhere, and for each that means two things."""
    product = (one for one in _modules() if one[0].startswith("src/upbridge/"))
    return sorted({*_names(), *_phrases(), *meaning_two_things(product)})


def meaning_two_things(modules: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each class whose name another module gives to a class of its own."""
    places: dict[str, list[str]] = {}
    for name, source in modules:
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    for word, where in places.items():
        if len(where) > 1:
            yield f"{where[-1]}: {word}: means something else in {', '.join(where[:-1])}"


def _modules() -> Iterator[tuple[str, str]]:
    for top in _CODE:
        for path in sorted((TOP / top).rglob("*.py")):
            name = path.relative_to(TOP).as_posix()
            if name not in _SPARED_FILES:
                yield name, path.read_text()


def _names() -> Iterator[str]:
    for name, source in _modules():
        for place in dict.fromkeys([*identifiers(source), *Path(name).with_suffix("").parts]):
            for part in gone_in(place):
                yield f"{name}: {place}: say {NAMES[part]!r} instead of {part!r}"
            for part in other_meaning_in(place, name):
                yield f"{name}: {place}: {part!r} means something else, say {ELSEWHERE[part][1]!r}"


def identifiers(source: str) -> list[str]:
    """Every name that *source* defines or uses, and those of the events that it logs."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    names = [token.string for token in tokens if token.type == tokenize.NAME]
    return list(dict.fromkeys([*names, *_EVENT.findall(source)]))


def gone_in(name: str) -> list[str]:
    """The parts of *name* that are gone."""
    parts = {part.lower() for part in _PART.findall(name)} | {name.lower().strip("_")}
    parts |= {part[:-1] for part in parts if part.endswith(("s", "d"))}  # doors, cured
    whole = f"_{'_'.join(part.lower() for part in _PART.findall(name))}_"
    parts |= {gone for gone in NAMES if "_" in gone and f"_{gone}_" in whole}
    return sorted(part for part in parts & NAMES.keys() if name not in SPARED)


def other_meaning_in(name: str, path: str) -> list[str]:
    """The parts of *name* that mean something else than what the package of *path* can mean."""
    parts = {part.lower() for part in _PART.findall(name)}
    return sorted(part for part in parts & ELSEWHERE.keys() if path.startswith(ELSEWHERE[part][0]))


def _phrases() -> Iterator[str]:
    for name, line, text in (*_prose_of_code(), *_claims(), *_prose_of_pages()):
        for found in phrases_in(text):
            yield f"{name}:{line}: {found!r}: {PHRASES[found]}"


def phrases_in(text: str) -> list[str]:
    """The turns of phrase in *text* that are gone."""
    flat = " ".join(text.split())
    return [phrase for phrase in PHRASES if re.search(phrase, flat, re.IGNORECASE)]


def _prose_of_code() -> Iterable[tuple[str, int, str]]:
    for name, source in _modules():
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Expr(value=ast.Constant(value=str(text), lineno=line)):
                    yield name, line, text
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield name, token.start[0], token.string


def _claims() -> Iterable[tuple[str, int, str]]:
    """The names of tests, which are sentences."""
    for name, source in _modules():
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.FunctionDef(name=claim, lineno=line) | ast.AsyncFunctionDef(name=claim, lineno=line):
                    if claim.startswith("test_"):
                        yield name, line, said_by(claim)


def said_by(claim: str) -> str:
    """The sentence that the name of a test is."""
    return claim.removeprefix("test_").replace("_", " ")


def _prose_of_pages() -> Iterable[tuple[str, int, str]]:
    for pattern in _PAGES:
        for path in sorted(TOP.glob(pattern)):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                yield path.relative_to(TOP).as_posix(), number, line
