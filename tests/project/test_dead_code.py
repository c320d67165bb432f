"""No code of the product is used by tests only."""

from pathlib import Path

from tests.project import dead_code

MODULE = """
import typer

app = typer.Typer()


def used() -> int:
    return 1


def forgotten() -> int:
    return used()


@app.command()
def command() -> None: ...
"""


def test_nothing_is_left_that_only_tests_use() -> None:
    assert list(dead_code.complaints()) == []


def test_what_no_line_mentions_is_found_and_what_a_library_calls_is_not(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(MODULE)

    assert list(dead_code.unused([tmp_path])) == [("forgotten", "module.py:11: the function 'forgotten'")]


def test_names_in_templates_count_as_used() -> None:
    assert {"t", "shop"} <= dead_code.names_in_templates()
