"""What pages and mails say in words."""

import pytest

from upbridge.core.i18n import Texts
from upbridge.insights.words import difference_words, line_words


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("cs", "A-1: 2 ks za 2 640,00 → 5 ks za 6 600,00; celkem: 2 465,00 → 6 425,50; dodací adresa"),
        ("en", "A-1: 2 pcs for 2,640.00 → 5 pcs for 6,600.00; total: 2,465.00 → 6,425.50; delivery address"),
    ],
)
def test_what_changed_in_an_order_is_said_in_the_reader_s_language(language: str, words: str) -> None:
    said = "A-1: 2x 2640 → 5x 6600; total: 2465 → 6425.5; delivery"

    assert difference_words(said, Texts(language)).replace("\xa0", " ") == words


def test_the_currency_of_an_order_stands_behind_each_amount() -> None:
    said = difference_words("A-1: 2x 2640 → 3x 6600; total: 2465 → 1.5; note", Texts("cs"), "CZK")

    words = "A-1: 2 ks za 2 640,00 Kč → 3 ks za 6 600,00 Kč; celkem: 2 465,00 Kč → 1,50 Kč; poznámka zákazníka"
    assert said.replace("\xa0", " ") == words


def test_what_is_no_difference_that_we_note_stays_as_it_is() -> None:
    for said in ("—", "8592000074706: — → gift", "a; b: c", ""):
        assert difference_words(said, Texts("cs")) == said


def test_a_line_s_pieces_are_written_as_the_reader_writes_them_and_names_stay() -> None:
    said = "A-1.5: 1.5, 2.0 m: -0.25, Lem: 3"

    assert line_words(said, Texts("cs")) == "A-1.5: 1,5, 2.0 m: \N{MINUS SIGN}0,25, Lem: 3"
    assert line_words(said, Texts("en")) == "A-1.5: 1.5, 2.0 m: \N{MINUS SIGN}0.25, Lem: 3"
