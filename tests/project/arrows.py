"""Which room may import which: the architecture's arrows, as a table of floors.

    cli  jobs  job_queue  app  bootstrap  web_container  worker_container    entrances: they put the rooms together
    web  installation  webhooks  maintenance
    mail                                           tells people by mail what the pages show
    operations  insights
    engine
    systems                                        a system knows no other; `systems.registry` names them, and
                                                   no room above imports more than what all share, and that
    rate_limits
    store
    domain
    core                                           imports nothing of ours

A room imports from the floors below it. Rooms on one floor do not know each other. The process settings are open
to every room above `domain`. The second package, `upbridge_sandbox`, is no room: it imports nothing of
the product, so that each can prove the other wrong, and the product imports it in `SANDBOX_STARTED_BY` alone.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"
PACKAGE = "upbridge"
SANDBOX = "upbridge_sandbox"

#: The one module that starts the simulated systems and the demo.
SANDBOX_STARTED_BY = "upbridge.cli.run"

#: From the top to the bottom.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("cli", "app", "jobs", "job_queue", "bootstrap", "web_container", "worker_container", "__main__"),
    ("web", "installation", "webhooks", "maintenance"),
    ("mail",),
    ("operations", "insights"),
    ("engine",),
    ("systems",),
    ("rate_limits",),
    ("store",),
    ("settings",),
    ("domain",),
    ("core",),
)
FLOOR = {room: height for height, rooms in enumerate(reversed(FLOORS)) for room in rooms}

#: The entrances may import each other.
ENTRANCES = set(FLOORS[0])

#: What all systems share; everything else in `systems` belongs to one of them.
SHARED = {"accesses", "base", "connecting", "decisions", "http", "links", "offers", "platform"}

#: The one module that names the systems. No system imports it.
REGISTRY = "upbridge.systems.registry"

#: The systems that shops are connected to. The shop's own is known to all of them.
CONNECTED = ("upp", "uphance")

#: Imports that still go against the arrows, each to be removed.
DEBTS: set[tuple[str, str]] = set()


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
        if (reason := _reason(module, target)) is not None and (module, target) not in DEBTS
    ]


def names_of_others(files: Iterator[tuple[str, str]] | None = None) -> list[str]:
    """One line for each module of a system that names another one, in code or in words."""
    return [
        f"{module} names {other}: systems do not know each other"
        for module, source in (modules() if files is None else files)
        if module.startswith(f"{PACKAGE}.systems.") and module != REGISTRY
        for other in CONNECTED
        if module.split(".")[2] != other and re.search(rf"(?<![a-z]){other}(?![a-z])", source, re.IGNORECASE)
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
    if other == "":  # `upbridge` itself holds the version only
        return None
    if room not in FLOOR or other not in FLOOR:
        return f"{room if room not in FLOOR else other!r} is not on the plan"
    if room in ENTRANCES and other in ENTRANCES:
        return None
    if other == "systems" and not _is_shared(target):
        return f"{room} knows no system: it takes what all share, and the registry"
    return None if FLOOR[other] < FLOOR[room] else f"no arrow leads from {room} to {other}"


def _between_systems(module: str, target: str) -> str | None:
    mine, theirs = (name.split(".")[2:3] for name in (module, target))
    if not mine or not theirs or mine == theirs or theirs[0] in SHARED or module == REGISTRY:
        return None
    return "systems do not know each other"


def _is_shared(target: str) -> bool:
    part = target.split(".")[2:3]
    return not part or part[0] in SHARED or target.startswith(REGISTRY)


def _room(module: str) -> str:
    """The part of the house; nothing for the package itself and what it says of itself."""
    name = [*module.split("."), ""][1]
    return "" if name in {"__version__", "HOMEPAGE"} else name
