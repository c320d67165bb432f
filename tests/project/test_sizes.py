"""A module tells one story."""

from tests.project import sizes


def test_a_module_can_be_read_in_one_sitting() -> None:
    assert list(sizes.complaints()) == []
