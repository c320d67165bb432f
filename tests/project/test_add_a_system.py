"""docs/add-a-system.md shows the very code of the tests' third system."""

import re

from tests.project.documents import TOP

PAGE = TOP / "docs/add-a-system.md"
FOLDER = TOP / "tests/conformance/third_system/ledger"

_BLOCK = re.compile(r"^`([\w/]+\.(?:py|po))`\n\n```(?:python|po)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_shows_each_file_of_the_third_system_as_it_is() -> None:
    shown = dict(_BLOCK.findall(PAGE.read_text()))
    files = [path for path in FOLDER.glob("*.py") if path.name != "__init__.py"]

    assert shown == {
        path.relative_to(FOLDER).as_posix(): path.read_text().rstrip() for path in (*files, FOLDER / "texts/en.po")
    }
