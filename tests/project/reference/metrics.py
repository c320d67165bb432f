"""docs/reference/metrics.md: every metric that the code declares."""

import ast
import re
from collections.abc import Iterator

from tests.project.reference.code import sources
from tests.project.reference.markdown import code, codes, document, table

_INTRODUCTION = """
What `GET /metrics` answers (with `UPBRIDGE_METRICS_TOKEN` as bearer token). Counters and histograms of all
processes are added up, gauges are counted at the scrape
([decision 0007](../decisions/0007-metrics-are-added-up-in-postgres.md)). No metric has a label for the shop.
What is worth an alarm is in [running.md](../running.md#what-to-watch).
"""

_OURS = re.compile(r"upbridge_[a-z_]+")
_KINDS = {"Counter": "counter", "Histogram": "histogram", "Gauge": "gauge", "GaugeMetricFamily": "gauge"}


def page() -> str:
    """The page."""
    rows = [(code(name), kind, codes(labels), words) for name, kind, labels, words in sorted(declared())]
    return document("Metrics", _INTRODUCTION, table(("Metric", "Kind", "Labels", "What it is"), rows))


def declared() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Name as Prometheus shows it, kind, labels and help of each declared metric."""
    for source in sources():
        for node in ast.walk(source.tree):
            yield from in_node(node)


def in_node(node: ast.AST) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """The metric that *node* declares: a call of its class, or a row of a table of gauges."""
    match node:
        case ast.Call(func=ast.Name(id=kind), args=values, keywords=named) if kind in _KINDS:
            labels = [keyword.value for keyword in named if keyword.arg in {"labelnames", "labels"}]
            yield from _metric(_KINDS[kind], [*values, *labels])
        case ast.Tuple(elts=values):
            yield from _metric("gauge", values)


def _metric(kind: str, values: list[ast.expr]) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    match values:
        case [ast.Constant(value=str(name)), ast.Constant(value=str(words)), *rest] if _OURS.fullmatch(name):
            labels = next((_texts(value) for value in rest if isinstance(value, ast.Tuple | ast.List)), ())
            yield f"{name}_total" if kind == "counter" else name, kind, labels, words


def _texts(value: ast.Tuple | ast.List) -> tuple[str, ...]:
    return tuple(str(one.value) for one in value.elts if isinstance(one, ast.Constant))
