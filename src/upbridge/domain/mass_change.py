"""When a change is so large that a person should agree first: one rule for stock and for the catalogue. Pure."""

#: Percent of all: what holds until a shop chooses (`stock.guard_percent`, `upp.guard_percent`).
LARGE = 30
SMALL = 10
"""Of fewer things one can be a tenth: a percentage says nothing about them."""
_ALL = 100


def is_large(changed: int, of: int, *, taken: int, there: int, percent: int = LARGE) -> bool:
    """Whether *changed* of so many things are more than *percent*; 0 makes every change large, 100 none.

    Of fewer than `SMALL` only a change is large that takes away all that is *there*, two at least. *taken*: how
    many of the changed ones are taken away.
    """
    if percent <= 0:
        return changed > 0
    if percent >= _ALL:
        return False
    if of < SMALL:
        return taken > 1 and taken >= there
    return changed * _ALL > percent * of
