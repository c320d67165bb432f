"""The merchants' texts are complete in all three languages."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po

from tests.project import catalogues
from upbridge.core.i18n import LANGUAGES, Texts


def _po(language: str, *entries: str) -> Catalog:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
    return read_po(BytesIO("\n\n".join([header, *entries]).encode()), locale=language)


@pytest.mark.rule("R19")
def test_nothing_is_missing_different_or_dead() -> None:
    assert catalogues.complaints() == []


@pytest.mark.parametrize(
    ("czech", "complaint"),
    [
        pytest.param((), "cs: a.key is missing", id="a missing text"),
        pytest.param(('msgid "a.key"\nmsgstr ""',), "cs: a.key is empty", id="an empty text"),
        pytest.param(
            ('msgid "a.key"\nmsgstr "Objednávka {code}"',),
            "cs: a.key has the placeholders ['code'] instead of ['number']",
            id="another placeholder",
        ),
        pytest.param(('#, fuzzy\nmsgid "a.key"\nmsgstr "{number}"',), "cs: a.key is fuzzy", id="a fuzzy text"),
    ],
)
def test_a_language_that_says_something_else_is_found(czech: tuple[str, ...], complaint: str) -> None:
    both = {"en": _po("en", 'msgid "a.key"\nmsgstr "Order {number}"'), "cs": _po("cs", *czech)}

    assert complaint in list(catalogues.differences(both))


def test_a_button_that_a_text_calls_otherwise_is_found() -> None:
    czech = _po(
        "cs", 'msgid "a.key"\nmsgstr "Zvolte „Znovu“ v pravidle upp.send"', 'msgid "b.key"\nmsgstr "Zkusit znovu"'
    )

    assert list(catalogues.misnamed({"cs": czech})) == [
        "cs: a.key names Znovu, as nothing is called",
        "cs: a.key says upp.send, a name for operators",
    ]


def test_a_key_without_text_and_a_text_without_key_are_found() -> None:
    used = catalogues.Used(keys={"a.key": "upbridge.pages"})
    english = _po("en", 'msgid "b.key"\nmsgstr "Hello"')

    assert list(catalogues.missing(english, used)) == ["a.key has no text (upbridge.pages)"]
    assert list(catalogues.dead(english, used)) == ["b.key has a text, but nothing uses it"]


def test_a_parameter_that_does_not_come_is_found() -> None:
    used = catalogues.Used(keys={"a.key": "upbridge.sync"}, params={"a.key": [{"sku"}]})
    english = _po("en", 'msgid "a.key"\nmsgstr "{sku} of {order}"')

    assert list(catalogues.missing(english, used)) == ["a.key wants {order}, which upbridge.sync does not give"]


class TestTexts:
    @pytest.mark.parametrize(
        ("asked", "answered"),
        [("cs", "cs"), ("SK", "sk"), ("en-GB", "en"), ("cs_CZ", "cs"), ("de", "en"), ("", "en"), (None, "en")],
    )
    def test_an_unknown_language_is_answered_in_english(self, asked: str | None, answered: str) -> None:
        assert Texts(asked).language == answered

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_error_text_is_a_sentence_of_its_own(self, language: str) -> None:
        errors = [
            form
            for key, forms in catalogues.texts_of(catalogues.load(language)).items()
            if key.startswith("error.")
            for form in forms
        ]

        assert len(errors) == len(set(errors)) > 1
        assert [text for text in errors if not text.endswith(".") or not text[0].isupper()] == []

    def test_languages_differ(self) -> None:
        assert len({Texts(language).get("error.general") for language in LANGUAGES}) == len(LANGUAGES)

    def test_a_key_without_text_is_answered_by_itself(self) -> None:
        assert Texts("cs").get("problem.of_an_older_version", sku="X") == "problem.of_an_older_version"

    def test_numbers_and_moments_are_written_as_the_language_does(self) -> None:
        at = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)

        assert Texts("cs").number(1234567).replace("\xa0", " ") == "1 234 567"
        assert Texts("en").number(1234567) == "1,234,567"
        assert Texts("cs").money("2106.9").replace("\xa0", " ") == "2 106,90"
        assert Texts("en").money("-37") == "\N{MINUS SIGN}37.00"
        assert Texts("en").money("0.1234") == "0.1234"
        assert Texts("cs").moment(at) == "24.\xa011.\xa02026 12:00"
        assert Texts("en").moment(at, seconds=True).replace("\xa0", " ") == "24 Nov 2026 12:00:00"
