"""Lines that any caller can cause are written once a minute for each kind, with how many there were.

The metrics count every one; the log says that there are some, and of which kind. A kind is made of words of ours
and ids of shops, never of what a stranger sent, so there are few.
"""

import time
from collections.abc import Callable, Hashable

_MOST_KINDS = 10_000


class Seldom:
    """Which lines are due."""

    def __init__(self, *, every: float = 60.0, seconds: Callable[[], float] = time.monotonic) -> None:
        self._every = every
        self._seconds = seconds
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def times(self, *kind: Hashable) -> int:
        """Note one more of *kind*: how many there were since the last line if a line is due, and 0 if none is. The
        first is due at once."""
        now = self._seconds()
        written, unsaid = self._kinds.get(kind, (None, 0))
        if written is not None and now - written < self._every:
            self._kinds[kind] = written, unsaid + 1
            return 0
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds = {
                one: state for one, state in self._kinds.items() if state[1] or now - state[0] < self._every
            }
        self._kinds[kind] = now, 0
        return unsaid + 1
