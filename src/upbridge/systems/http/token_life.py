"""How long a token that another system has given us is used."""

from datetime import timedelta

#: No token is used for longer, also where its answer says so: a renewal costs one call, and no calendar holds a
#: moment 10^15 seconds from now.
LONGEST_LIFE = timedelta(days=400)


def token_life(seconds: float | None, *, assumed: timedelta) -> timedelta:
    """The life of a token that lives for so many *seconds* as its answer says, but `LONGEST_LIFE` at most.

    *assumed* where it says nothing, no number, or nothing above 0.
    """
    longest = LONGEST_LIFE.total_seconds()
    if seconds is None or not 0 < seconds < float("inf"):
        return assumed
    return timedelta(seconds=min(seconds, longest))
