"""What of a document may be shown and kept: its shape, and values that say nothing about a person."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MASK = "•••"

#: Fields of a document that say nothing about a person.
_HARMLESS = frozenset(
    {
        "active",
        "backorder",
        "brand",
        "carrier",
        "code",
        "currency",
        "discount",
        "ean",
        "externalOrderId",
        "externalProductId",
        "groupId",
        "items",
        "lines",
        "order_number",
        "origin",
        "price",
        "price_with_vat",
        "product_id",
        "products",
        "purchase_order_ref",
        "quantity",
        "sku",
        "sku_id",
        "status",
        "status_id",
        "stock",
        "sum",
        "title",
        "total",
        "totalGross",
        "totalNet",
        "variant_id",
        "vat",
    }
)

#: Fields under which all is about a person, by any name of the fields there.
_ABOUT_A_PERSON = frozenset(
    {
        "addresses",
        "customer",
        "internal_note",
        "internal_notes",
        "note",
        "notes",
        "people",
        "shipping_instructions",
        "shopper",
    }
)

#: What is shorter than this says nothing about a person by itself, and stands in other words by chance.
_SHORTEST = 3
_EMAIL = re.compile(r"[^\s@<>\"',;:()]+@[^\s@<>\"',;:()]+\.[^\s@<>\"',;:()]+")
_BETWEEN = re.compile(r"[,;/()]+")
_WORD = re.compile(r"\w{4,}")
_LAST_WORD = re.compile(r"\w{2,}$")


def masked(body: bytes) -> str:
    """A document for people: its shape, and the values of fields that say nothing about a person."""
    try:
        value = json.loads(body)
    except ValueError:
        return MASK
    return json.dumps(_masked(value, shown=False), ensure_ascii=False, indent=1)


def _masked(value: Any, *, shown: bool) -> Any:
    match value:
        case Mapping():
            return {
                key: _hidden(item) if key in _ABOUT_A_PERSON else _masked(item, shown=key in _HARMLESS)
                for key, item in value.items()
            }
        case list():
            return [_masked(item, shown=shown) for item in value]
        case None | bool():
            return value
        case _:
            return value if shown else MASK


def _hidden(value: Any) -> Any:
    """The shape alone."""
    match value:
        case Mapping():
            return {key: _hidden(item) for key, item in value.items()}
        case list():
            return [_hidden(item) for item in value]
        case None | bool():
            return value
        case _:
            return MASK


def unsaid(words: str, sent: Any) -> str:
    """*words*, in which another system may repeat what it was *sent* (as JSON has it), with a mask in the place of
    what is about a person: the values of such fields, their lines, parts and words, and e-mail addresses. So is a
    value whose end was cut off."""
    return _without(words, {piece for value in _personal(sent, told=False) for piece in _pieces(value)})


def _without(words: str, said: Collection[str]) -> str:
    said = {piece.strip() for piece in said}
    long = sorted((text for text in said if len(text) >= _SHORTEST), key=len, reverse=True)
    if long:
        words = re.sub("|".join(map(re.escape, long)), MASK, words, flags=re.IGNORECASE)
        last = _LAST_WORD.search(words)
        if last is not None and any(text.casefold().startswith(last[0].casefold()) for text in long):
            words = words[: last.start()] + MASK
    return _EMAIL.sub(MASK, words)


def about_nobody(params: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """*params* of a problem without what the document *body* says of a person: problems are kept in clear, and
    are shown to all staff."""
    try:
        sent = json.loads(body)
    except ValueError:  # no document of ours: there is nothing of a person to compare with
        sent = None
    # Whole values only: a word of a note may be the code of the goods, which has to be named.
    said = set(_personal(sent, told=False))
    return {name: _without(value, said) if isinstance(value, str) else value for name, value in params.items()}


def _personal(value: Any, *, told: bool) -> Iterator[str]:
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _personal(item, told=told or key in _ABOUT_A_PERSON)
        case list() | tuple():
            for item in value:
                yield from _personal(item, told=told)
        case str() if told:
            yield value


def _pieces(value: str) -> Iterator[str]:
    """*value*, its lines, and their parts and words; of `name: value` those of the value."""
    yield value
    for line in value.splitlines():
        yield line
        said = line.partition(": ")[2] or line
        yield from _BETWEEN.split(said)
        yield from _WORD.findall(said)
