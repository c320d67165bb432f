"""The light of a flow: never `ok` while its source cannot be read, and the gravest reason first."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import NOON
from upbridge.insights.flow_lights import LATE, SILENCE, Importing, Judgement, Light, Login, Rest, Sight, judge

FINE = Sight(now=NOON)
RECENT = Rest(NOON - timedelta(minutes=2), NOON + timedelta(minutes=2))
LONG = Rest(NOON - SILENCE, NOON + timedelta(minutes=9))
PAST = NOON - LATE
BUDGET = Rest(NOON - timedelta(hours=2), NOON + timedelta(hours=1), budget=True)
LOGINS = replace(BUDGET, logins=True)

RESTS = st.sampled_from([None, RECENT, LONG, BUDGET, LOGINS])
NUMBERS = st.integers(0, 3)
SIGHTS = st.builds(
    Sight,
    now=st.just(NOON),
    active=st.booleans(),
    unattended_since=st.sampled_from([None, NOON]),
    login=st.sampled_from(Login),
    switched_on=st.booleans(),
    permitted=st.booleans(),
    from_shop=st.booleans(),
    announced=st.booleans(),
    importing=st.sampled_from(Importing),
    unread=NUMBERS,
    source=RESTS,
    astray=NUMBERS,
    waiting=NUMBERS,
    parked=NUMBERS,
    problems=NUMBERS,
    target=RESTS,
    last_at=st.sampled_from([None, NOON]),
)
#: What may differ while all is well.
HARMLESS = {"now", "from_shop", "target", "last_at", "unread_since", "waiting_since"}


@given(sight=SIGHTS)
def test_a_light_is_ok_only_if_nothing_at_all_is_amiss(sight: Sight) -> None:
    as_it_should_be = all(
        getattr(sight, one.name) == getattr(FINE, one.name) for one in fields(Sight) if one.name not in HARMLESS
    )

    assert (judge(sight).light is Light.OK) == as_it_should_be


@given(sight=SIGHTS)
def test_a_flow_is_off_only_if_a_person_wants_it_so(sight: Sight) -> None:
    unwanted = sight.login is Login.NONE or (sight.login is Login.WORKS and not sight.switched_on)

    assert (judge(sight).light is Light.OFF) == (sight.active and unwanted)


@given(sight=SIGHTS)
def test_what_lets_nothing_pass_is_never_hidden_by_what_only_needs_attention(sight: Sight) -> None:
    refused = sight.login in (Login.REFUSED, Login.ELSEWHERE)
    wanted = refused or (sight.login is Login.WORKS and sight.switched_on)
    silent = sight.source is LONG
    gone = sight.unattended_since is not None
    stopped = not sight.active or (wanted and (refused or gone or not sight.permitted or silent))

    assert (judge(sight).light is Light.STOPPED) == stopped


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        (replace(FINE, unread=6, unread_since=NOON), Judgement(Light.BUSY, "reading", 6, NOON)),
        (replace(FINE, unread=6, source=RECENT), Judgement(Light.ATTENTION, "shop_silent", 6, RECENT.since)),
        (replace(FINE, unread=6, source=LONG), Judgement(Light.STOPPED, "shop_silent", 6, LONG.since)),
        (replace(FINE, source=LONG, from_shop=False), Judgement(Light.STOPPED, "source_silent", 0, LONG.since)),
        (replace(FINE, unread=6, source=BUDGET), Judgement(Light.BUSY, "budget", 6, BUDGET.until)),
        (replace(FINE, unread=6, source=LOGINS), Judgement(Light.BUSY, "logins", 6, LOGINS.until)),
        (replace(FINE, permitted=False, last_at=NOON), Judgement(Light.STOPPED, "no_right")),
        (replace(FINE, announced=False, last_at=NOON), Judgement(Light.ATTENTION, "unannounced")),
        (replace(FINE, importing=Importing.PAUSED, problems=6), Judgement(Light.ATTENTION, "import_paused")),
        (replace(FINE, importing=Importing.RUNNING, waiting=9), Judgement(Light.BUSY, "importing")),
        (replace(FINE, astray=8, last_at=NOON), Judgement(Light.ATTENTION, "incomplete", 8)),
        (
            replace(FINE, waiting=2, parked=1, target=RECENT),
            Judgement(Light.ATTENTION, "blocked", 2, RECENT.until),
        ),
        (replace(FINE, parked=1, problems=3, waiting=1), Judgement(Light.ATTENTION, "problems", 3)),
        (replace(FINE, unread=6, unread_since=PAST), Judgement(Light.ATTENTION, "late", 6, PAST)),
        (
            replace(FINE, unread=6, unread_since=PAST, source=BUDGET),
            Judgement(Light.BUSY, "budget", 6, BUDGET.until),
        ),
        (
            replace(FINE, unread=6, unread_since=PAST, importing=Importing.RUNNING),
            Judgement(Light.BUSY, "importing"),
        ),
        (replace(FINE, waiting=2, waiting_since=PAST), Judgement(Light.ATTENTION, "late", 2, PAST)),
        (replace(FINE, waiting=1, waiting_since=NOON), Judgement(Light.BUSY, "sending", 1, NOON)),
        (replace(FINE, unattended_since=PAST, last_at=NOON), Judgement(Light.STOPPED, "no_worker", 0, PAST)),
        (replace(FINE, active=False, login=Login.NONE), Judgement(Light.STOPPED, "stopped")),
        (replace(FINE, login=Login.REFUSED, switched_on=False), Judgement(Light.STOPPED, "broken")),
        (replace(FINE, login=Login.ELSEWHERE), Judgement(Light.STOPPED, "elsewhere")),
        (replace(FINE, last_at=NOON), Judgement(Light.OK, "delivered", 0, NOON)),
        (FINE, Judgement(Light.OK, "nothing_yet")),
    ],
)
def test_the_reason_is_the_gravest_and_of_equals_the_one_nearer_the_source(
    sight: Sight, expected: Judgement
) -> None:
    assert judge(sight) == expected
