"""A commit's message has a short subject and a body that says why."""

from pathlib import Path

import pytest

from tests.project import commits
from tests.project.commits import LONGEST_SUBJECT

GOOD = """Count each remote call once

Transport and clients both counted, so every rate was doubled.
"""


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(GOOD, id="subject and body"),
        pytest.param(f"{GOOD}\n# Please enter the commit message", id="with git's comments"),
        pytest.param("Merge branch 'main'", id="a merge"),
        pytest.param("S" * LONGEST_SUBJECT + "\n\nwhy", id="the longest subject"),
        pytest.param("Do\n\nSee https://example.com/" + "x" * 99, id="an address cannot be broken"),
    ],
)
def test_a_good_message_passes(message: str) -> None:
    assert list(commits.complaints(message)) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="nothing"),
        pytest.param("S" * (LONGEST_SUBJECT + 1) + "\n\nwhy", id="a long subject"),
        pytest.param("count once\n\nwhy", id="no capital letter"),
        pytest.param("Count once.\n\nwhy", id="a full stop"),
        pytest.param("Count once\nwhy", id="no empty line"),
        pytest.param("Count once\n", id="no body"),
        pytest.param("Count once\n\nReviewed-by: A. Person\n", id="trailers are no body"),
        pytest.param("Count once\n\n" + "word " * 30, id="a long line"),
    ],
)
def test_a_bad_message_is_found(message: str) -> None:
    assert list(commits.complaints(message)) != []


def test_the_hook_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").write_text(GOOD)
    (tmp_path / "bad").write_text("count once")

    assert commits.main(str(tmp_path / "good")) == 0
    assert commits.main(str(tmp_path / "bad")) == 1
    assert "no body says why" in capsys.readouterr().err
