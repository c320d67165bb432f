"""The colours of the pages, computed: they stand out on a bright and on a dark screen (WCAG 1.4.3, 1.4.11)."""

import re

import pytest

from upbridge.core.package_files import package_file

CSS = (package_file("templates") / "static" / "pages.css").read_text()
_BLOCK = re.compile(r":root \{(.*?)\}", re.DOTALL)
_COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
BRIGHT, DARK = (dict(_COLOUR.findall(block)) for block in _BLOCK.findall(CSS))

_GROUNDS = ("paper", "ground")
TEXTS = [
    *((name, on) for name in ("ink", "quiet", "accent", "good", "warn", "bad") for on in _GROUNDS),
    *(("on-colour", on) for on in ("accent", "bad")),
    *((name, "target") for name in ("ink", "quiet", "accent", "bad")),
]
SHAPES = [
    *(("field", on) for on in _GROUNDS),
    *((name, "paper") for name in BRIGHT if name.endswith("-dot") or name.startswith("chart-")),
    ("accent", "gauge"),
]


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG's formula: 1 to 21."""

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("colours", [BRIGHT, DARK], ids=["bright", "dark"])
def test_texts_and_shapes_stand_out_from_what_they_stand_on(colours: dict[str, str]) -> None:
    faint = [
        f"{name} on {on}: {contrast(colours[name], colours[on]):.2f}"
        for pairs, least in ((TEXTS, 4.5), (SHAPES, 3.0))
        for name, on in pairs
        if contrast(colours[name], colours[on]) < least
    ]

    assert not faint


def test_every_colour_has_its_dark_one_and_stands_in_one_place() -> None:
    assert BRIGHT.keys() == DARK.keys()
    assert not re.findall(r"#[0-9a-f]{3,8}\b(?=[^{}]*;)", _BLOCK.sub("", CSS))
