"""Reading an answer's headers: any values, and answers in any order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rate_limits.calls import said
from tests.support.clock import NOON
from upbridge.rate_limits.headers import HeaderNumbers, closed_until, learn, read
from upbridge.rate_limits.windows import HOUR, BudgetState, Limits

LIMITS = Limits(10, 20)
NAMES = (
    "X-Rate-Limit-Hour",
    "X-Rate-Limit-Day",
    "X-Rate-Limit-Hour-Remaining",
    "X-Rate-Limit-Day-Remaining",
    "X-Rate-Limit-Total-Remaining",
    "Date",
)


def test_names_are_read_in_any_case() -> None:
    headers = {name.lower(): value for name, value in said(10, 100, 3, 50).items()}
    assert read(headers, now=NOON) == HeaderNumbers(hour=10, day=100, hour_left=3, day_left=50, total_left=53)


@pytest.mark.parametrize(
    ("reading", "remaining"),
    [
        (HeaderNumbers(), None),
        (HeaderNumbers(hour_left=3, day_left=9), (3, 9)),
        (HeaderNumbers(hour_left=3, total_left=12), (3, 9)),
        (HeaderNumbers(day_left=9, total_left=12), (3, 9)),
        (HeaderNumbers(total_left=12), (8, 4)),
        (HeaderNumbers(total_left=5), (5, 0)),
        (HeaderNumbers(hour_left=3), (3, 20)),
        (HeaderNumbers(day_left=9), (8, 9)),
        (HeaderNumbers(hour_left=3, day_left=9, total_left=5), (3, 2)),
        (HeaderNumbers(hour_left=3, day_left=9, total_left=0), (0, 0)),
    ],
)
def test_what_is_missing_is_made_up_and_of_a_contradiction_the_stricter_part_holds(
    reading: HeaderNumbers, remaining: tuple[int, int] | None
) -> None:
    assert reading.remaining(BudgetState.fresh(LIMITS, NOON).spend(2)) == remaining


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12) | st.integers().map(str)),
    retry_at=st.none() | st.datetimes(NOON.replace(tzinfo=None), timezones=st.just(UTC)),
)
def test_no_header_breaks_the_budget(headers: dict[str, str], retry_at: datetime | None) -> None:
    state = BudgetState.fresh(LIMITS, NOON).spend(3)
    reading = read(headers, now=NOON)
    after = learn(state, reading, same_hour=True, overlapped=False, in_flight=0, lost=0, now=NOON).state
    assert after.left >= 0
    assert after.hour_used >= 0
    assert after.day_used >= 0
    until = closed_until(after, reading, retry_at=retry_at, learned=True, now=NOON)
    assert until > NOON
    assert until == retry_at or until <= NOON + HOUR


@dataclass
class Call:
    """One call as ledger and server see it."""

    number: int
    lost_before: int
    answer: tuple[int, int] | None = None


@dataclass
class Shop:
    """A model of both sides: the server's true counters, the ledger's state, the calls under way."""

    state: BudgetState
    hour: int = 0
    day: int = 0
    made: int = 0
    seen_made: int = 0
    lost: int = 0
    under_way: list[Call] = field(default_factory=list)

    def begin(self) -> None:
        if len(self.under_way) < 3 and self.state.left:
            self.made += 1
            self.state = self.state.spend()
            self.under_way.append(Call(self.made, self.lost))

    def serve(self, which: int) -> None:
        """The server counts a call and writes its answer."""
        waiting = [call for call in self.under_way if call.answer is None]
        if waiting:
            self._count()
            waiting[which % len(waiting)].answer = (LIMITS.hour - self.hour, LIMITS.day - self.day)

    def _count(self) -> None:
        assert self.hour + self.day < LIMITS.hour + LIMITS.day, "the server would have answered 429"
        if self.hour < LIMITS.hour:
            self.hour += 1
        else:
            self.day += 1

    def end(self, which: int, *, cut: bool) -> None:
        """An answer arrives, or the line is cut whether the server counted the call or not."""
        if not self.under_way:
            return
        call = self.under_way[which % len(self.under_way)]
        if call.answer is None and not cut:
            return
        self.under_way.remove(call)
        reading = HeaderNumbers() if cut or call.answer is None else read(said(10, 20, *call.answer), now=NOON)
        learned = learn(
            self.state,
            reading,
            same_hour=True,
            overlapped=call.number <= self.seen_made,
            in_flight=len(self.under_way),
            lost=self.lost - call.lost_before,
            now=NOON,
        )
        self.state = learned.state
        self.lost += not learned.counted
        if learned.newest:
            self.seen_made = self.made


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["begin", "begin", "serve", "serve", "answer", "answer", "cut"]), st.integers(0, 2)
        ),
        max_size=120,
    )
)
def test_parallel_lost_and_late_answers_never_let_a_call_too_many_through(steps: list[tuple[str, int]]) -> None:
    shop = Shop(BudgetState.fresh(LIMITS, NOON))
    for step, which in steps:
        if step == "begin":
            shop.begin()
        elif step == "serve":
            shop.serve(which)
        else:
            shop.end(which, cut=step == "cut")
        on_the_way = sum(call.answer is None for call in shop.under_way)
        assert shop.state.left + on_the_way <= 30 - shop.hour - shop.day, "never more than there is"
    while shop.under_way:
        shop.serve(0)
        shop.end(0, cut=False)
    if shop.state.left:
        shop.begin()
        shop.serve(0)
        shop.end(0, cut=False)
        assert shop.state.left == 30 - shop.hour - shop.day, "and after one quiet call exactly that"
        assert shop.state.hour_left == LIMITS.hour - shop.hour
