"""What a person plays with belongs to one process at a time."""

from pathlib import Path

import pytest

from upbridge_sandbox.demo.interactive import alone
from upbridge_sandbox.demo.processes import Failed


def test_a_second_one_leaves_the_first_ones_folder_alone(tmp_path: Path) -> None:
    home = tmp_path / "play"
    with alone(home):
        home.mkdir()
        (home / "database").write_text("of the first")

        with pytest.raises(Failed, match="in use"), alone(home):
            pass

        assert (home / "database").exists()


def test_the_next_one_begins_with_nothing(tmp_path: Path) -> None:
    home = tmp_path / "play"
    home.mkdir()
    (home / "database").write_text("of yesterday")

    with alone(home):
        assert not home.exists()
