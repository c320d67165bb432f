"""Which lines of the product name a connected system outside its own folder: by its name, or by its module.

Everything but `ALLOWED` is a debt, to be paid: the numbers only get smaller.
"""

import re
from collections.abc import Iterator

from tests.project.arrows import SRC, modules
from upbridge.core.package_files import package_file
from upbridge.systems.registry import SYSTEMS

_NAMES = "|".join(system.name for system in SYSTEMS.connected)
_NAMED = re.compile(rf"""['"]({_NAMES})['".]|systems\.({_NAMES})\b""")

#: The registry, which is there to name them.
ALLOWED = {"upbridge.systems.registry"}

#: Lines that still name a system, by module. Never add one, nor let a number grow.
DEBTS = {
    "upbridge.systems.upgates.target": 1,  # the name of a number in the note of a link
}


def naming() -> dict[str, int]:
    """How many lines of each module and template name a system that is not its own."""
    found = {}
    for module, source in _sources():
        if module in ALLOWED or re.match(rf"upbridge\.systems\.({_NAMES})\b", module):
            continue
        if lines := sum(bool(_NAMED.search(line)) for line in source.splitlines()):
            found[module] = lines
    return found


def _sources() -> Iterator[tuple[str, str]]:
    yield from modules(SRC)
    for path in sorted(package_file("templates").rglob("*.html")):
        yield path.name, path.read_text()
