"""A line a minute for each kind, with how many there were."""

from weakref import WeakSet

from upbridge.core.telemetry.seldom import Seldom


class Seconds:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_of_a_kind_is_written_at_once_and_then_a_sum_each_minute() -> None:
    clock = Seconds()
    seldom = Seldom(seconds=clock)

    assert [seldom.times("refused", "open") for _ in range(4)] == [1, 0, 0, 0]
    clock.now += 60
    assert [seldom.times("refused", "open") for _ in range(2)] == [4, 0]


def test_kinds_do_not_silence_each_other() -> None:
    seldom = Seldom(seconds=Seconds())

    assert [seldom.times(kind) for kind in ("a", "b", "a", "b")] == [1, 1, 0, 0]


class Kind:
    """One that lives as long as it is remembered."""


def test_kinds_that_were_said_long_ago_are_forgotten() -> None:
    clock = Seconds()
    seldom = Seldom(seconds=clock)
    remembered: WeakSet[Kind] = WeakSet()
    for _ in range(30_000):
        clock.now += 0.1
        remembered.add(kind := Kind())
        seldom.times(kind)

    assert len(remembered) <= 10_000
