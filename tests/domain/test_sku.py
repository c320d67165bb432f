"""When two codes are the same, and which variant is which SKU."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upbridge.domain.sku import CodeBook, Match, Names, code_key, match_one_to_one, tidy

UNSEEN = st.sampled_from(
    [
        " ",
        "\t",
        "\n",
        "\0",
        "\x7f",
        "\N{NO-BREAK SPACE}",
        "\N{ZERO WIDTH SPACE}",
        "\N{SOFT HYPHEN}",
        "\ufeff",
        "\u2028",
    ]
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("AB-1", "ab-1", id="case"),
        pytest.param(" AB-1\t", "AB-1", id="blanks around"),
        pytest.param("AB - 1", "AB-1", id="blanks within"),
        pytest.param("A\N{NO-BREAK SPACE}B\N{ZERO WIDTH SPACE}\ufeff", "AB", id="blanks that nobody sees"),
        pytest.param("A\N{SOFT HYPHEN}B", "AB", id="a hyphen that nobody sees"),
        pytest.param("KŘÍŽEK", "kr\u030ci\u0301z\u030cek", id="composed and decomposed"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
        pytest.param("\N{KELVIN SIGN}-1", "k-1", id="a sign that is another one"),
        pytest.param("\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK CAPITAL LETTER SIGMA}", id="sigma"),
    ],
)
def test_these_are_the_same_code(one: str, other: str) -> None:
    assert code_key(one) == code_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("A-1", "A1"), ("007", "7"), ("a", "á"), ("1", "\N{SUPERSCRIPT ONE}"), ("İ", "I")],
)
def test_these_are_different_codes(one: str, other: str) -> None:
    assert code_key(one) != code_key(other)


@pytest.mark.parametrize("code", [None, "", "  ", "\N{ZERO WIDTH SPACE}\n"])
def test_where_nothing_is_to_be_seen_is_no_code(code: str | None) -> None:
    assert code_key(code) is None


@given(st.text())
def test_the_key_of_a_key_is_the_key_itself(code: str) -> None:
    key = code_key(code)

    assert code_key(key) == key
    assert key is None or unicodedata.is_normalized("NFC", key)


@given(st.text(), st.lists(st.tuples(st.integers(0, 9), UNSEEN)))
def test_neither_spelling_nor_what_is_not_seen_makes_another_code(code: str, noise: list[tuple[int, str]]) -> None:
    noisy = unicodedata.normalize("NFD", code)
    for place, sign in noise:
        noisy = noisy[:place] + sign + noisy[place:]

    assert code_key(noisy) == code_key(code)


@given(st.text(st.characters(codec="ascii")))
def test_the_short_way_for_ascii_says_the_same(code: str) -> None:
    assert code_key(code) == code_key(code + "\N{ZERO WIDTH SPACE}")


#: One EAN and one code are on two of them.
SKUS: dict[int, Names] = {1: ("A", "100"), 2: ("B", "200"), 3: ("C", "200"), 4: ("D", "400"), 5: ("d", None)}


class TestOneToOne:
    @pytest.mark.parametrize(
        ("variants", "match", "sku"),
        [
            pytest.param([("a ", None)], Match.CODE, 1, id="by its code"),
            pytest.param([("a", "200")], Match.CODE, 1, id="the code decides"),
            pytest.param([("x", "100")], Match.EAN, 1, id="by its EAN where no SKU has its code"),
            pytest.param([(None, " 1 0 0")], Match.EAN, 1, id="by its EAN without a code"),
            pytest.param([("x", "9")], Match.UNMATCHED, None, id="nothing of that name"),
            pytest.param([(None, None)], Match.UNMATCHED, None, id="no name at all"),
            pytest.param([("D", "100")], Match.DOUBLED, 4, id="a doubled code is not made right by an EAN"),
            pytest.param([(None, "200")], Match.DOUBLED, 2, id="an EAN of two SKUs"),
            pytest.param([("a", None), ("A", None)], Match.DOUBLED, 1, id="a code of two variants"),
            pytest.param([("x", "100"), ("X", None)], Match.DOUBLED, 1, id="of two variants, and no SKU's"),
            pytest.param([("x", None), ("X", None)], Match.DOUBLED, None, id="of two variants, and nothing else"),
            pytest.param([(None, "100"), ("y", "100")], Match.DOUBLED, 1, id="an EAN of two variants"),
            pytest.param([("a", None), (None, "100")], Match.DOUBLED, 1, id="one by its code, one by its EAN"),
        ],
    )
    def test_the_match_of_the_first(self, variants: list[Names], match: Match, sku: int | None) -> None:
        found = match_one_to_one({f"v-{place}": names for place, names in enumerate(variants)}, SKUS)

        assert found["v-0"] == (match, sku)


CODES = st.sampled_from([None, "a", "A", "b", "c"])
BOOKS = st.dictionaries(st.integers(1, 9), st.tuples(CODES, CODES), max_size=6)
SHOPS = st.dictionaries(st.sampled_from("stuvwxyz"), st.tuples(CODES, CODES), max_size=6)


@given(SHOPS, BOOKS)
def test_no_sku_is_two_variants(variants: dict[str, Names], skus: dict[int, Names]) -> None:
    found = match_one_to_one(variants, skus)

    matched = [sku for how, sku in found.values() if how in (Match.CODE, Match.EAN)]
    assert found.keys() == variants.keys()
    assert len(matched) == len(set(matched))
    assert None not in matched


@given(SHOPS, BOOKS)
def test_who_is_matched_is_what_an_order_line_of_the_same_names_would_be(
    variants: dict[str, Names], skus: dict[int, Names]
) -> None:
    book = CodeBook(skus.items())

    for key, (how, sku) in match_one_to_one(variants, skus).items():
        if how in (Match.CODE, Match.EAN):
            assert book.named(variants[key]) == (how, [sku])


@given(code=st.text(), before=st.lists(UNSEEN).map("".join), after=st.lists(UNSEEN).map("".join))
def test_what_is_sent_has_nothing_unseen_around_and_is_the_same_code(code: str, before: str, after: str) -> None:
    sent = tidy(f"{before}{code}{after}")

    assert sent == tidy(code) == tidy(sent)
    assert code_key(sent) == code_key(code)
    assert (sent or "") in code


@pytest.mark.parametrize(
    ("code", "sent"), [(" Ab 1\u200b", "Ab 1"), ("0012", "0012"), ("\ufeff ", None), (None, None)]
)
def test_what_is_sent_keeps_its_case_and_what_is_within(code: str | None, sent: str | None) -> None:
    assert tidy(code) == sent
