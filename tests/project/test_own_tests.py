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


@pytest.mark.parametrize(
    "patch",
    [
        'monkeypatch.setattr(shops, "LIMIT", 1)',
        'monkeypatch.setattr(shops.Shops, "get", None)',
        'monkeypatch.setattr("upbridge.jobs.push", None)',
        'monkeypatch.setattr(f"upbridge.cli.{name}.push", None)',
        'monkeypatch.delattr(shops, "LIMIT")',
        'monkeypatch.setitem(shops.NAMES, "a", 1)',
        "shops.LIMIT = 1",
        'shops.NAMES["a"] = 1',
        'setattr(shops, "LIMIT", 1)',
        "upbridge.jobs.push = None",
        "from unittest.mock import patch",
        "import unittest.mock",
    ],
)
def test_a_patch_of_ours_is_found_with_its_function(patch: str) -> None:
    tree = ast.parse(f"import upbridge.jobs\nfrom upbridge.store import shops\ndef test_it():\n    {patch}")

    assert list(own_tests.patches("tests/x.py", tree)) == ["tests/x.py:test_it"]


@pytest.mark.parametrize(
    "harmless", ['monkeypatch.setattr(sys, "argv", [])', "one.limit = shops.LIMIT", "x = shops"]
)
def test_what_is_not_ours_or_made_by_the_test_may_be_replaced(harmless: str) -> None:
    tree = ast.parse(f"from upbridge.store import shops\ndef test_it():\n    {harmless}")

    assert list(own_tests.patches("tests/x.py", tree)) == []


def test_a_sleep_is_found_with_its_function() -> None:
    tree = ast.parse("async def test_that():\n    await asyncio.sleep(0)\n    await asyncio.sleep(0.1)")

    assert list(own_tests.sleeps("tests/x.py", tree)) == ["tests/x.py:test_that"]
