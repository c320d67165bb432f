"""One line of the doctor's examination."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and where it is not well what to do."""

    check: str
    state: State
    detail: str
