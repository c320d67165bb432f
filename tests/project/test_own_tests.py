"""The tests keep to the rules of CONTRIBUTING."""

import ast

import pytest

from tests.project import own_tests


def test_helpers_come_from_support_and_nothing_of_ours_is_patched_or_slept_for() -> None:
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
