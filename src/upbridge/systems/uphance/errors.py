"""What only Uphance can refuse; the rest of the tree is `core/errors.py`."""

from upbridge.core.errors import LoginRefused


class WrongOrganisation(LoginRefused):
    """Uphance answers for another organisation than the one that was connected."""

    code = "wrong_organisation"
    merchant = "error.wrong_organisation"
