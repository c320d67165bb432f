"""What can be made to go wrong, per simulated system, at run time.

Shares are probabilities for every call from now on; `*_next` counts down and comes first, so that a test
can ask for exactly one failure. `match` limits all of it to paths that contain the text.
"""

import random
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Switches:
    """Named values that the control API reads and sets; each has the type of its default."""

    def set(self, values: dict[str, Any]) -> None:
        """Change the named switches; an unknown name or a wrong type raises ValueError."""
        known = {item.name: type(getattr(self, item.name)) for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"no fault is called {name!r}; there are {sorted(known)}")
            if type(value) is not known[name] and (known[name], type(value)) != (float, int):
                raise ValueError(f"{name} is a {known[name].__name__}")
            setattr(self, name, known[name](value))

    def clear(self) -> None:
        """Everything works again."""
        self.set(type(self)().as_json())

    def as_json(self) -> dict[str, Any]:
        """The switches as they stand."""
        return asdict(self)


@dataclass(slots=True)
class Faults(Switches):
    """The faults of one system."""

    latency: float = 0.0
    write_latency: float = 0.0
    error_share: float = 0.0
    error_next: int = 0
    error_status: int = 500
    cut_share: float = 0.0
    cut_next: int = 0
    lost_answer_share: float = 0.0
    lost_answer_next: int = 0
    hang_share: float = 0.0
    hang_next: int = 0
    busy_next: int = 0
    retry_after: int = 2
    refuse: list[str] = field(default_factory=list)
    match: str = ""

    def strikes(self, kind: str, path: str, rng: random.Random) -> bool:
        """Whether this call is hit by *kind* (error, cut, lost_answer, hang, busy); counts `*_next` down."""
        if self.match and self.match not in path:
            return False
        left: int = getattr(self, f"{kind}_next")
        if left > 0:
            setattr(self, f"{kind}_next", left - 1)
            return True
        share: float = getattr(self, f"{kind}_share", 0.0)
        return share > 0 and rng.random() < share


@dataclass(slots=True)
class WebhookFaults(Switches):
    """What happens to announcements on their way: shares of records, each drawn by itself."""

    lose_share: float = 0.0
    double_share: float = 0.0
    late_share: float = 0.0
    late_seconds: float = 3.0
    reorder: bool = False
    stopped: bool = False
