"""What goes wrong. A disturbance begins with a step of the plan and is over some steps later, or in the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.conformance.stage import Stage

SYSTEMS = ("upgates", "upp", "uphance")


class Days(Protocol):
    """A run, as far as a disturbance can reach."""

    @property
    def stage(self) -> Stage: ...

    post: "Post"


@dataclass(slots=True)
class Post:
    """What happens to the shop's announcements."""

    lost: bool = False
    late: bool = False
    doubled: bool = False
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A disturbance that has begun: what it is, for how many steps it lasts, and what ends it."""

    says: str
    steps: int
    end: Callable[[], None]


Disturbance = Callable[[Days, Random], Begun]


def _post(name: str, says: str) -> Disturbance:
    def begin(days: Days, chance: Random) -> Begun:
        setattr(days.post, name, True)
        return Begun(says, chance.randrange(1, 5), lambda: setattr(days.post, name, False))

    return begin


def _storm(kind: str, says: str) -> Disturbance:
    """The next calls, or some of all calls for a while, of one system."""

    def begin(days: Days, chance: Random) -> Begun:
        system = chance.choice(SYSTEMS)
        faults = days.stage.world.faults[system]
        if kind == "busy" or chance.random() < 0.5:
            count = chance.randrange(1, 4)
            faults.set({f"{kind}_next": count})
            return Begun(f"{system}: {count} calls {says}", chance.randrange(1, 4), faults.clear)
        faults.set({f"{kind}_share": 0.3, "error_status": chance.choice((500, 502, 503))})
        return Begun(f"{system}: some calls {says}", chance.randrange(1, 4), faults.clear)

    return begin


def kill(days: Days, chance: Random) -> Begun:
    """The worker dies at an instant that is not far; the next one goes on."""
    instants = chance.randrange(1, 160)
    days.stage.reaper.kill_after(instants)
    return Begun(f"the worker dies after {instants} instants", 3, days.stage.reaper.spare)


DISTURBANCES: Mapping[str, Disturbance] = {
    "lost_post": _post("lost", "announcements are lost"),
    "late_post": _post("late", "announcements come late"),
    "doubled_post": _post("doubled", "announcements come twice"),
    "mixed_post": _post("mixed", "announcements come in no order"),
    "errors": _storm("error", "fail"),
    "cuts": _storm("cut", "are cut"),
    "lost_answers": _storm("lost_answer", "are carried out and not answered"),
    "hanging": _storm("hang", "hang"),
    "busy": _storm("busy", "are sent away for a while"),
    "kill": kill,
}
