"""The typography of texts: where no line may end, and how numbers are written."""

import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from babel.messages.pofile import read_po

from upbridge.core.i18n import LANGUAGES, Texts, catalogue_path, keys, unbroken


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
    assert unbroken("do obchodu a v Uphance, 30 dní") == "do obchodu a\u00a0v\u00a0Uphance, 30\u00a0dní"


@pytest.mark.parametrize("language", ["cs", "sk"])
def test_no_line_ends_within_e_shop_or_e_mail(language: str) -> None:
    texts = Texts(language)

    assert [key for key in sorted(keys(language)) if re.search(r"\b[eE]-\w", texts.get(key, count=2))] == []
    assert "e\u2011shop" in texts.get("ui.flow.stock", system="Uphance")


@pytest.mark.parametrize("language", ["cs", "sk"])
def test_no_line_ends_between_a_value_and_its_per_cent_sign_or_currency(language: str) -> None:
    values = {"percent": 30, "sum": "12", "currency": "CZK"}

    loose = [
        key for key in sorted(keys(language)) if re.search(r"\S %|\d (CZK|Kč)", Texts(language).get(key, **values))
    ]

    assert loose == []


@pytest.mark.parametrize("language", ["cs", "sk", "en"])
def test_a_day_is_not_torn_apart_and_a_minus_is_no_hyphen(language: str) -> None:
    texts = Texts(language)

    assert texts.moment(datetime(2026, 11, 28, 20, 12, tzinfo=UTC)).count(" ") == 1
    assert texts.money("-37").startswith("\N{MINUS SIGN}37")


#: Words that no merchant reads any more, by language: "the other system" instead of its name, a warehouse for
#: stock, calques, and what English writes otherwise.
GONE = {
    "cs": r"ruhý systém|ruhém systému|(odejde|odejdou) s[aá]m|\bzavře|nechali být|[Ss]klad z Uphance|zpozorn"
    r"|\bImport stojí|\bstát asi|[Zz]adrženo|odejdou samy|(tento|tomto|tomuto) záznam|\bCíl teď"
    r"|(Uphance|Upp\.ai) [^.;„]{0,30}(odmítl|nedokázal)\b|[Vv]yřešeno ručně|\bPoslat znovu|30 dnů"
    r"|vyžaduje vás\b|stojí tam|zapsané odeslání|[Zz]adat přihlášení znovu|Udělejte je tam",
    "sk": r"ruhý systém|ruhom systéme|(odíde|odídu) s[aá]m|problém zatvor|[Nn]emožno|pre zmenu|\bznovu\b"
    r"|\b[Ii]ba\b|najskôr|nechali tak|[Kk]roky k |spozorn|\bImport stojí|stáť asi"
    r"|(tento|tomto) záznam|\bCieľ teraz"
    r"|(Uphance|Upp\.ai) [^.;„]{0,30}(odmietol|nedokázal)\b|[Vv]yriešené ručne|\bPoslať znova"
    r"|vyžaduje vás\b|zapísané odoslanie|[Zz]adať prihlásenie znova|zapísať odoslanie|iný tarif",
    "en": r"go(es)? by (it|them)sel|\b[Cc]ured?\b|other system|stumbl|[\d}] %|becomes alert|\bhits?\b|\""
    r"|this record|[Tt]he target|close (this|the) problem|tax(es)? (it|them) otherwise|\bcanceled|administration",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_are_gone_stay_gone(language: str) -> None:
    with catalogue_path(language).open("rb") as file:
        entries = [message for message in read_po(file) if message.id]
    texts = {
        str(message.id): message.string if isinstance(message.string, str) else " | ".join(message.string or ())
        for message in entries
    }

    assert [key for key, text in texts.items() if re.search(GONE[language], text)] == []


_SCRIPT = """
import sys
from datetime import UTC, datetime, timedelta
from upbridge.core.i18n import LANGUAGES, Texts, load_texts
load_texts()
read = []
sys.addaudithook(lambda event, values: event == "open" and read.append(values[0]))
for language in LANGUAGES:
    texts = Texts(language)
    now = datetime.now(UTC)
    texts.has("ui.said.saved"), texts.money("1"), texts.moment(now), texts.day(now), texts.duration(timedelta(1))
print(read)
"""


def test_what_was_read_before_the_first_request_is_not_read_while_one_is_answered() -> None:
    said = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=60)

    assert said.stdout == "[]\n"
