"""What goes wrong. A disturbance begins with a step of the plan and is over some steps later, or in the end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.conformance.testbed import Testbed
from upbridge_sandbox.breakages import HOW

#: So few that a small shop has several pages.
A_PAGE = 3
SYSTEMS = ("upgates", "upp", "uphance")


class Days(Protocol):
    """A run, as far as a disturbance can reach."""

    @property
    def testbed(self) -> Testbed: ...

    post: "Post"

    def back_up(self) -> None: ...

    def restore(self) -> None: ...


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
        faults = days.testbed.world.faults[system]
        if kind == "busy" or chance.random() < 0.5:
            count = chance.randrange(1, 4)
            faults.set({f"{kind}_next": count})
            return Begun(f"{system}: {count} calls {says}", chance.randrange(1, 4), faults.clear)
        faults.set({f"{kind}_share": 0.3, "error_status": chance.choice((500, 502, 503))})
        return Begun(f"{system}: some calls {says}", chance.randrange(1, 4), faults.clear)

    return begin


def moving(days: Days, chance: Random) -> Begun:
    """Lists move between two of their pages."""
    lists = chance.choice((days.testbed.origin.faults, days.testbed.world.uphance.lists))
    lists.set({"move_share": chance.choice((0.2, 0.5)), "page_items": A_PAGE})

    def end() -> None:
        lists.set({"move_share": 0.0, "page_items": 0})

    return Begun("lists move while they are read", chance.randrange(1, 4), end)


def lag(days: Days, chance: Random) -> Begun:
    """What was just announced is not there yet."""
    faults = days.testbed.origin.faults
    faults.set({"lag_share": 0.5})
    return Begun("changes are not there yet", chance.randrange(1, 5), lambda: faults.set({"lag_share": 0.0}))


def stale(days: Days, chance: Random) -> Begun:
    """What was just announced is shown as it was before."""
    faults = days.testbed.origin.faults
    faults.set({"stale_share": 0.5})
    steps = chance.randrange(1, 5)
    return Begun("changes are shown as they were before", steps, lambda: faults.set({"stale_share": 0.0}))


def broken(days: Days, chance: Random) -> Begun:
    """One page or one entity cannot be read."""
    origin, how, page = days.testbed.origin, chance.choice(HOW), chance.choice((1, 2, 3))
    system, what = chance.choice(
        (
            ("upgates", f"page {page} of /orders"),
            ("upgates", f"page {page} of /products"),
            ("upgates", f"order_number {chance.choice([*origin.orders, 'none'])}"),
            ("upgates", f"product_id {chance.choice(list(origin.goods.products))}"),
            ("uphance", f"page {page} of /{chance.choice(('products', 'skus', 'sales_orders', 'pick_tickets'))}"),
            ("uphance", f"id {chance.choice(list(days.testbed.organisation.products))}"),
        )
    )
    faults = days.testbed.world.faults[system]
    lists = origin.faults if system == "upgates" else days.testbed.world.uphance.lists
    faults.set({"broken": [*faults.broken, f"{how} {what}"]})
    lists.set({"page_items": A_PAGE})

    def end() -> None:
        faults.set({"broken": []})
        lists.set({"page_items": 0})

    return Begun(f"{system}: {how} {what}", chance.randrange(1, 8), end)


def kill(days: Days, chance: Random) -> Begun:
    """The worker dies at an instant that is not far; the next one goes on."""
    instants = chance.randrange(1, 160)
    days.testbed.reaper.kill_after(instants)
    return Begun(f"the worker dies after {instants} instants", 3, days.testbed.reaper.spare)


def put_shapes(days: Days, chance: Random) -> Begun:
    """PUT /orders answers in other shapes."""
    faults = days.testbed.origin.faults
    faults.set({"put_shapes": True})
    return Begun(
        "PUT /orders answers in four shapes", chance.randrange(1, 8), lambda: faults.set({"put_shapes": False})
    )


def restored(days: Days, chance: Random) -> Begun:
    """The database is lost some steps later, and the backup of this moment is restored."""
    days.back_up()
    return Begun("the database is backed up", chance.randrange(1, 6), days.restore)


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
    "moving": moving,
    "lag": lag,
    "stale": stale,
    "broken": broken,
    "put_shapes": put_shapes,
    "restored": restored,
}
