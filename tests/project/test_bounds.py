"""The page about security says the bounds that the code has."""

from tests.project import bounds


def test_the_page_says_what_the_code_has() -> None:
    assert list(bounds.complaints()) == []


def test_every_bound_is_on_the_page() -> None:
    assert bounds.named().keys() == bounds.WHAT.keys()
