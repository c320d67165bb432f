"""Do the documents say what is there? Settings, commands, links and deployment files, read as text."""

import importlib
import re
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import typer
import yaml

from upbridge.domain.shop_settings import as_text
from upbridge.settings import EXAMPLES, PREFIX, Settings
from upbridge.systems.registry import SYSTEMS

TOP = Path(__file__).parents[2]

Look: TypeAlias = Callable[[], Iterator[str]]

#: Files of the deployment beside the documents: what they name has to exist as well.
DEPLOYMENT = ("Dockerfile", "docker-compose.yml", "Caddyfile", ".env.example")

_SETTING = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)
_SHOP_SETTING = re.compile(r"^\| `(?P<name>[a-z]+\.[a-z_]+)` \| (?P<default>[^|]+) \| [^|]+ \|$", re.MULTILINE)
_VARIABLE = re.compile(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b")
_FENCE = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TARGET = re.compile(r"^([a-z]+):.*## ", re.MULTILINE)


def complaints() -> list[str]:
    """One line for everything that is documented and not there, or there and not documented."""
    return [
        *settings_complaints(),
        *shop_settings_complaints(),
        *variable_complaints(),
        *target_complaints(),
        *command_complaints(),
        *link_complaints(),
        *index_complaints(),
    ]


def committed(*patterns: str) -> list[Path]:
    """Every file of the project that git knows, by name."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns],
        cwd=TOP,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(path for name in listing.stdout.split("\0") if name and (path := TOP / name).is_file())


def documents() -> list[Path]:
    """Every page of documentation."""
    return committed("*.md")


# --- settings -----------------------------------------------------------------------------------------------


def settings_complaints() -> Iterator[str]:
    """`docs/settings.md` against `Settings`, both ways, defaults included."""
    rows = {
        row["name"]: row["default"].strip() for row in _SETTING.finditer((TOP / "docs/settings.md").read_text())
    }
    fields = {PREFIX + name.upper(): field.default for name, field in Settings.model_fields.items()}
    yield from (f"docs/settings.md lacks {name}" for name in fields.keys() - rows.keys())
    yield from (f"docs/settings.md has {name}, which is no setting" for name in rows.keys() - fields.keys())
    for name in fields.keys() & rows.keys():
        if rows[name] != spelled(fields[name]):
            yield f"docs/settings.md: the default of {name} is {spelled(fields[name])}, not {rows[name]}"
    yield from (
        f"{name} has no example for its complaint" for name in Settings.model_fields.keys() - EXAMPLES.keys()
    )


def shop_settings_complaints() -> Iterator[str]:
    """The settings of a shop in `docs/settings.md` against `SYSTEMS.settings`, both ways, defaults included."""
    found = {
        row["name"]: row["default"].strip()
        for row in _SHOP_SETTING.finditer((TOP / "docs/settings.md").read_text())
    }
    defaults = {key: as_text(rule.default) for key, rule in SYSTEMS.settings.items()}
    wanted = {key: f"`{default}`" if default else "none" for key, default in defaults.items()}
    yield from (f"docs/settings.md lacks {name}" for name in wanted.keys() - found.keys())
    yield from (f"docs/settings.md has {name}, which is no setting" for name in found.keys() - wanted.keys())
    for name in found.keys() & wanted.keys():
        if found[name] != wanted[name]:
            yield f"docs/settings.md: the default of {name} is {wanted[name]}, not {found[name]}"


def spelled(default: Any) -> str:
    """A default as one would type it."""
    match default:
        case None | ():
            return "none"
        case bool():
            return f"`{int(default)}`"
        case tuple():
            return f"`{','.join(default)}`"
        case Path():
            return f"`./{default}`"
        case float():
            return f"`{Decimal(default).normalize():f}`"
        case _:
            return f"`{default}`"


def variable_complaints() -> Iterator[str]:
    """Every `UPBRIDGE_…` that a document or the deployment names is a setting."""
    known = {name.upper() for name in Settings.model_fields}
    for path in [*documents(), *(TOP / name for name in DEPLOYMENT)]:
        for name in sorted(set(_VARIABLE.findall(path.read_text())) - known):
            yield f"{path.relative_to(TOP)} names {PREFIX}{name}, which is no setting"


# --- commands -----------------------------------------------------------------------------------------------


def make_targets() -> set[str]:
    """The targets that `make help` lists."""
    return set(_TARGET.findall((TOP / "Makefile").read_text()))


def target_complaints() -> Iterator[str]:
    """Every `make …` in a document is a target, and `.ci/run` calls what the README promises."""
    targets = make_targets()
    for path in [*documents(), TOP / ".ci/run"]:
        for name in sorted(_called("make", path) - targets):
            yield f"{path.relative_to(TOP)} says `make {name}`, which the Makefile lacks"
    for name in sorted({"check", "test", "demo"} - _called("make", TOP / ".ci/run")):
        yield f".ci/run does not call make {name}"


def command_complaints() -> Iterator[str]:
    """Every `upbridge …` in a document is a command of the program, options included."""
    for path in documents():
        for line in _lines_of(path):
            words = line.split()
            if words[:1] == ["upbridge"] and (complaint := command_complaint(words[1:])) is not None:
                yield f"{path.relative_to(TOP)}: `{line}`: {complaint}"


def command_complaint(words: list[str]) -> str | None:
    """What is wrong with the command line *words* (without the program's name); None if nothing is."""
    command = typer.main.get_command(importlib.import_module("upbridge.cli").app)
    for position, word in enumerate(words):
        subcommands = getattr(command, "commands", None)
        if subcommands is None or not re.fullmatch(r"[a-z][a-z-]*", word):
            options = {word.partition("=")[0] for word in words[position:] if word.startswith("--")}
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            wrong = sorted(options - known - {"--help"})
            return f"there is no {', '.join(wrong)}" if wrong else None
        if word not in subcommands:
            return f"there is no {word!r}"
        command = subcommands[word]
    return None


def _called(program: str, path: Path) -> set[str]:
    words = [line.split() for line in _lines_of(path)]
    return {line[1] for line in words if len(line) > 1 and line[0] == program and re.fullmatch(r"[a-z]+", line[1])}


def _lines_of(path: Path) -> list[str]:
    """The command lines in a page (its fences and its inline code) or in a script."""
    text = path.read_text()
    if path.suffix != ".md":
        return [line.strip() for line in text.splitlines()]
    fenced = [line.removeprefix("$ ").strip() for block in _FENCE.findall(text) for line in block.splitlines()]
    return [*fenced, *_INLINE.findall(text)]


# --- pages --------------------------------------------------------------------------------------------------


def link_complaints() -> Iterator[str]:
    """Every link to a file of ours leads to one."""
    for path in documents():
        for link in _LINK.findall(path.read_text()):
            target = link.partition("#")[0]
            if (
                target
                and "://" not in link
                and not link.startswith("mailto:")
                and not (path.parent / target).exists()
            ):
                yield f"{path.relative_to(TOP)} links to {link}, which is not there"


def index_complaints() -> Iterator[str]:
    """`docs/README.md` links every page of `docs` and the index of every folder in it."""
    index = TOP / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in _LINK.findall(index.read_text())}
    for page in committed("docs/*.md", "docs/*/README.md"):
        if page != index and page not in linked and (page.parent == index.parent or page.name == index.name):
            yield f"docs/README.md does not link {page.relative_to(TOP)}"


def compose() -> dict[str, Any]:
    """docker-compose.yml as data."""
    loaded = yaml.safe_load((TOP / "docker-compose.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded
