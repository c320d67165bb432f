"""docs/add-a-system.md shows the very code of the tests' third system, as it stands in a folder of the product."""

import re
import subprocess
import sys

from tests.conformance.third_system.abacus.system import ABACUS
from tests.project import catalogues
from tests.project.documents import TOP

PAGE = TOP / "docs/add-a-system.md"
FOLDER = TOP / "tests/conformance/third_system/abacus"

_BLOCK = re.compile(r"^`([\w/]+\.(?:py|po))`\n\n```(?:python|po)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_shows_each_file_of_the_third_system_as_it_is() -> None:
    shown = dict(_BLOCK.findall(PAGE.read_text()))
    files = {path.name: _at_home(path.read_text()) for path in sorted(FOLDER.glob("*.py"))}

    assert shown == {**files, "texts/en.po": (FOLDER / "texts/en.po").read_text().rstrip()}


def test_its_texts_are_the_same_in_every_language() -> None:
    assert ABACUS.texts is not None
    assert list(catalogues.of_folder(ABACUS.texts)) == []


def _at_home(source: str) -> str:
    """*source* as it would stand in `src/upbridge/systems/abacus`."""
    moved = source.replace("tests.conformance.third_system.abacus", "upbridge.systems.abacus")
    ours = 'lint.isort.known-first-party = ["upbridge"]'
    tidy = [sys.executable, "-m", "ruff", "check", "--quiet", "--select", "I", "--config", ours, "--fix", "-"]
    done = subprocess.run(tidy, input=moved, capture_output=True, text=True, check=True, cwd=TOP)
    return done.stdout.rstrip()
