"""The tests keep to the rules of CONTRIBUTING."""

import ast

import pytest

from tests.project import own_tests


def test_helpers_come_from_support_and_nothing_of_ours_is_patched_reached_into_or_slept_for() -> None:
    assert list(own_tests.complaints()) == []


@pytest.mark.parametrize(
    "source",
    [
        "from tests.web.test_find import shop_has",
        "from tests.web.conftest import pages",
        "from tests.support.shops import make_shop",
    ],
)
def test_an_import_that_hides_where_something_comes_from_is_found(source: str) -> None:
    fixtures = {"tests.support.shops": {"make_shop"}}

    assert len(list(own_tests.imports("tests/x.py", ast.parse(source), fixtures))) == 1


@pytest.mark.parametrize("source", ["from upbridge.app import _end", "visits._seconds = None", "x = of()._known"])
def test_a_reach_for_a_private_name_is_found(source: str) -> None:
    assert list(own_tests.reaches("tests/x.py", ast.parse(source))) == ["tests/x.py:"]


@pytest.mark.parametrize("source", ["from upbridge import __version__", "self._seen = 1", "x.__dict__"])
def test_what_is_ones_own_or_pythons_is_no_reach(source: str) -> None:
    assert list(own_tests.reaches("tests/x.py", ast.parse(source))) == []


def test_a_patch_of_ours_and_a_sleep_are_found_with_their_function() -> None:
    source = """
from upbridge.store import shops

def test_it(monkeypatch):
    monkeypatch.setattr(shops, "LIMIT", 1)
    monkeypatch.setattr("upbridge.jobs.push", None)
    monkeypatch.setattr(sys, "argv", [])

async def test_that():
    await asyncio.sleep(0)
    await asyncio.sleep(0.1)
"""
    tree = ast.parse(source)

    assert list(own_tests.patches("tests/x.py", tree)) == ["tests/x.py:test_it"] * 2
    assert list(own_tests.sleeps("tests/x.py", tree)) == ["tests/x.py:test_that"]
