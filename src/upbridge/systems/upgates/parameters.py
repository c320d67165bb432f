"""The parameters that tell variants apart, as GET /products/parameters lists them.

Upgates API v2, "Parametry": one call for many products. `parameters_new` has words per language and ids; it is
optional, and the older `parameters` beside it has the same words as objects keyed by language.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

from upbridge.systems.upgates.fields import (
    Language,
    Many,
    Number,
    Raw,
    Wire,
    Words,
    key_of,
    language,
    read,
    required,
    text,
)


def _by_language(value: Any) -> Any:
    """`{"cs": "Barva"}` as it is; PHP writes an empty object as `[]`."""
    return (
        {} if not isinstance(value, Mapping) else {language(key) or "": text(word) for key, word in value.items()}
    )


Spoken: TypeAlias = Annotated[dict[str, str | None], BeforeValidator(_by_language)]
Parameters: TypeAlias = dict[int, tuple[tuple[str, str], ...]]


class _Named(Wire):
    language: Language = None
    name: Words = None
    value: Words = None


class _Value(Wire):
    descriptions: Many[_Named] = ()


class _Parameter(Wire):
    descriptions: Many[_Named] = ()
    values: Many[_Value] = ()

    def labels(self) -> tuple[dict[str, str | None], list[dict[str, str | None]]]:
        """Name and values by language."""
        names = {entry.language or "": entry.name for entry in self.descriptions}
        return names, [{entry.language or "": entry.value for entry in one.descriptions} for one in self.values]


class _OldParameter(Wire):
    name: Spoken = Field(default_factory=dict)
    values: Many[Spoken] = ()

    def labels(self) -> tuple[dict[str, str | None], list[dict[str, str | None]]]:
        """Name and values by language."""
        return self.name, list(self.values)


class _Worn(Wire):
    variant_id: Number = None
    parameters_new: Many[_Parameter] = ()
    parameters: Many[_OldParameter] = ()


class _Parameters(Wire):
    product_id: Number = None
    variants: Many[_Worn] = ()


def parse_parameters(raw: Raw, *, language: str | None) -> Parameters:
    """Name and value of each variant's parameters by `variant_id`, from one product of GET /products/parameters.

    In *language*, else in the first that there is; several values of one parameter are joined by ", ". Raises
    `Unreadable`.
    """
    key = key_of(raw, "product_id", "code")
    wire = read(_Parameters, raw, key)
    required(wire.product_id, key, "product_id")
    return {
        required(worn.variant_id, key, "variants", place, "variant_id"): tuple(_pairs(worn, language))
        for place, worn in enumerate(wire.variants)
    }


def _pairs(worn: _Worn, language: str | None) -> Iterator[tuple[str, str]]:
    for parameter in worn.parameters_new or worn.parameters:
        names, values = parameter.labels()
        name = _said(names, language)
        value = ", ".join(said for value in values if (said := _said(value, language)))
        if name and value:
            yield name, value


def _said(words: Mapping[str, str | None], language: str | None) -> str | None:
    return words.get(language or "") or next((word for word in words.values() if word), None)
