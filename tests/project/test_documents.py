"""The documents say what is there."""

import subprocess

import pytest

from tests.project import documents
from tests.project.documents import TOP


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(documents.settings_complaints, id="every setting has its line and its default"),
        pytest.param(documents.variable_complaints, id="every variable is a setting"),
        pytest.param(documents.target_complaints, id="every make target exists"),
        pytest.param(documents.command_complaints, id="every command exists"),
        pytest.param(documents.link_complaints, id="every link leads somewhere"),
        pytest.param(documents.index_complaints, id="every page is in the index"),
        pytest.param(
            documents.shop_settings_complaints, id="every setting of a shop has its line and its default"
        ),
    ],
)
def test_nothing_is_promised_that_is_not_there(look: documents.Look) -> None:
    assert list(look()) == []


@pytest.mark.parametrize(
    ("default", "spelled"),
    [
        (None, "none"),
        (True, "`1`"),
        (24.0, "`24`"),
        (0.5, "`0.5`"),
        (("*.a.cz", "b.cz"), "`*.a.cz,b.cz`"),
        ((), "none"),
        ("text", "`text`"),
    ],
)
def test_a_default_is_spelled_as_one_would_type_it(default: object, spelled: str) -> None:
    assert documents.spelled(default) == spelled


@pytest.mark.parametrize("words", [["shops", "fly"], ["nonsense"], ["shops", "list", "--jsonn"]])
def test_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    assert documents.command_complaint(words) is not None


def test_make_help_has_a_line_for_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=TOP, check=True, capture_output=True, text=True).stdout

    assert {line.split()[1] for line in shown.splitlines()} == documents.make_targets()
    assert {"help", "demo", "play", "test", "check"} <= documents.make_targets()
