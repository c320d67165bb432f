"""The typography of texts: where no line may end, and how numbers are written."""

import re
from datetime import UTC, datetime

import pytest

from upbridge.core.i18n import Texts, keys, unbroken


@pytest.mark.parametrize("language", ["cs", "sk"])
def test_no_line_ends_after_a_preposition_of_one_letter_or_between_a_number_and_what_it_counts(
    language: str,
) -> None:
    texts = Texts(language)
    numbers = dict.fromkeys(("count", "days", "done", "total", "left", "limit"), 5)

    loose = [
        key
        for key in sorted(keys(language))
        if re.search(r"(?<!\w)[aikosuvz] \S|\d [\w%]", texts.get(key, **numbers), re.IGNORECASE)
    ]

    assert loose == []


def test_words_of_more_letters_keep_their_spaces() -> None:
    assert unbroken("do e-shopu a v Uphance, 30 dní") == "do e-shopu a\u00a0v\u00a0Uphance, 30\u00a0dní"


@pytest.mark.parametrize("language", ["cs", "sk", "en"])
def test_a_day_is_not_torn_apart_and_a_minus_is_no_hyphen(language: str) -> None:
    texts = Texts(language)

    assert texts.moment(datetime(2026, 11, 28, 20, 12, tzinfo=UTC)).count(" ") == 1
    assert texts.money("-37").startswith("\N{MINUS SIGN}37")
