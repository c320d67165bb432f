"""docs/edit-matrix.md says of every situation what is done and what proves it."""

from tests.project import matrix
from tests.project.matrix import Row
from tests.project.review import Proof


def test_every_situation_is_proved_and_the_page_is_up_to_date() -> None:
    assert list(matrix.complaints()) == []


def test_a_row_names_its_settings_and_its_tests() -> None:
    row = Row("order edited", "sent", "a task", ("uphance.channels",))
    found = [Proof("a.py::test_x", ("edit",)), Proof("a.py::test_y", ("other",))]

    assert matrix.line("edit", row, found) == (
        "| order edited | sent | a task | `uphance.channels` | `a.py::test_x` |"
    )


def test_no_situation_stands_twice() -> None:
    assert len(matrix.ROWS) == sum(len(rows) for rows in matrix.SECTIONS.values())
