"""Are the texts complete? The same keys, placeholders and plural forms in every language, and a text for every
key that the code or a template names.
"""

import ast
import re
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po

from tests.project.arrows import SRC, modules
from upbridge.core.i18n import LANGUAGES, catalogue_path
from upbridge.core.package_files import package_file
from upbridge.systems.registry import SYSTEMS

_IN_TEMPLATE = re.compile(r"\b(?:t|texts\.get)\(\s*(['\"])(?P<key>[a-z0-9_.]+)\1(?P<open>\s*~)?")
_QUOTED = re.compile(r'„([^“]*)“|"([^"]*)"')


@dataclass(slots=True)
class Used:
    """The keys that the product names, each with the place, and the parameters that come with it where that is
    plain to see. Keys that are put together at run time begin or end with *affixes*."""

    keys: dict[str, str] = field(default_factory=dict)
    params: dict[str, list[set[str]]] = field(default_factory=lambda: defaultdict(list))
    affixes: set[tuple[str, str]] = field(default_factory=set)


def complaints() -> list[str]:
    """One line for each text that is missing, incomplete, different or dead."""
    catalogues = {language: load(language) for language in LANGUAGES}
    folders = [system.texts for system in SYSTEMS.all if system.texts is not None]
    used = used_keys()
    english = together([catalogues["en"], *(load("en", folder) for folder in folders)])
    return [
        *differences(catalogues),
        *unsorted(catalogues),
        *misnamed(catalogues),
        *(complaint for folder in folders for complaint in of_folder(folder)),
        *missing(english, used),
        *nameless(english),
        *dead(english, used),
    ]


def of_folder(folder: Path) -> Iterator[str]:
    """The same for the catalogues that a system has in its own folder."""
    catalogues = {language: load(language, folder) for language in LANGUAGES}
    yield from (f"{folder.parent.name}: {one}" for one in (*differences(catalogues), *unsorted(catalogues)))


def load(language: str, folder: Path | None = None) -> Catalog:
    """The catalogue of *language*, the main one or that of a system's *folder*; raises if it is not one."""
    path = catalogue_path(language) if folder is None else folder / f"{language}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def together(catalogues: Sequence[Catalog]) -> Catalog:
    """All messages of *catalogues* in one."""
    whole = Catalog(locale=catalogues[0].locale)
    for message in (message for catalogue in catalogues for message in catalogue if message.id):
        whole[message.id] = message
    return whole


def texts_of(catalogue: Catalog) -> dict[str, tuple[str, ...]]:
    """Each key with its text, or with all its plural forms."""
    texts = {}
    for message in catalogue:
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            texts[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    return texts


def differences(catalogues: Mapping[str, Catalog]) -> Iterator[str]:
    """Where the languages do not say the same."""
    texts = {language: texts_of(catalogue) for language, catalogue in catalogues.items()}
    every = set().union(*texts.values())
    for language, mine in texts.items():
        forms = catalogues[language].num_plurals
        yield from (f"{language}: {key} is missing" for key in sorted(every - mine.keys()))
        for key, variants in sorted(mine.items()):
            if not all(variant.strip() for variant in variants):
                yield f"{language}: {key} is empty"
            if len(variants) not in {1, forms}:
                yield f"{language}: {key} has {len(variants)} plural forms instead of {forms}"
            wanted = placeholders(texts["en"].get(key, variants))
            if placeholders(variants) != wanted:
                yield f"{language}: {key} has the placeholders {placeholders(variants)} instead of {wanted}"
        yield from (f"{language}: {message.id} is fuzzy" for message in catalogues[language] if _fuzzy(message))


def unsorted(catalogues: Mapping[str, Catalog]) -> Iterator[str]:
    """The first key of each catalogue that does not stand where the alphabet has it."""
    for language, catalogue in catalogues.items():
        keys = list(texts_of(catalogue))
        wrong = next((key for before, key in pairwise(keys) if key < before), None)
        if wrong is not None:
            yield f"{language}: {wrong} is not sorted in"


def misnamed(catalogues: Mapping[str, Catalog]) -> Iterator[str]:
    """Where a text names a button, a column or a rule otherwise than the page does."""
    for language, catalogue in catalogues.items():
        texts = texts_of(catalogue)
        names = {variant for variants in texts.values() for variant in variants}
        for key, variants in sorted(texts.items()):
            for variant in variants:
                quoted = {"".join(groups) for groups in _QUOTED.findall(variant)}
                yield from (
                    f"{language}: {key} names {one}, as nothing is called" for one in sorted(quoted - names)
                )
                yield from (
                    f"{language}: {key} says {rule}, a name for operators"
                    for rule in SYSTEMS.settings
                    if rule in variant
                )


def _fuzzy(message: object) -> bool:
    return bool(getattr(message, "id", "")) and "fuzzy" in getattr(message, "flags", ())


def placeholders(variants: tuple[str, ...]) -> list[str]:
    """The names in braces, of all forms together."""
    formatter = string.Formatter()
    return sorted({name for text in variants for _, name, _, _ in formatter.parse(text) if name is not None})


def missing(catalogue: Catalog, used: Used) -> Iterator[str]:
    """Keys without a text, and texts that want a parameter which does not come."""
    texts = texts_of(catalogue)
    for key, place in sorted(used.keys.items()):
        if key not in texts:
            yield f"{key} has no text ({place})"
            continue
        for given in used.params.get(key, ()):
            yield from (
                f"{key} wants {{{name}}}, which {place} does not give"
                for name in placeholders(texts[key])
                if name not in given
            )


def nameless(catalogue: Catalog) -> Iterator[str]:
    """Problems whose cause has no name, so that the pages would show them as "another cause"."""
    texts = texts_of(catalogue)
    for key in sorted(texts):
        if key.startswith("problem.") and f"ui.cause.{key.removeprefix('problem.')}" not in texts:
            yield f"{key} has no name (ui.cause.…)"


def dead(catalogue: Catalog, used: Used) -> Iterator[str]:
    """Texts that nothing names."""
    for key in sorted(texts_of(catalogue)):
        built = any(key.startswith(start) and key.endswith(end) for start, end in used.affixes)
        if key not in used.keys and not built:
            yield f"{key} has a text, but nothing uses it"


def used_keys() -> Used:
    """Every key that the code and the templates name."""
    used = Used()
    for module, source in modules(SRC):
        for node in ast.walk(ast.parse(source)):
            _collect(node, module, used)
    for path in sorted(package_file("templates").rglob("*")):
        if path.suffix in {".html", ".txt", ".jinja"}:
            for match in _IN_TEMPLATE.finditer(path.read_text()):
                if match["open"]:  # t('state.' ~ shop.state)
                    used.affixes.add((match["key"], ""))
                else:
                    used.keys.setdefault(match["key"], path.name)
    return used


def _collect(node: ast.AST, module: str, used: Used) -> None:
    match node:
        case ast.Call(func=ast.Name(id="Issue"), args=[key, *params]):
            params += [keyword.value for keyword in node.keywords if keyword.arg == "params"]
            _problem(key, params[0] if params else ast.Dict([], []), module, used)
        case ast.Call(func=ast.Name(id="NewProblem" | "ask_a_person"), keywords=keywords):
            given = {keyword.arg: keyword.value for keyword in keywords}
            _problem(given["key"], given["params"], module, used)
        case ast.ClassDef(bases=[ast.Name(id="ProblemKey")], body=body):
            for line in body:
                if isinstance(line, ast.Assign):
                    _key("problem.", line.value, module, used)
        case ast.Assign(targets=[ast.Name(id="merchant")], value=ast.Constant(value=str(key))):
            used.keys.setdefault(key, module)
        case ast.AnnAssign(target=ast.Name(id="merchant"), value=ast.Constant(value=str(key))):
            used.keys.setdefault(key, module)
        case ast.Call(func=ast.Attribute(value=receiver, attr="get"), args=[key, *_]) if _are_texts(receiver):
            _key("", key, module, used)


def _problem(cause: ast.expr, params: ast.expr, module: str, used: Used) -> None:
    key = _key("problem.", cause, module, used)
    if key is not None and isinstance(params, ast.Dict) and None not in params.keys:
        used.params[key].append({str(name.value) for name in params.keys if isinstance(name, ast.Constant)})


def _key(start: str, value: ast.expr, module: str, used: Used) -> str | None:
    """Note the key that *value* spells; an f-string spells only how it begins and ends."""
    match value:
        case ast.Constant(value=str(text)):
            used.keys.setdefault(start + text, module)
            return start + text
        case ast.JoinedStr(values=parts):
            first, last = (
                str(part.value) if isinstance(part, ast.Constant) else "" for part in (parts[0], parts[-1])
            )
            used.affixes.add((start + first, last))
    return None


def _are_texts(receiver: ast.expr) -> bool:
    """`texts.get(…)`, `self.texts.get(…)`, `Texts(language).get(…)`."""
    match receiver:
        case ast.Call(func=ast.Name(id="Texts")):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_") == "texts"
    return False
