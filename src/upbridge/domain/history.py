"""What a shop's history tells: what was done, and by which way it came."""

from enum import StrEnum


class Way(StrEnum):
    """By which way a change came."""

    PAGE = "page"
    """The shop's staff, on a page in the admin. Who of them is not known: Upgates does not say."""
    CLI = "cli"
    """An operator, by a command."""
    PLATFORM = "platform"
    """A signed call of the platform: the staff pressed a button in its admin."""
    PROGRAM = "program"
    """Upbridge itself."""


class What(StrEnum):
    """What was done."""

    SETTING = "setting"
    """A setting has another value: *subject* is its key."""
    STATE = "state"
    """The shop was installed, suspended, resumed or uninstalled: *old* and *new* are its states."""
    CONNECTED = "connected"
    """A system was connected, or its login renewed: *subject* is the system, *new* the account there."""
    DISCONNECTED = "disconnected"
    LOGIN_REFUSED = "login_refused"
    LOGIN_RESTORED = "login_restored"
    WRONG_LOGIN = "wrong_login"
    """A person tried a login that the system did not take, or tries one now: *subject* is the system."""
    RELEASED = "released"
    """What a problem had stopped is tried again: *subject* is the cause."""
    HANDLED = "handled"
    """A problem was closed by hand: what it was about is not sent until it changes again."""
    TAKEN_BACK = "taken_back"
    """What was handled by hand is a problem again."""
    APPROVED = "approved"
    """What a guard had held back is sent, or a question was answered with yes: *subject* is the guard."""
    DECLINED = "declined"
    """What a guard had held back is not sent."""
    STOCK = "stock"
    """A run has written stock into the shop: *subject* is the moment of the run."""
    SENT_AGAIN = "sent_again"
    """An order, a product or the orders of a day are compared with the shop again: *subject* is its number, or the
    day."""
    PAIRED = "paired"
    """A person has paired a variant with a SKU: *subject* is the variant's code or key, *new* the SKU."""
    UNPAIRED = "unpaired"
    """That was taken back: *old* is the SKU."""
    UNDONE = "undone"
    """A run of stock was taken back: *subject* is the moment of the run."""
    PERSON_SHOWN = "person_shown"
    """What is known of who ordered was shown: *subject* is the order's number."""
    PERSON_ERASED = "person_erased"
    """What was stored of a person was erased: *details* count where."""
    WEBHOOKS_RENEWED = "webhooks_renewed"
    SESSIONS_ENDED = "sessions_ended"
