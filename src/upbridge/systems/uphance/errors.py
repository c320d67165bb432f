"""What only Uphance can refuse; the rest of the tree is `core/errors.py`."""

from upbridge.core.errors import LoginElsewhere, Unreachable


class WrongOrganisation(LoginElsewhere):
    """Uphance answers for another organisation than the one that was connected."""

    code = "wrong_organisation"
    merchant = "error.wrong_organisation"


class RowUnread(Unreachable):
    """What is looked for may be a row that cannot be read."""
