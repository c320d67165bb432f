"""What merchants read, in their language: `locales/<language>/LC_MESSAGES/upbridge.po`.

The catalogues are read as they stand, so nothing has to be compiled before the service starts. A key such as
`problem.no_price` says where a text is used, not what it says; all three languages have the same keys, the same
placeholders and their own plural forms (a test holds this).
"""

import re
import string
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

import structlog
from babel import Locale
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from upbridge.core.clock import PRAGUE
from upbridge.core.package_files import package_file

log = structlog.get_logger(__name__)

LANGUAGES = ("cs", "sk", "en")
#: How each writes days and times: here and not across the ocean.
_LOCALES = {"cs": Locale("cs", "CZ"), "sk": Locale("sk", "SK"), "en": Locale("en", "GB")}
#: How people here write a currency; others by their code.
_SIGNS = {"CZK": "Kč", "EUR": "€"}
_NBSP = "\N{NO-BREAK SPACE}"
#: Where Czech and Slovak break no line: after a preposition or conjunction of one letter, between a number and
#: what it counts, and within "e-shop" and "e-mail".
_UNBROKEN = (
    (re.compile(r"(?<!\w)([aikosuvz]) (?=\S)", re.IGNORECASE), rf"\1{_NBSP}"),
    (re.compile(r"(\{\w+:n\}|\d) (?=[\w%])"), rf"\1{_NBSP}"),
    (re.compile(r"(\{\w+(?::\w+)?\}|…) (?=%|\{currency)"), rf"\1{_NBSP}"),
    (re.compile(r"(?<!\w)(e)-(?=\w)", re.IGNORECASE), "\\1\N{NON-BREAKING HYPHEN}"),
)
#: The languages' ways to write a moment are read when one is written.
_ANY = datetime(2026, 1, 1, tzinfo=PRAGUE)
#: For an admin in any other language (R19).
FALLBACK = "en"


class Texts:
    """The texts of one language: "cs", "sk" or "en"; any other is answered in English (R19)."""

    def __init__(self, language: str | None) -> None:
        base = (language or "").lower().replace("_", "-").partition("-")[0]
        self.language = base if base in LANGUAGES else FALLBACK
        self.locale = _LOCALES[self.language]
        self._catalogue = _catalogue(self.language)

    def get(self, key: str, /, **params: Any) -> str:
        """The text of *key* with its `{placeholders}` filled in; `count` chooses among plural forms.

        `{name:n}` writes a number as the language does, `{name:money}` an amount of money, `{name:sign}` what it
        is in; a datetime is written in Prague's time, several values are joined by commas. A key without a text is
        answered by itself, a placeholder without a value by a dash: problems are stored with their parameters, and
        an old row must not take a page down.
        """
        text = self._catalogue.ngettext(key, key, params["count"]) if "count" in params else key
        if text == key:
            text = self._catalogue.gettext(key)
        if text == key:
            log.error("text_missing", key=key, language=self.language)
        return _Formatter(self).vformat(text, (), params)

    def number(self, value: Decimal | float | str) -> str:
        """*value* with this language's separators."""
        return format_decimal(value, locale=self.locale).replace("-", "\N{MINUS SIGN}")

    def money(self, value: Decimal | str) -> str:
        """*value* as an amount is written: never a tenth without its hundredth."""
        return format_decimal(value, "#,##0.00##", locale=self.locale).replace("-", "\N{MINUS SIGN}")

    def price(self, value: Decimal | str, currency: str) -> str:
        """*value* as an amount of *currency*, which stands behind it."""
        return f"{self.money(value)}\N{NO-BREAK SPACE}{self.sign(currency)}"

    def sign(self, currency: str) -> str:
        """How people write *currency*."""
        return _SIGNS.get(currency, currency)

    def moment(self, value: datetime, *, seconds: bool = False) -> str:
        """*value* as day and time in Prague, to the minute or, in a timeline, to the second."""
        local = value.astimezone(PRAGUE)
        time = format_time(local, "medium" if seconds else "short", tzinfo=PRAGUE, locale=self.locale)
        return f"{_joined(format_date(local, 'medium', locale=self.locale))} {time}"

    def full_day(self, value: date) -> str:
        """*value* with its year."""
        return _joined(format_date(value, "medium", locale=self.locale))

    def day(self, value: date) -> str:
        """*value* as a day of the year."""
        # The letters in CLDR's own order: what is no key of the locale is searched for, at each call anew.
        return _joined(format_skeleton("MMMd", value, locale=self.locale))

    def duration(self, value: timedelta) -> str:
        """About how long *value* is."""
        return _joined(format_timedelta(value, locale=self.locale))

    def span(self, value: timedelta) -> str:
        """About how long *value* is, in the shortest words: "2 s"."""
        return _joined(format_timedelta(value, threshold=2, format="short", locale=self.locale))

    def hour(self, value: datetime, *, seconds: bool = False) -> str:
        """The hour of *value* in Prague, to the minute or to the second."""
        return format_time(value, "medium" if seconds else "short", tzinfo=PRAGUE, locale=self.locale)

    def placeholders(self, key: str) -> tuple[str, ...]:
        """The names of what is filled in to the text of *key*, in its order, each once."""
        named = (name for _, name, _, _ in string.Formatter().parse(self._catalogue.gettext(key)) if name)
        return tuple(dict.fromkeys(named))

    def has(self, key: str) -> bool:
        """Whether there is a text for *key*."""
        return key in keys(self.language)


class _Formatter(string.Formatter):
    """`str.format` for catalogues: names only, and never an exception for what a row does not have."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def get_field(self, field_name: str, _args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs.get(field_name), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        match value:
            case None:
                return "-"
            case datetime():
                return self._texts.moment(value)
            case list() | tuple():
                return ", ".join(self.format_field(item, format_spec) for item in value)
        written = {"n": self._texts.number, "money": self._texts.money, "sign": self._texts.sign}.get(
            format_spec, str
        )
        return written(value)


def catalogue_path(language: str) -> Path:
    """Where the catalogue of *language* is."""
    return package_file("locales") / language / "LC_MESSAGES" / "upbridge.po"


#: Folders with further catalogues, `<language>.po`.
_FURTHER: list[Path] = []


def add_catalogues(folder: Path) -> None:
    """Let texts of this process be looked for in *folder*, too. What the main catalogue has is not replaced."""
    if folder not in _FURTHER:
        _FURTHER.append(folder)
        keys.cache_clear()
        _catalogue.cache_clear()


def _paths(language: str) -> list[Path]:
    return [catalogue_path(language), *(folder / f"{language}.po" for folder in _FURTHER)]


@cache
def keys(language: str) -> frozenset[str]:
    """Every key that has a text in *language*."""
    found = set[str]()
    for path in _paths(language):
        with path.open("rb") as file:
            messages = [message for message in read_po(file, locale=language) if message.id]
        found |= {message.id if isinstance(message.id, str) else message.id[0] for message in messages}
    return frozenset(found)


@cache
def _catalogue(language: str) -> GNUTranslations:
    first, *others = (_compiled(path, language) for path in _paths(language))
    for other in others:
        first.add_fallback(other)
    return first


def load_texts() -> None:
    """Read what is read of each language once in a process, a tenth of a second for all: before the first request,
    as no webhook is answered meanwhile."""
    for language in LANGUAGES:
        texts = Texts(language)
        keys(language)
        texts.moment(_ANY)
        texts.number(0)


def unbroken(text: str) -> str:
    """A Czech or Slovak *text* in which no line ends where it may not."""
    for place, joined in _UNBROKEN:
        text = place.sub(joined, text)
    return text


def _joined(text: str) -> str:
    return text.replace(" ", _NBSP)


def _compiled(path: Path, language: str) -> GNUTranslations:
    compiled = BytesIO()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    if language != FALLBACK:
        for message in catalogue:
            said = message.string
            message.string = unbroken(said) if isinstance(said, str) else tuple(map(unbroken, said or ()))
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
