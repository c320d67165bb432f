"""How long to leave a system alone after it failed."""

from datetime import timedelta

_FIRST_PAUSE = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(minutes=15)


def pause_after(failures: int) -> timedelta:
    """How long to leave a system alone after failures in a row: 2 s, doubled each time, at most 15 min."""
    return min(_FIRST_PAUSE * float(2 ** min(failures - 1, 12)), _LONGEST_PAUSE)
