"""docs/reference/settings.md: the values that each setting takes."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.project.documents import spelled
from tests.project.reference.markdown import code, codes, document, table
from upbridge.core.errors import BadRequest
from upbridge.domain.shop_settings import ShopSettings, as_text
from upbridge.settings import EXAMPLES, PREFIX, Settings
from upbridge.systems.registry import SYSTEMS

_INTRODUCTION = """
What each variable and each setting of a shop may hold, from the code. What it means is in
[settings.md](../settings.md).
"""

#: No setting that has a shape takes this text, so its refusal says what the shape is.
_NONSENSE = ":"


def page() -> str:
    """The page."""
    described = Settings.model_json_schema()["properties"]
    rows = [
        (code(PREFIX + name.upper()), _values(described[name]), spelled(field.default), code(EXAMPLES.get(name)))
        for name, field in Settings.model_fields.items()
    ]
    process = table(("Variable", "Values", "Default", "Example"), rows)
    shop = table(("Key", "Values", "Default", "Needs first"), _of_a_shop())
    return document("Settings", _INTRODUCTION, f"## Of a process\n\n{process}", f"## Of a shop\n\n{shop}")


def _of_a_shop() -> Iterator[tuple[str, str, str, str]]:
    for key, setting in SYSTEMS.settings.items():
        yield code(key), _refusal(key) or "text", code(as_text(setting.default)) or "none", codes(setting.needs)


def _refusal(key: str) -> str | None:
    """What a shop's setting takes, in the words of its refusal; None if it takes any text."""
    try:
        ShopSettings(SYSTEMS.settings).changed({key: _NONSENSE})
    except BadRequest as refused:
        return str(refused).partition(" is not ")[2]
    return None


def _values(described: Mapping[str, Any]) -> str:
    """The values of a field as its JSON schema has them, in words."""
    choices = [one for one in described.get("anyOf", [described]) if one.get("type") != "null"]
    (one,) = choices
    if "enum" in one:
        return " or ".join(code(value) for value in one["enum"])
    words = {"integer": "a whole number", "number": "a number", "boolean": codes(("0", "1")), "array": "a list"}
    said = words.get(one["type"], "text")
    limits = [
        f"{sign} {int(one[name]):,}"
        for name, sign in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if name in one
    ]
    return " ".join([said, *limits])
