"""How Upgates writes values down, and what it can be forgiven: the fields that every wire model is made of.

PHP speaks here: ids come as numbers or as text, and as 0 where there is none, booleans as 0/1, moments as an
object of three fields, an empty object as `[]`, an array with gaps as an object, one object as an array of one and
the other way round. An absent, null, empty or blank value is None. What cannot be understood is refused with the
name of the field; the value itself is never repeated, because it may be personal.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError

from upbridge.core.clock import FOR_EVER, PRAGUE
from upbridge.core.parsing import LONGEST_KEY, array, storable
from upbridge.domain.money import CENT
from upbridge.systems.upgates.errors import Unreadable

_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 10, -12
_LARGEST_WHOLE = 2**63
_LONGEST_NUMBER = 20
"""No code or EAN is a number of more digits."""
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_ZONES = {"CET": "Europe/Prague", "CEST": "Europe/Prague", "Z": "UTC", "GMT": "UTC"}

#: How PHP and MySQL write "no moment": a year below 1, whole or as what PHP makes of `0000-00-00`, and zero. Other
#: programs begin with the first day of the year 1.
_NO_MOMENT = re.compile(
    r"[-\N{MINUS SIGN}]\d|\+?0{4}|0001-01-01|00?\.\s?00?\.|\d\d?\.\s?\d\d?\.\s?(?:-|0{4})|0+\Z"
)
#: The days with which other programs begin to count.
_FIRST_DAYS = frozenset({date(1899, 12, 30), date(1900, 1, 1), date(1970, 1, 1)})

Raw: TypeAlias = Mapping[str, Any]
T = TypeVar("T")


class Wire(BaseModel):
    """An object of the API: unknown fields are accepted, any field may be null."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def text(value: Any) -> str | None:
    """Text as written, or None if there is none; numbers become text. No character that cannot be stored."""
    if type(value) is str:
        clean = value if value.isascii() and "\0" not in value else storable(value)
        return clean if clean and not clean.isspace() else None
    if value is None or value is False or value in ([], {}):
        return None  # PHP's false and its empty array: there is none
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("is not text")  # noqa: TRY004 - pydantic collects ValueErrors
    return f"{value}" if isinstance(value, int) else _plain(value)


def _plain(number: float | Decimal) -> str:
    """*number* as people write a code or an EAN: a whole one with all its digits and no others."""
    exact = Decimal(repr(number)) if isinstance(number, float) else number
    if not exact.is_finite() or exact.adjusted() > _LONGEST_NUMBER or exact != exact.to_integral_value():
        return f"{number}"
    return f"{int(exact)}"


def amount(value: Any) -> Decimal | None:
    """An exact number, from a JSON number or its text."""
    if value is None:
        return None
    number = value if type(value) is Decimal else Decimal(value) if type(value) is int else _number(value)
    if number is None:
        return None
    if (number and not _SMALLEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT) or not number.is_finite():
        # products of two such numbers still fit the decimal context
        raise ValueError("is not a number of a sensible size")
    return number


def _number(value: Any) -> Decimal | None:
    """The number that *value* says, which is none itself."""
    if isinstance(value, bool):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic collects ValueErrors
    written = repr(value) if isinstance(value, float) else text(value)
    try:
        return None if written is None else _decimal(written)
    except InvalidOperation:
        raise ValueError("is not a number") from None


def _decimal(written: str) -> Decimal:
    """Raises `InvalidOperation`, for `1_000` too: Python alone reads it, and it may be a 1 and something."""
    return Decimal("?" if "_" in written else written)


def price(value: Any) -> Decimal | None:
    """What something costs: never less than nothing."""
    number = amount(value)
    if number is not None and number < 0:
        raise ValueError("is less than zero")
    return number


def sale_price(value: Any) -> Decimal | None:
    """What something costs in a sale. Without one, PHP writes 0."""
    return price(value) or None


def rate(value: Any) -> Decimal | None:
    """A VAT rate in percent."""
    percent = amount(value)
    if percent is not None and not 0 <= percent <= 100:  # noqa: PLR2004 - percent
        raise ValueError("is not a rate in percent")
    return percent


def whole(value: Any) -> int | None:
    """A whole number such as an id; `"41"` and `41.0` will do."""
    written = text(value) if not isinstance(value, bool) else "?"
    if written is None:
        return None
    try:
        number = _decimal(written)
    except InvalidOperation:
        raise ValueError("is not a whole number") from None
    if not number.is_finite() or abs(number) >= _LARGEST_WHOLE or number != number.to_integral_value():
        raise ValueError("is not a whole number")
    return int(number)


def number_of(value: Any) -> int | None:
    """The shop's number of a thing; None for 0 and less, which PHP writes where there is no such thing."""
    number = whole(value)
    return number if number is not None and number > 0 else None


def name(value: Any) -> str | None:
    """A name by which one list refers to another, in one form: composed, without blanks around it."""
    written = text(value)
    if written is None:
        return None
    return (written if written.isascii() else unicodedata.normalize("NFC", written)).strip()


def language(value: Any) -> str | None:
    """A language by its code, which is `cs` however it is written."""
    written = name(value)
    return None if written is None else written.lower()


def currency(value: Any) -> str | None:
    """A currency by its code, which is `CZK` however it is written."""
    written = name(value)
    return None if written is None else written.upper()


def limit(value: Any) -> str | None:
    """Whether orders are limited to what is in stock: `0`, `1` or `sale`."""
    written = f"{int(value)}" if isinstance(value, bool) else language(value)
    if written not in (None, "0", "1", "sale"):
        raise ValueError("is none that is known")
    return written


def flag(value: Any) -> bool | None:
    """A boolean: true, false, 1, 0, or one of these as text."""
    if isinstance(value, bool):
        return value
    written = text(value)
    if written is None:
        return None
    answer = _FLAGS.get(written.strip().lower())
    if answer is None:
        raise ValueError("is neither true nor false")
    return answer


def moment(value: Any) -> datetime | None:
    """A moment in UTC from ISO 8601 or PHP's `{date, timezone_type, timezone}`; no offset means Europe/Prague.

    None for a zero date too: MySQL writes `0000-00-00`, PHP makes `-0001-11-30` of it, and of 0 the first day of
    1970; and for one that means "never" (`9999-12-31`), which has no time in Prague.
    """
    zone: Any = None
    if isinstance(value, Mapping) and value:
        zone = value.get("timezone")
        value = value.get("date")
    written = text(value)
    if written is None or _NO_MOMENT.match(written.strip()):
        return None
    try:
        parsed = datetime.fromisoformat(written.strip())
        if parsed.tzinfo is None:
            parsed = _in_zone(parsed, name(zone))
        return None if parsed.date() in _FIRST_DAYS or parsed.year >= FOR_EVER else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a moment") from None


def _in_zone(naive: datetime, zone: str | None) -> datetime:
    if zone is None:
        return naive.replace(tzinfo=PRAGUE)
    if zone[0] in "+-":  # timezone_type 1
        return datetime.fromisoformat(f"{naive.isoformat()}{zone}")
    try:
        return naive.replace(tzinfo=ZoneInfo(_ZONES.get(zone.upper(), zone)))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is in an unknown zone") from None


def items(value: Any) -> Any:
    """An array without its nulls, however PHP wrote it."""
    if not value:
        return ()
    value = [value] if _is_one(value) else array(value)
    return [item for item in value if item is not None] if isinstance(value, list | tuple) else value


def _is_one(value: Any) -> bool:
    """Whether *value* is the one object that stands there instead of an array of one.

    An array that PHP wrote as an object has places for keys, or other keys and objects under all of them.
    """
    if not isinstance(value, Mapping) or all(map(_is_place, value)):
        return False
    return not all(row is None or isinstance(row, Mapping) for row in value.values())


def thing(value: Any) -> Any:
    """An object, also where it stands in an array of one; None for null and for PHP's empty `[]`."""
    rows = list(value.values()) if isinstance(value, Mapping) and all(map(_is_place, value)) else value
    if isinstance(rows, list | tuple) and len(rows) == 1 and isinstance(rows[0], Mapping):
        return rows[0]
    return value or None


def _is_place(key: Any) -> bool:
    """Whether *key* is a place in an array that PHP wrote as an object."""
    return isinstance(key, str) and key.isdigit()


Words: TypeAlias = Annotated[str | None, PlainValidator(text)]
Amount: TypeAlias = Annotated[Decimal | None, PlainValidator(amount)]
Rate: TypeAlias = Annotated[Decimal | None, PlainValidator(rate)]
Whole: TypeAlias = Annotated[int | None, PlainValidator(whole)]
Number: TypeAlias = Annotated[int | None, PlainValidator(number_of)]
Name: TypeAlias = Annotated[str | None, PlainValidator(name)]
Language: TypeAlias = Annotated[str | None, PlainValidator(language)]
Currency: TypeAlias = Annotated[str | None, PlainValidator(currency)]
Flag: TypeAlias = Annotated[bool | None, PlainValidator(flag)]
Limit: TypeAlias = Annotated[str | None, PlainValidator(limit)]
Moment: TypeAlias = Annotated[datetime | None, PlainValidator(moment)]
Many: TypeAlias = Annotated[tuple[T, ...], BeforeValidator(items)]
One: TypeAlias = Annotated[T | None, BeforeValidator(thing)]

Model = TypeVar("Model", bound=Wire)


def read(model: type[Model], raw: Any, key: str) -> Model:
    """*raw* as *model*; raises `Unreadable` with the first field that makes no sense."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = path(*first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise Unreadable(key, f"{where} {said}".strip()) from None


def read_tolerantly(
    model: type[Model], raw: Any, key: str, part_of: Callable[[str], str | None]
) -> tuple[Model, dict[tuple[str | int, ...], str]]:
    """*raw* as *model*, and the places of what makes no sense, each with the part of the entity that it is of.

    *part_of* says of a field (`products.type`) which part it is, or None where the entity cannot be read without
    it. What makes no sense is then as if it were null. Raises `Unreadable` for a field without a part.
    """
    try:
        return model.model_validate(raw), {}
    except ValidationError as error:
        complaints = error.errors(include_input=False, include_url=False, include_context=False)
    unread: dict[tuple[str | int, ...], str] = {}
    for complaint in complaints:
        place = complaint["loc"]
        part = part_of(".".join(name for name in place if isinstance(name, str)))
        if part is None:
            said = str(complaint["msg"]).removeprefix("Value error, ")
            raise Unreadable(key, f"{path(*place)} {said}".strip())
        unread[place] = part
        raw = _without(raw, place)
    return read(model, raw, key), unread


def _without(raw: Any, place: tuple[str | int, ...]) -> Any:
    """A copy of *raw* that has nothing at *place*; the numbers in it count what `items` leaves of a list."""
    first, *rest = place
    if isinstance(first, int):
        listed = list(items(raw))
        listed[first] = _without(listed[first], tuple(rest)) if rest else {}  # the others keep their numbers
        return listed
    found = thing(raw)
    return {**found, first: _without(found[first], tuple(rest)) if rest else None}


def required(value: T | None, key: str, *where: str | int) -> T:
    """*value*, which the entity cannot do without; raises `Unreadable` with its place if it is None."""
    if value is None:
        raise Unreadable(key, f"{path(*where)} is missing")
    return value


def path(*where: str | int) -> str:
    """A place in a document as people write it: `products[2].quantity`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return "".join(parts).removeprefix(".")


def key_of(raw: Any, *names: str) -> str:
    """By what to call an entity in a complaint about it: the first of *names* that it has, else `?`.

    The name can be stored: without NUL and lone surrogates, and cut to 100 characters.
    """
    if isinstance(raw, Mapping):
        for name in names:
            value = raw.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                written = storable(str(value))
                if written.strip():
                    return written[:LONGEST_KEY]
    return "?"


def parse_list(raw_items: Any, parse: Callable[[Raw], T]) -> tuple[list[T], list[Unreadable]]:
    """Parse each item on its own: one that cannot be read is put aside and never stops its batch.

    *raw_items* is an array of the answer; null counts as an empty one.
    """
    good: list[T] = []
    bad: list[Unreadable] = []
    listed = items(raw_items)
    if not isinstance(listed, list | tuple):
        return good, [Unreadable("?", "the list is not an array")]
    for raw in listed:
        try:
            good.append(parse(raw))
        except Unreadable as error:
            bad.append(error)
    return good, bad


def cents(value: Decimal, places: Decimal = CENT) -> Decimal:
    """*value* rounded half up (away from zero), as PHP's round() does; two decimals by default."""
    return value.quantize(places, ROUND_HALF_UP)


def net(gross: Decimal, vat: Decimal) -> Decimal:
    """*gross* without VAT of *vat* percent, not rounded."""
    return gross / (1 + vat / 100)


def gross(net_amount: Decimal, vat: Decimal) -> Decimal:
    """*net_amount* with VAT of *vat* percent, not rounded."""
    return net_amount * (1 + vat / 100)
