"""What is beyond a bound is refused before it is parsed, and what is not is read as any parser would."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.core.bounded_json import loads, measure
from upbridge.core.bounds import Bounds
from upbridge.core.errors import BadRequest, TooLarge

SMALL = Bounds(bytes=10_000_000, seconds=1.0, values=1_000, depth=4, digits=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.text('[]{}",\\0123 x', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[{"\\', max_size=4), inner, max_size=4),
    max_leaves=20,
)


def depth_of(value: Any) -> int:
    """How many lists and objects are within each other."""
    match value:
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case _:
            return 0


@given(value=VALUES)
def test_it_is_read_where_it_is_not_deeper_than_allowed_and_else_refused(value: Any) -> None:
    body = json.dumps(value).encode()

    if depth_of(value) <= SMALL.depth:
        assert loads(body, SMALL) == value
    else:
        with pytest.raises(BadRequest):
            loads(body, SMALL)


@given(body=st.text('[]{}",:\\0123456789e. x', max_size=200).map(str.encode))
def test_of_anything_that_passes_a_parser_finds_no_more_than_allowed(body: bytes) -> None:
    try:
        value = loads(body, SMALL)
    except (BadRequest, TooLarge):
        return
    assert depth_of(value) <= SMALL.depth


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_body_that_was_cut_off_is_said_to_be_no_json(cut: int) -> None:
    body = json.dumps({"orders": [{"order_number": "[A"}], "n": [1, 23]}).encode()

    with pytest.raises(BadRequest, match=r"^the body is not JSON"):
        loads(body[:cut], SMALL)


@pytest.mark.parametrize("body", [b"[" * 5 + b"]" * 5, b'{"a": ' * 5 + b"1" + b"}" * 5])
def test_a_body_that_is_whole_and_too_deep_is_said_to_be_that(body: bytes) -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        loads(body, SMALL)


@pytest.mark.parametrize("digits", ["9" * 21, "-" + "1" * 30, "0." + "3" * 21, "1" * 5_000])
def test_a_number_that_is_too_long_is_refused_and_a_text_like_it_is_not(digits: str) -> None:
    with pytest.raises(BadRequest):
        loads(f'{{"a": {digits}}}'.encode(), SMALL)

    assert loads(json.dumps({digits: digits}).encode(), SMALL) == {digits: digits}


def test_brackets_in_texts_are_none() -> None:
    value = {"smile": ":-[", '"': "[[[[[[[[[{{{", "\\": "]]"}

    assert loads(json.dumps(value).encode(), SMALL) == value


@pytest.mark.parametrize(
    "body",
    [b'"' * 4_000_000, b'"\\' * 2_000_000, b"[" + b'"' * 4_000_000, b"]" * 4_000_000, b"\\" * 4_000_000],
    ids=["quotes", "escapes", "a list of quotes", "closed and never opened", "backslashes"],
)
def test_megabytes_of_signs_are_refused_at_once(body: bytes) -> None:
    with pytest.raises((BadRequest, TooLarge)):
        loads(body, SMALL)


def test_more_values_than_allowed_are_refused() -> None:
    measure(b"[" + b"0," * 900 + b"0]", SMALL)
    with pytest.raises(TooLarge):
        measure(b"[" + b"0," * 1_100 + b"0]", SMALL)
