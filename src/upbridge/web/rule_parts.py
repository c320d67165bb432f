"""The parts of the Rules page: settings that a merchant sees and saves together.

A system's own settings stand in parts that bear its name, in the order in which people see the systems; what all
systems share comes after. A system says of each of its settings into which part it belongs (`Setting.group`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from upbridge.core.i18n import Texts
from upbridge.systems.base import System, Systems

#: The parts of one system, and those that all systems share.
OWN = ("orders", "goods", "delivery")
SHARED = ("stock", "shipments", "notify", "advanced")


@dataclass(frozen=True, slots=True)
class RulePart:
    """One part. *name*: in its address."""

    name: str
    group: str
    keys: tuple[str, ...]
    system: System | None = None
    alone: bool = False
    """Whether it is the only part of its system, which then needs no further word."""

    def title(self, texts: Texts) -> str:
        """What it is called."""
        if self.system is None:
            return texts.get(f"ui.rules.part.{self.group}")
        if self.alone:
            return self.system.title
        return texts.get(
            "ui.rules.part.own", system=self.system.title, part=texts.get(f"ui.rules.part.{self.group}")
        )


def parts_of(systems: Systems) -> tuple[RulePart, ...]:
    """All parts, none of them empty, and each setting in one of them."""
    found = []
    for system in systems.all:
        own = {group: _keys(system, group) for group in OWN}
        filled = {group: keys for group, keys in own.items() if keys}
        found += [
            RulePart(f"{system.name}.{group}", group, keys, system, alone=len(filled) == 1)
            for group, keys in filled.items()
        ]
    shared = (
        RulePart(group, group, tuple(key for system in systems.all for key in _keys(system, group)))
        for group in SHARED
    )
    return (*found, *(part for part in shared if part.keys))


def part_with(parts: Sequence[RulePart], *keys: str) -> RulePart:
    """The part in which the first of *keys* stands that is a setting; else the first part."""
    return next((part for key in keys for part in parts if key in part.keys), parts[0])


def rule_address(page: str, systems: Systems) -> str:
    """*page* as an address below the home of a session: `rules#KEY` leads to the part that KEY stands in."""
    place, _, key = page.partition("#")
    if place != "rules" or not key:
        return page
    return f"rules?part={part_with(parts_of(systems), key).name}#{key}"


def _keys(system: System, group: str) -> tuple[str, ...]:
    return tuple(key for key, setting in system.settings.items() if setting.group == group)
