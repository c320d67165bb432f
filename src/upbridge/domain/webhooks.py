"""What a shop announces to us, and the shape of the addresses at which systems reach us. Pure."""

from upbridge.domain.platform import PLATFORM

ROOT = "/webhooks/"
"""All addresses begin so, below our public origin."""
ANY_EVENT = "any"
"""The event of a system that has one address for all its webhooks."""

FACTS = frozenset({"orderstatuses", "languages", "pricelists"})
"""Sections whose webhooks only say that the facts are to be read again."""
WATCHED = frozenset({"shipments", "payments"})
"""The same, of lists that we can do without: they are subscribed to where GET /status grants us the list, by the
name of the section in lower case."""
_SECTIONS = frozenset({"orders", "products"}) | FACTS | WATCHED
_ACTIONS = frozenset({"create", "update", "delete"})


def section_of(event: str) -> str:
    """What *event* is about: `orders` of `Orders.create`. The vendor's pages differ in case."""
    return event.lower().partition(".")[0]


def is_subscribed(event: str) -> bool:
    """Whether we listen to *event* of the platform."""
    return section_of(event) in _SECTIONS and event.lower().partition(".")[2] in _ACTIONS


def is_about_facts(event: str) -> bool:
    """Whether *event* says only that the facts of the shop are to be read again: what its body says, if it says
    anything and is JSON at all, is not published and makes no difference."""
    return section_of(event) in FACTS | WATCHED


def route(source: str) -> str:
    """The path at which *source* reaches us, with the names of its parts in braces. Only the platform has an
    address for each event."""
    return f"{ROOT}{source}/{{event}}/{{token}}" if source == PLATFORM else f"{ROOT}{source}/{{token}}"


def address(origin: str, source: str, event: str, token: str) -> str:
    """The secret address at which *source* reaches us for *event*."""
    return origin + route(source).format(event=event, token=token)


def shared_beginning(one: str, source: str) -> str:
    """What all addresses of *source* begin with, of which *one* is one."""
    mark = f"{ROOT}{source}/"
    return one.partition(mark)[0] + mark
