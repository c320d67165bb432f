"""The house knows no connected system by name."""

from tests.project import system_names


def test_no_module_names_a_system_but_the_debts() -> None:
    assert system_names.naming() == system_names.DEBTS
