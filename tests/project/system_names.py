"""Which lines of the product name a system outside its own folder: a connected one by its name or its module, the
platform by its name.
"""

import re
from collections.abc import Iterator

from tests.project.arrows import SRC, modules
from upbridge.core.package_files import package_file
from upbridge.domain.platform import PLATFORM
from upbridge.systems.registry import SYSTEMS

_NAMES = "|".join(system.name for system in SYSTEMS.connected)
_NAMED = re.compile(rf"""['"]({_NAMES})['".]|systems\.({_NAMES})\b""")

#: The registry, which is there to name them.
ALLOWED = {"upbridge.systems.registry"}

#: Where the name of the platform stands.
PLATFORM_MODULE = "upbridge.domain.platform"


def naming() -> dict[str, int]:
    """How many lines of each module and template name a system that is not its own."""
    found = {}
    for module, source in _sources():
        if module in ALLOWED or re.match(rf"upbridge\.systems\.({_NAMES})\b", module):
            continue
        if lines := sum(bool(_NAMED.search(line)) for line in source.splitlines()):
            found[module] = lines
    return found


def naming_the_platform() -> list[str]:
    """The modules that write the name of the platform instead of `PLATFORM`."""
    return sorted(
        module
        for module, source in modules(SRC)
        if module != PLATFORM_MODULE
        and not module.startswith(f"upbridge.systems.{PLATFORM}.")
        and re.search(rf"""['"]{PLATFORM}['"]""", source)
    )


def complaints() -> Iterator[str]:
    """One line for each module that names a system which is not its own."""
    yield from (f"{module} names a connected system in {lines} lines" for module, lines in naming().items())
    yield from (f"{module} writes the name of the platform" for module in naming_the_platform())


def _sources() -> Iterator[tuple[str, str]]:
    yield from modules(SRC)
    for path in sorted(package_file("templates").rglob("*.html")):
        yield path.name, path.read_text()
