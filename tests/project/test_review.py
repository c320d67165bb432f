"""docs/review.md says of every rule what proves it."""

from tests.project import review
from tests.project.review import Proof, Rule

SOURCE = """
import pytest

pytestmark = pytest.mark.rule("R1")

@pytest.mark.rule("R2", "R3")
class TestThings:
    @pytest.mark.rule("R4")
    async def test_one(self): ...
    def helper(self): ...

def test_two(): ...
"""


def test_every_rule_is_proved_and_the_page_is_up_to_date() -> None:
    assert list(review.complaints()) == []


def test_the_rules_are_those_of_the_platform_without_a_gap() -> None:
    assert list(review.RULES) == [f"R{number}" for number in range(1, 58)]


def test_marks_on_module_class_and_test_count() -> None:
    found = list(review.in_source("a.py", SOURCE))

    assert found == [
        Proof("a.py::TestThings::test_one", ("R1", "R2", "R3", "R4")),
        Proof("a.py::test_two", ("R1",)),
    ]


def test_a_row_names_its_tests_and_where_a_person_looks() -> None:
    assert review.cell("R1", Rule("words", "there"), [Proof("a.py::test_x", ("R1",))]) == [
        "`a.py::test_x`",
        "A person: there",
    ]
