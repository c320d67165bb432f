"""Every failure this service expects, as one tree.

    UpbridgeError
    ├── BadSettings            a setting is missing or wrong: the start ends
    ├── NotReady               the database, its schema or the signature key cannot be had right now
    ├── Refused                the caller is wrong
    │   ├── BadRequest         malformed input
    │   │   ├── WrongSettings  settings of a shop that do not exist, or cannot have these values
    │   │   └── TooSlow        the body did not arrive in time
    │   ├── BadSignature       not signed by Upgates, or too old, or replayed
    │   ├── NotFound           no such shop, problem, ticket
    │   ├── Conflict           right, but not now
    │   ├── TooLarge           more than the endpoint takes
    │   └── TooOften           more at once than one caller may have
    └── RemoteError            another system did not do what was asked (systems/http/classify.py says why)
        ├── LoginRefused       the login does not work: the shop or connection is paused
        │   ├── CredentialsRefused   the credentials or the token (401)
        │   ├── RightRefused         inactive, locked or without the right (403)
        │   └── LoginUnreadable      it is stored, and none of our keys opens it
        ├── Throttled          later, and when; nothing was done
        │   ├── Closed         later, and when; it is not known whether the request took effect
        │   └── LoginsFailed   later, and when: too many logins failed, of this shop or of others
        ├── Unreachable        it is not known whether the request took effect
        │   ├── NotSent        no connection: it did not
        │   └── Failed         the system itself failed and has ended with the request (500)
        └── Rejected           the request itself was refused: repeating it is useless
            ├── TooMany        more things at once than the system takes (413)
            └── Missing        there is no such thing (404)

Each error speaks to three readers: `status` and `code` to the platform, `merchant` (a key of the message
catalogue) to the shop's staff, and its text to the log. The class docstring is the default text.
"""

from datetime import datetime
from typing import ClassVar


class UpbridgeError(Exception):
    """Something expected went wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"
    merchant: ClassVar[str] = "error.general"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class BadSettings(UpbridgeError):
    """The settings are incomplete or wrong."""

    code = "bad_settings"


class NotReady(UpbridgeError):
    """The service cannot do this at the moment; try again shortly."""

    status = 503
    code = "not_ready"
    merchant = "error.try_again"


class Refused(UpbridgeError):
    """The call was refused."""

    status = 400
    code = "refused"


class BadRequest(Refused):
    """The request is malformed."""

    status = 400
    code = "bad_request"
    merchant = "error.form"


class WrongSettings(BadRequest):
    """Settings of a shop that do not exist, or cannot have these values."""


class TooSlow(BadRequest):
    """The body did not arrive in time."""

    status = 408
    code = "too_slow"


class BadSignature(Refused):
    """The signature does not prove that Upgates made this call."""

    status = 403
    code = "bad_signature"


class NotFound(Refused):
    """There is no such thing here."""

    status = 404
    code = "not_found"


class Conflict(Refused):
    """That cannot be done in the present state."""

    status = 409
    code = "conflict"


class TooLarge(Refused):
    """The body is larger than this endpoint takes."""

    status = 413
    code = "too_large"
    merchant = "error.too_large"


class TooOften(Refused):
    """There were too many calls at once; try again shortly."""

    status = 429
    code = "too_often"
    merchant = "error.too_often"


class RemoteError(UpbridgeError):
    """Another system did not do what it was asked."""

    status = 502
    code = "remote"
    merchant = "error.remote"


class LoginRefused(RemoteError):
    """The other system refused our credentials."""

    code = "login_refused"
    merchant = "error.login_refused"


class CredentialsRefused(LoginRefused):
    """The other system does not know these credentials or this token."""


class RightRefused(LoginRefused):
    """The login is inactive, locked or without the right to this."""


class LoginUnreadable(LoginRefused):
    """The stored login cannot be opened: none of UPBRIDGE_ENCRYPTION_KEYS has sealed it."""

    code = "login_unreadable"


class LoginElsewhere(LoginRefused):
    """The login works, and leads to another account than the one that was connected."""

    code = "login_elsewhere"


class Throttled(RemoteError):
    """The other system, or our own budget for it, says: later. Nothing was done."""

    code = "throttled"
    merchant = "error.throttled"

    def __init__(self, message: str | None = None, *, until: datetime | None) -> None:
        super().__init__(message)
        self.until = until
        """When to try again; None: for longer each time, because no moment was named that is still to come."""


class Closed(Throttled):
    """The other system is closed for a while. It is not known whether the request took effect."""


class LoginsFailed(Throttled):
    """Too many logins failed within the hour, of this shop or of others: no call is made that could fail, too."""


class Unreachable(RemoteError):
    """No usable answer came: the request may or may not have taken effect."""

    code = "unreachable"
    merchant = "error.unreachable"


class NotSent(Unreachable):
    """The other system could not be reached at all: nothing happened there."""


class Failed(Unreachable):
    """The other system itself failed, and has ended with the request."""

    def __init__(self, message: str | None = None, *, status: int = 0) -> None:
        super().__init__(message)
        self.answered = status
        """The status of the answer."""


class Rejected(RemoteError):
    """The other system refused the request itself."""

    code = "rejected"
    merchant = "error.rejected"

    def __init__(self, message: str | None = None, *, status: int = 0) -> None:
        super().__init__(message)
        self.answered = status
        """The status of the answer; 0 where it was not the status that refused."""


class TooMany(Rejected):
    """The other system takes fewer things in one call; nothing was done."""


class Missing(Rejected):
    """The other system has no such thing."""
