"""docs/decisions has one form."""

import pytest

from tests.project import decisions

PAGE = """# 0007: We do this

## The question

Why?

## Decision

**This.**

## What else there was

That.

## Consequences

Some.

## Held by

`tests/project/decisions.py` and `exclusive`.
"""


def test_every_decision_has_the_form_and_is_in_the_index() -> None:
    assert list(decisions.complaints()) == []


def test_a_page_of_the_form_passes() -> None:
    assert list(decisions.in_page("a page", 7, PAGE)) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        pytest.param("# 0007: ", "# 7. ", id="another title"),
        pytest.param("# 0007: ", "# 0008: ", id="another number"),
        pytest.param("## The question", "## Context", id="another section"),
        pytest.param("## What else there was\n\nThat.\n\n", "", id="a section too few"),
        pytest.param("decisions.py", "nothing.py", id="a missing file"),
        pytest.param("`tests/project/decisions.py` and ", "", id="no file"),
    ],
)
def test_another_form_is_found(right: str, wrong: str) -> None:
    assert len(list(decisions.in_page("a page", 7, PAGE.replace(right, wrong)))) == 1
