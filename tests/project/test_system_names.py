"""The house knows no connected system by name."""

from tests.project import system_names


def test_no_module_names_a_system_that_is_not_its_own() -> None:
    assert system_names.naming() == {}


def test_the_name_of_the_platform_stands_in_one_place() -> None:
    assert system_names.naming_the_platform() == []
