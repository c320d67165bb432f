"""What the project cites can be read in the project."""

from pathlib import Path

import pytest

from tests.project import citations
from tests.project.documents import TOP


def test_every_citation_leads_somewhere() -> None:
    assert list(citations.complaints()) == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Creating an order once", "creating-an-order-once"),
        ("`upbridge shops show SHOP --json`", "upbridge-shops-show-shop---json"),
        ("Sets, gifts and discounts", "sets-gifts-and-discounts"),
        ("A [link](page.md) in it", "a-link-in-it"),
    ],
)
def test_an_anchor_is_spelled_as_github_does(heading: str, anchor: str) -> None:
    assert citations.anchor(heading) == anchor


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("see docs/vendors/nothing" + ".md", id="a page"),
        pytest.param("see docs/vendors/uphance.md" + "#flying", id="a heading"),
        pytest.param("docs/decisions/" + "9999", id="a decision"),
    ],
)
def test_a_citation_of_nothing_is_found(text: str) -> None:
    assert len(list(citations.in_code("a file", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "as the contract" + ", section 5 has it",
        "the rules are section" + " 15.1 of the Uphance reference",
        "deleted (G" + "6)",
        "see shared" + "/reference/captured",
        "because of issue" + " 9",
    ],
)
def test_a_citation_of_what_is_not_in_the_repository_is_found(text: str) -> None:
    assert len(list(citations.absent("a file", text))) == 1


def test_a_link_to_no_heading_is_found(tmp_path: Path) -> None:
    page = TOP / "docs/vendors/README.md"

    assert list(citations.in_document(page, "[this](#how-to-read-them) and [that](upp.md#token)")) == []
    assert len(list(citations.in_document(page, "[this](#flying) and [that](upp.md#flying)"))) == 2


def test_a_file_that_a_page_names_in_vain_is_found() -> None:
    page = TOP / "docs/vendors/README.md"

    assert list(citations.in_document(page, "`tests/project` and `tests/project/check.py::main`")) == []
    assert len(list(citations.in_document(page, "`src/upbridge/flying.py`"))) == 1


def test_a_file_that_code_names_without_a_folder_stands_beside_it() -> None:
    module = TOP / "src/upbridge/webhooks/inbox.py"

    assert list(citations.beside(module, "`statement.py` and `webhooks/flying.py`")) == []
    assert len(list(citations.beside(module, "`schema.py`"))) == 1
