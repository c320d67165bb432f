"""What can be made to go wrong, per simulated system, at run time.

Shares are probabilities for every call from now on; `*_next` counts down and comes first, so that a test
can ask for exactly one failure. `match` limits all of it to paths that contain the text.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from upbridge_sandbox.breakages import HOW, Breakage

T = TypeVar("T")
_ONE_THING = (
    f"one page or entity that cannot be read: 500 page 2 of /orders, hang order_number 7; {', '.join(HOW)}"
)


def _switch(off: T, says: str) -> T:
    """A switch: what it is while nothing is broken, and what it means, for a person."""
    return field(default=off, metadata={"says": says})


@dataclass(slots=True)
class Switches:
    """Named values that the control API reads and sets; each has the type of its default."""

    def set(self, values: dict[str, Any]) -> None:
        """Change the named switches, or none: an unknown name, a wrong type or size raises ValueError."""
        known = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no fault is called {name!r}; there are {sorted(known)}")
            if type(value) is not known[name] and (known[name], type(value)) != (float, int):
                raise ValueError(f"{name} is a {known[name].__name__}")
            if isinstance(value, int | float) and not 0 <= value <= (1 if name.endswith("_share") else value):
                raise ValueError(f"{name} is {'0 to 1' if name.endswith('_share') else '0 or more'}")
        for name, value in values.items():
            setattr(self, name, known[name](value))
        self.check()

    def check(self) -> None:
        """Raise ValueError if a value says nothing that can be done."""

    def happens(self, kind: str, rng: random.Random) -> bool:
        """Whether *kind* (error, cut, move, lag, stale) happens now: `*_next` counts down and comes first, else it
        is as likely as `*_share` says."""
        if (left := getattr(self, f"{kind}_next", 0)) > 0:
            setattr(self, f"{kind}_next", left - 1)
            return True
        share: float = getattr(self, f"{kind}_share", 0.0)
        return share > 0 and rng.random() < share

    def clear(self) -> None:
        """Everything works again."""
        self.set(type(self)().as_json())

    def as_json(self) -> dict[str, Any]:
        """The switches as they stand."""
        return asdict(self)


@dataclass(slots=True)
class Faults(Switches):
    """The faults of one system."""

    latency: float = _switch(0.0, "seconds before every answer")
    write_latency: float = _switch(0.0, "seconds more before a write is carried out")
    error_share: float = _switch(0.0, "part of the calls that are answered by an error")
    error_next: int = _switch(0, "so many calls are answered by an error")
    error_status: int = _switch(500, "the status of that error")
    cut_share: float = _switch(0.0, "part of the calls whose connection is cut before anything happens")
    cut_next: int = _switch(0, "so many connections are cut")
    lost_answer_share: float = _switch(0.0, "part of the writes that happen and are not answered")
    lost_answer_next: int = _switch(0, "so many writes happen and are not answered")
    hang_share: float = _switch(0.0, "part of the calls that never end")
    hang_next: int = _switch(0, "so many calls never end")
    trickle: float = _switch(0.0, "seconds between two bytes of answers that never end; 0: answers are whole")
    garble_share: float = _switch(
        0.0, "part of the answers that are damaged: cut, changed, nested without end, of other types"
    )
    garble_seed: int = _switch(0, "which answers are damaged, and how; with the same number the same ones again")
    busy_next: int = _switch(0, "so many calls get a 429")
    retry_after: int = _switch(2, "seconds that the 429 asks for")
    refuse: list[str] = field(default_factory=list, metadata={"says": "ids that are refused"})
    match: str = _switch("", "only paths with this text")
    broken: list[str] = field(default_factory=list, metadata={"says": _ONE_THING})

    def check(self) -> None:
        """Raise ValueError for what cannot be broken like this; then nothing is."""
        try:
            self.breakages()
        except ValueError:
            self.broken = []
            raise

    def breakages(self) -> Sequence[Breakage]:
        """What cannot be read."""
        return [Breakage.parse(text) for text in self.broken]

    def strikes(self, kind: str, path: str, rng: random.Random) -> bool:
        """Whether a call of *path* is hit by *kind*."""
        return self.match in path and self.happens(kind, rng)


@dataclass(slots=True)
class ListFaults(Switches):
    """What lists do that no rule forbids, and that who reads them must be able to live with."""

    page_items: int = _switch(0, "so many orders or products a page; 0: as many as published")
    move_share: float = _switch(
        0.0, "part of the pages after which the list moves: something is edited, or one goes and one comes"
    )
    move_next: int = _switch(0, "after so many pages the list moves")


@dataclass(slots=True)
class ShopFaults(ListFaults):
    """The same for the API of a shop, whose database has a replica."""

    lag_share: float = _switch(0.0, "part of the announced changes that the next look at the entity does not show")
    lag_next: int = _switch(0, "so many announced changes are not there yet at the next look")
    stale_share: float = _switch(
        0.0,
        "part of the announced changes of which the next look shows the version before, if older than a minute",
    )
    stale_next: int = _switch(0, "so many announced changes of which the next look shows the version before")
    put_shapes: bool = _switch(off=False, says="PUT /orders answers in its four shapes in turn")
    no_deleted_lists: bool = _switch(off=False, says="the API does not know deleted_yn, like an older one")


@dataclass(slots=True)
class WebhookFaults(Switches):
    """What happens to announcements on their way: shares of records, each drawn by itself."""

    lose_share: float = _switch(0.0, "part of the records that are never announced")
    double_share: float = _switch(0.0, "part of the records that are announced twice")
    late_share: float = _switch(0.0, "part of the records that are announced late")
    late_seconds: float = _switch(3.0, "how late")
    reorder: bool = _switch(off=False, says="records and events come in any order")
    stopped: bool = _switch(off=False, says="nothing is announced")


#: What each switch means, for a person.
SAYS = {one.name: one.metadata["says"] for kind in (Faults, ShopFaults, WebhookFaults) for one in fields(kind)}
