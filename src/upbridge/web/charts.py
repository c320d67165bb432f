"""Charts as plain shapes: the geometry is computed here, templates draw it as SVG with classes and attributes.

No style is inline (the pages' policy forbids it), and every chart stands beside a table that says the same.

An SVG scales with its words, and those of a wide chart are too small to be read on a phone. So each chart is there
twice, wide and narrow with fewer words, and the style sheet shows the one that fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

HEIGHT = 150
_BOTTOM, _TOP = 20, 10


@dataclass(frozen=True, slots=True)
class _Shape:
    """A chart's width, the room for numbers beside it, and how many words stand under it."""

    width: int
    left: int
    labels: int


_WIDE, _NARROW = _Shape(720, left=44, labels=6), _Shape(360, left=52, labels=4)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of one series."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """A word under the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A chart of stacked columns."""

    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    highest: int
    """What the top line stands for."""
    width: int
    left: int
    narrow: "Columns | None" = None
    """The same for a phone."""
    height: int = HEIGHT
    top: int = _TOP
    ground: int = HEIGHT - _BOTTOM


def columns(data: Sequence[tuple[str, Mapping[str, float]]]) -> Columns:
    """One column per entry of *data*, its series stacked in their order."""
    return replace(_drawn(data, _WIDE), narrow=_drawn(data, _NARROW))


def _drawn(data: Sequence[tuple[str, Mapping[str, float]]], shape: _Shape) -> Columns:
    highest = nice(max((sum(parts.values()) for _, parts in data), default=0))
    ground = HEIGHT - _BOTTOM
    step = (shape.width - shape.left) / max(len(data), 1)
    bars, labels = [], []
    every = max(-(-len(data) // shape.labels), 1)
    for place, (name, parts) in enumerate(data):
        x, y = shape.left + place * step, float(ground)
        for series, value in parts.items():
            if not value:
                continue
            height = value / highest * (ground - _TOP)
            y -= height
            bars.append(Bar(series, round(x + step * 0.1, 1), round(y, 1), round(step * 0.8, 1), round(height, 1)))
        if place % every == 0:
            labels.append(Label(round(x + step * 0.1, 1), name))
    return Columns(tuple(bars), tuple(labels), highest, shape.width, shape.left)


def nice(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, … from *value* on: what people like to read at an axis."""
    scale = 1
    while True:
        for factor in (1, 2, 5):
            if value <= factor * scale:
                return factor * scale
        scale *= 10


def share(part: int, whole: int) -> float:
    """*part* of *whole* in percent, between 0 and 100; an empty whole is full."""
    return 100.0 if whole <= 0 else round(min(max(part / whole, 0), 1) * 100, 1)
