"""The house knows no connected system by name, and the platform by one constant."""

from tests.project import system_names


def test_no_module_names_a_system_that_is_not_its_own() -> None:
    assert list(system_names.complaints()) == []
