"""Charts as plain shapes: the geometry is computed here, templates draw it as SVG with classes and attributes.

No style is inline (the pages' policy forbids it), and every chart stands beside a table that says the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 150
_LEFT, _BOTTOM, _TOP = 44, 20, 10
_LABELS = 6


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
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    top: int = _TOP
    ground: int = HEIGHT - _BOTTOM


def columns(data: Sequence[tuple[str, Mapping[str, float]]]) -> Columns:
    """One column per entry of *data*, its series stacked in their order."""
    highest = nice(max((sum(parts.values()) for _, parts in data), default=0))
    ground = HEIGHT - _BOTTOM
    step = (WIDTH - _LEFT) / max(len(data), 1)
    bars, labels = [], []
    every = max(-(-len(data) // _LABELS), 1)
    for place, (name, parts) in enumerate(data):
        x, y = _LEFT + place * step, float(ground)
        for series, value in parts.items():
            if not value:
                continue
            height = value / highest * (ground - _TOP)
            y -= height
            bars.append(Bar(series, round(x + step * 0.1, 1), round(y, 1), round(step * 0.8, 1), round(height, 1)))
        if place % every == 0:
            labels.append(Label(round(x + step * 0.1, 1), name))
    return Columns(tuple(bars), tuple(labels), highest)


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
