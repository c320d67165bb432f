"""What an HTTP answer means, and what a `Retry-After` may make us do."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.core.errors import (
    Closed,
    CredentialsRefused,
    Failed,
    Missing,
    Rejected,
    RemoteError,
    RightRefused,
    Throttled,
    TooMany,
    Unreachable,
)
from upbridge.systems.http.classify import (
    LONGEST_WAIT,
    SHORTEST_WAIT,
    Action,
    about_items,
    classify,
    retry_after,
)
from upbridge.systems.http.errors import error_of
from upbridge.systems.http.transport import HttpAnswer

PAUSE = timedelta(minutes=1)


def _date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (200, Action.ACCEPT),
        (204, Action.ACCEPT),
        (301, Action.MOVED),
        (302, Action.REFUSE),
        (400, Action.REFUSE),
        (401, Action.CREDENTIALS),
        (403, Action.RIGHT),
        (404, Action.MISSING),
        (405, Action.REFUSE),
        (408, Action.RETRY),
        (413, Action.SPLIT),
        (418, Action.REFUSE),
        (425, Action.WAIT),
        (429, Action.WAIT),
        (500, Action.FAILED),
        (501, Action.REFUSE),
        (502, Action.RETRY),
        (599, Action.RETRY),
    ],
)
def test_every_status_says_what_to_do_next(status: int, action: Action) -> None:
    assert classify(status, {}, now=NOON).action is action


@given(status=st.integers(100, 999), headers=st.dictionaries(st.text(max_size=20), st.text(max_size=40)))
def test_any_answer_has_a_meaning(status: int, headers: dict[str, str]) -> None:
    outcome = classify(status, headers, now=NOON)

    assert outcome.reason
    assert (outcome.action is Action.ACCEPT) is (200 <= status < 300)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_refusal_of_the_content_can_be_about_one_item(status: int) -> None:
    assert about_items(status)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415, 429, 500, 501, 0])
def test_any_other_refusal_is_about_the_whole_call(status: int) -> None:
    assert not about_items(status)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "until"),
        [
            pytest.param("120", NOON + timedelta(minutes=2), id="seconds"),
            pytest.param(" 120 ", NOON + timedelta(minutes=2), id="seconds with blanks"),
            pytest.param("Tue, 24 Nov 2026 12:00:00 GMT", NOON + timedelta(hours=1), id="a date"),
            pytest.param("Tue, 24 Nov 2026 13:00:00 +0100", NOON + timedelta(hours=1), id="a date with an offset"),
            pytest.param("Tue, 24 Nov 2026 12:00:00 -0000", NOON + timedelta(hours=1), id="a date of no zone"),
            pytest.param("Tue, 24 Nov 2026 11:00:00.4 GMT", None, id="a date that is none"),
            pytest.param("Wed, 21 Oct 2099 07:28:00 GMT", NOON + LONGEST_WAIT, id="years ahead: at most a day"),
            pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", NOON + LONGEST_WAIT, id="the last moment there is"),
            pytest.param("Fri, 31 Dec 9999 23:59:59 -1200", None, id="a moment that no calendar holds"),
            pytest.param("9" * 5000, NOON + LONGEST_WAIT, id="more seconds than a number holds"),
            pytest.param("Tue, 24 Nov 2026 10:00:00 GMT", NOON, id="an hour ago: has passed"),
            pytest.param("0", NOON, id="at once: has passed"),
            pytest.param("soon", None, id="words"),
            pytest.param("-5", None, id="a negative number"),
            pytest.param("1.5", NOON + timedelta(seconds=1.5), id="a fraction"),
            pytest.param("²", None, id="a digit that is no number"),
            pytest.param("", None, id="nothing"),
            pytest.param(None, None, id="no header"),
        ],
    )
    def test_it_names_a_moment_or_none(self, value: str | None, until: datetime | None) -> None:
        assert retry_after(value, now=NOON) == until

    @given(value=st.one_of(st.text(), st.integers().map(str), st.datetimes(timezones=st.timezones()).map(_date)))
    @example("Fri, 31 Dec 9999 23:59:59 -1200")
    @example("Mon, 1 Jan 0001 00:00:00 +2359")
    @example("Mon, 99999999999999999999 Jan 2026 00:00:00 GMT")
    def test_nothing_makes_us_hammer_or_sleep_for_years(self, value: str) -> None:
        until = retry_after(value, now=NOON)

        assert until is None or until == NOON or NOON + SHORTEST_WAIT <= until <= NOON + LONGEST_WAIT

    @given(seconds=st.integers(-(10**9), 10**9))
    def test_a_date_says_the_same_as_its_seconds(self, seconds: int) -> None:
        moment = NOON + timedelta(seconds=seconds)

        assert retry_after(_date(moment), now=NOON) == retry_after(str(max(seconds, 0)), now=NOON)


def error_for(status: int, retry_after: str | None = None) -> RemoteError:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    answer = HttpAnswer("GET /orders", classify(status, headers, now=NOON), headers, b"")
    return error_of(answer, now=NOON, pause=PAUSE)


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (301, Unreachable),
            (400, Rejected),
            (401, CredentialsRefused),
            (403, RightRefused),
            (404, Missing),
            (413, TooMany),
            (422, Rejected),
            (429, Throttled),
            (500, Failed),
            (503, Unreachable),
        ],
    )
    def test_each_answer_is_one_error(self, status: int, error: type[RemoteError]) -> None:
        assert type(error_for(status)) is error

    def test_later_without_a_moment_is_a_pause(self) -> None:
        error = error_for(429)

        assert isinstance(error, Throttled)
        assert error.until == NOON + PAUSE

    def test_a_moment_that_has_passed_leaves_the_pause_to_the_caller(self) -> None:
        error = error_for(429, _date(NOON - timedelta(hours=1)))

        assert isinstance(error, Throttled)
        assert error.until is None

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_system_that_is_closed_says_until_when(self, status: int) -> None:
        error = error_for(status, "90")

        assert isinstance(error, Closed)
        assert error.until == NOON + timedelta(seconds=90)

    def test_a_system_that_was_to_be_open_again_is_failing(self) -> None:
        assert isinstance(error_for(503, _date(NOON - timedelta(hours=1))), Unreachable)
