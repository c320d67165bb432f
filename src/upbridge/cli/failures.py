"""What a command says when it cannot go on."""

from upbridge.cli.printable import console_error
from upbridge.core.database_failure import concerns_database, reason_of
from upbridge.core.encryption import DecryptionError
from upbridge.core.errors import BadSettings, UpbridgeError, WrongSettings


def told(error: Exception) -> int | None:
    """Say on standard error what is wrong; the exit code, or None and no word for a bug of ours."""
    match error:
        case BadSettings() | WrongSettings():
            for line in str(error).splitlines():
                console_error(line)
            return 2
        case DecryptionError():
            console_error(
                "UPBRIDGE_ENCRYPTION_KEYS: none of these keys opens a secret that is stored;"
                " `upbridge keys check` says which, and what to do"
            )
            return 2
        case UpbridgeError():
            console_error(str(error))
            return 1
        case _ if concerns_database(error):
            console_error(f"the database cannot be used: {reason_of(error)}")
            return 1
        case _:
            return None
