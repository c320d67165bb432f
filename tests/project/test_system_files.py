"""The folders of the systems have the same files for the same things, and the tutorial says which."""

import re

import pytest

from tests.conformance.third_system.abacus.system import ABACUS
from tests.project import system_files
from tests.project.documents import TOP
from upbridge.systems.base import System
from upbridge.systems.registry import SYSTEMS

TUTORIAL = TOP / "docs/add-a-system.md"


@pytest.mark.parametrize("system", [*SYSTEMS.all, ABACUS], ids=lambda one: one.name)
def test_what_a_system_has_stands_where_the_others_have_it(system: System) -> None:
    assert list(system_files.complaints(system)) == []


def test_the_tutorial_names_every_file_that_all_have_or_may_have() -> None:
    named = set(re.findall(r"^\| `(\w+)\.py` \|", TUTORIAL.read_text(), re.MULTILINE))

    assert named == {*system_files.ALWAYS, *system_files.PARTS.values(), *system_files.KINDS}
