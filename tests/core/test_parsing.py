"""Whole numbers as people type them, and text that a database stores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.core.parsing import digits, storable


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None)],
    ids=["nothing", "zeros before it", "what the database holds", "one digit more", "without end"],
)
def test_a_number_is_read_as_far_as_it_can_be_stored(text: str, number: int | None) -> None:
    assert digits(text) == number


@pytest.mark.parametrize("text", ["", " 1", "1 ", "-1", "+1", "1.0", "1e3", "1_000", "²", "٣", "0x1", "\x00"])
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert digits(text) is None


def test_fewer_digits_can_be_asked_for() -> None:
    assert (digits("123", longest=3), digits("1234", longest=3)) == (123, None)


@given(text=st.text(st.characters(codec=None, exclude_categories=())))
def test_text_is_stored_as_it_is_but_for_what_no_table_takes(text: str) -> None:
    stored = storable(text)

    assert "\0" not in stored
    assert stored.encode().decode() == stored
    if "\0" not in text and not any(0xD800 <= ord(sign) <= 0xDFFF for sign in text):
        assert stored == text
