"""Which room may import which: the architecture's arrows, as a table.

    pages  lifecycle  inbox  jobs ─► care
      └───────┴────┬────┴──────┴──────┘
                  sync
                   │
                systems        upgates, upp and uphance do not know each other
               ┌───┴───┐
            budget   shops
               └───┬───┘
                telemetry
                   │
                  kit

The assembly's modules (schema, settings, errors, …) are open to every room but `kit`. The entrances (web,
background, commands) put everything together; no room imports them.

The second package, `upbridge_sandbox`, is no room: it imports nothing of the product, so that each can prove the
other wrong, and the product imports it in `SANDBOX_STARTED_BY` alone.
"""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
PACKAGE = "upbridge"
SANDBOX = "upbridge_sandbox"

#: The one module that starts the simulated systems and the demo.
SANDBOX_STARTED_BY = "upbridge.cli.run"

_GROUND = {"kit"}
_OWN = _GROUND | {"telemetry"}
_SYSTEMS = _OWN | {"shops", "budget"}
_SYNC = _SYSTEMS | {"systems"}
_TOP = _SYNC | {"sync"}

#: Shared, without decisions: any room but those of `ALONE` may use them.
ASSEMBLY: dict[str, set[str]] = {
    "errors": set(),
    "schema": set(),
    "settings": {"errors"},
    "embedded": {"errors"},
    "db": {"embedded", "errors", "settings"},
    "migrating": {"db", "errors", "schema"},
    "texts": {"db", "kit"},
}

ROOMS: dict[str, set[str]] = {
    "kit": set(),
    "telemetry": _GROUND,
    "shops": _OWN,
    "budget": _OWN,
    "systems": _SYSTEMS,
    "sync": _SYNC,
    "care": _TOP,
    "health": _OWN,
    "lifecycle": _TOP,
    "inbox": _TOP,
    "jobs": _TOP | {"care"},
    "pages": _TOP,
}

#: Rooms that know nothing of the product.
ALONE = {"kit"}

#: These put the rooms together; no room imports them.
ENTRANCES = {"app", "background", "cli", "__main__"}

#: The words that all systems share; everything else in `systems` belongs to one of them.
SHARED_WORDS = {"trade", "delivery"}


def modules(src: Path = SRC) -> Iterator[tuple[str, str]]:
    """Name and source of every module of the product."""
    return _modules(src, PACKAGE)


def sandbox_modules(src: Path = SRC) -> Iterator[tuple[str, str]]:
    """Name and source of every module of the simulated systems and the demo."""
    return _modules(src, SANDBOX)


def _modules(src: Path, package: str) -> Iterator[tuple[str, str]]:
    for path in sorted((src / package).rglob("*.py")):
        parts = path.relative_to(src).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text()


def imports(module: str, source: str) -> set[str]:
    """Every module of ours that *source* names in an import, wherever in the file it stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=name, level=0) if name is not None:
                found |= {f"{name}.{alias.name}" for alias in node.names}
            case ast.ImportFrom(module=name, level=level):
                above = ".".join(module.split(".")[:-level])
                found |= {".".join(filter(None, (above, name, alias.name))) for alias in node.names}
    return {name for name in found if name.split(".")[0] in (PACKAGE, SANDBOX)}


def complaints(files: Iterator[tuple[str, str]] | None = None) -> list[str]:
    """One line for each import that no arrow allows."""
    return [
        f"{module} imports {target}: {reason}"
        for module, source in (chain(modules(), sandbox_modules()) if files is None else files)
        for target in sorted(imports(module, source))
        if (reason := _reason(module, target)) is not None
    ]


def _reason(module: str, target: str) -> str | None:
    package, other = module.partition(".")[0], target.partition(".")[0]
    if package == other:
        return None if package == SANDBOX else _refusal(module, target)
    if package == SANDBOX:
        return "the simulated systems share nothing with the product"
    return None if module == SANDBOX_STARTED_BY else f"only {SANDBOX_STARTED_BY} starts the simulated systems"


def _refusal(module: str, target: str) -> str | None:
    room, other = _room(module), _room(target)
    if room == other:
        return _between_systems(module, target) if room == "systems" else None
    if room in ENTRANCES or other == "":  # `upbridge` itself holds the version only
        return None
    if other in ENTRANCES:
        return f"nobody imports {other}"
    if room not in ROOMS | ASSEMBLY:
        return f"{room!r} is not on the plan"
    if other in ASSEMBLY and room in ROOMS and room not in ALONE:
        return None
    return None if other in (ROOMS | ASSEMBLY)[room] else f"no arrow leads from {room} to {other}"


def _between_systems(module: str, target: str) -> str | None:
    mine, theirs = (name.split(".")[2:3] for name in (module, target))
    if not mine or not theirs or mine == theirs or theirs[0] in SHARED_WORDS:
        return None
    return "systems do not know each other"


def _room(module: str) -> str:
    """The part of the house; nothing for the package itself and what it says of itself (`__version__`)."""
    name = [*module.split("."), ""][1]
    return "" if name == "__version__" else name
