"""What an operator can read about a signed call that is refused."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from tests.installation.signing import API_URL, LONG, SHORT, TOKEN, Upgates
from tests.support.clock import NOON
from upbridge.installation.explain import explain
from upbridge.installation.signature import Endpoint

UPGATES = Upgates()


def told(call: dict[str, Any], endpoint: Endpoint = Endpoint.INSTALL, **more: Any) -> str:
    return explain(
        call,
        endpoint=endpoint,
        **{"key_pem": UPGATES.pem, "signature_token": TOKEN, "now": NOON, "max_age": 900, **more},
    )


def test_the_signed_string_is_shown_with_its_secrets_masked() -> None:
    shown = told(UPGATES.install("shop-1", apiKey="hunter2", apiUser="12345678"))

    masked = "{token: 6 characters};{apiUser: 8 characters};{apiKey: 7 characters}"
    assert f"{masked};{API_URL};{NOON.isoformat()};{{signature_token: {len(TOKEN)} characters}}" in shown
    assert "accepted" in shown
    for secret in ("shop-1", "hunter2", "12345678", TOKEN):
        assert secret not in shown


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        pytest.param(
            UPGATES.open(), "the string of another endpoint: token, time", id="another endpoint's string"
        ),
        pytest.param(
            UPGATES.sign(UPGATES.install(), LONG, token=""), "with an empty signature token", id="an empty token"
        ),
        pytest.param(UPGATES.sign(UPGATES.install(), LONG, token="x"), "fits no known string", id="another token"),
        pytest.param(Upgates().install(), "fits no known string", id="another key"),
        pytest.param({"signature": "AAAA"}, "only the legacy field", id="the legacy field"),
        pytest.param({**UPGATES.install(), "signature_v2": "?"}, "not base64", id="no base64"),
        pytest.param(
            UPGATES.install(at=NOON - timedelta(hours=1)), "too far in the past", id="an old call, rightly signed"
        ),
    ],
)
def test_the_cause_is_named(call: dict[str, Any], cause: str) -> None:
    assert cause in told(call)


def test_a_signature_over_escaped_slashes_is_recognised() -> None:
    call = UPGATES.install()
    escaped = UPGATES.sign({**call, "apiUrl": call["apiUrl"].replace("/", "\\/")}, LONG)

    assert "as JSON escapes them" in told({**escaped, "apiUrl": call["apiUrl"]})


def test_missing_values_are_named() -> None:
    call = UPGATES.sign({"token": "shop-1", "time": NOON.isoformat(), "apiUser": 5}, SHORT)

    assert "not as text in the body: apiUser, apiKey, apiUrl" in told(call)


def test_a_key_that_cannot_be_read_is_named() -> None:
    assert "cannot be read" in told(UPGATES.install(), key_pem=b"rubbish")


@how(deadline=None)
@given(
    call=st.dictionaries(
        st.sampled_from([*LONG, "signature_v2"]), st.none() | st.integers() | st.text() | st.just("\ud800")
    ),
    endpoint=st.sampled_from(Endpoint),
)
def test_a_call_of_any_shape_has_an_explanation(call: dict[str, Any], endpoint: Endpoint) -> None:
    assert "refused" in told(call, endpoint)
