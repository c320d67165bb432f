"""The alert rules, the dashboard and the runbook: made from, and held against, the metrics that the code declares.

python -m tests.project.monitoring      makes deploy/grafana/upbridge.json anew (or: make docs)
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from tests.project.documents import TOP
from tests.project.reference.metrics import declared

ALERTS = TOP / "deploy/prometheus/alerts.yml"
ALERTS_TEST = TOP / "deploy/prometheus/alerts_test.yml"
DASHBOARD = TOP / "deploy/grafana/upbridge.json"
RUNBOOK = TOP / "docs/runbook.md"

_METRIC = re.compile(r"\b(upbridge_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_PARTS = ("_bucket", "_count", "_sum")
#: The order of the dashboard's rows: the beginning of the metrics' names, and the row's title.
_ROWS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("upbridge_flows", "upbridge_shops", "upbridge_problems", "upbridge_webhook_coverage"), "How the shops are"),
    (("upbridge_oldest", "upbridge_changes", "upbridge_outbox", "upbridge_lanes", "upbridge_jobs"), "What waits"),
    (("upbridge_webhook", "upbridge_connections"), "What arrives"),
    (("upbridge_remote", "upbridge_budget"), "What is called"),
    (("upbridge_",), "The processes"),
)
_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 24


def metrics() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Each metric's kind, labels and help, by the name that Prometheus shows."""
    return {name: (kind, labels, words) for name, kind, labels, words in declared()}


def alerts() -> list[Mapping[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


# --- the dashboard --------------------------------------------------------------------------------------------


def dashboard() -> str:
    """The dashboard: a panel for each metric, in rows."""
    left, panels, top = dict(sorted(metrics().items())), [], 0
    for begins, title in _ROWS:
        mine = [name for name in left if name.startswith(begins)]
        panels.append({"type": "row", "title": title, "collapsed": False, "gridPos": _place(0, top, _COLUMNS, 1)})
        for number, name in enumerate(mine):
            kind, labels, words = left.pop(name)
            place = _place(number % 2 * _WIDTH, top + 1 + number // 2 * _HEIGHT, _WIDTH, _HEIGHT)
            panels.append(_panel(name, kind, labels, words, place))
        top += 1 + (len(mine) + 1) // 2 * _HEIGHT
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    whole = {
        "title": "Upbridge",
        "uid": "upbridge",
        "description": "Made from the metrics that the code declares: make docs.",
        "tags": ["upbridge"],
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(whole, indent=1) + "\n"


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(name: str, kind: str, labels: tuple[str, ...], words: str, place: dict[str, int]) -> dict[str, Any]:
    unit = "percentunit" if name.endswith("_ratio") else "s" if name.endswith("_seconds") else "short"
    source = {"type": "prometheus", "uid": "${source}"}
    targets = [
        {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend, "datasource": source}
        for number, (query, legend) in enumerate(_queries(name, kind, labels))
    ]
    return {
        "type": "timeseries",
        "title": name.removeprefix("upbridge_"),
        "description": words,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": "ops" if kind == "counter" else unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _queries(name: str, kind: str, labels: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    """What is asked, and how each line is called. Each web process answers for all, so gauges are not added up."""
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    by = f" by ({', '.join(labels)})" if labels else ""
    if kind == "counter":
        return [(f"sum{by} (rate({name}[$__rate_interval]))", legend or "all")]
    if kind == "gauge":
        return [(f"max{by} ({name})", legend or name)]
    first = labels[:1]
    grouped = ", ".join([*first, "le"])
    return [
        (
            f"histogram_quantile({part}, sum by ({grouped}) (rate({name}_bucket[$__rate_interval])))",
            " ".join([*(f"{{{{{label}}}}}" for label in first), f"{float(part) * 100:g} %"]),
        )
        for part in ("0.5", "0.95", "0.99")
    ]


# --- complaints -----------------------------------------------------------------------------------------------


def complaints() -> Iterator[str]:
    """One line for each query that asks for what is not there, and for each alert without an explanation."""
    if not DASHBOARD.is_file() or DASHBOARD.read_text() != dashboard():
        yield "deploy/grafana/upbridge.json is out of date: run make docs"
    for rule in alerts():
        yield from (f"alert {rule['alert']}: {wrong}" for wrong in wrong_query(str(rule["expr"])))
    yield from unexplained()
    yield from untested()
    if (promtool := shutil.which("promtool")) is not None:
        ended = subprocess.run([promtool, "check", "rules", ALERTS], check=False, capture_output=True, text=True)
        if ended.returncode:
            yield f"promtool check rules: {ended.stderr.strip()}"


def wrong_query(query: str) -> Iterator[str]:
    """What a query names that the code does not declare: metrics, and labels of them."""
    known, allowed = metrics(), {"le"}
    histograms = {name for name, (kind, _, _) in known.items() if kind == "histogram"}
    for name, matched in _METRIC.findall(query):
        ends = [end for end in _PARTS if name.endswith(end) and name.removesuffix(end) in histograms]
        whole = name.removesuffix(ends[0]) if ends else name
        if whole not in known:
            yield f"there is no metric {name}"
            continue
        labels = known[whole][1]
        allowed.update(labels)
        yield from (f"{name} has no label {one}" for one in _MATCHED.findall(matched) if one not in labels)
    for group in _GROUPED.findall(query):
        yield from (f"no metric here has a label {one}" for one in re.split(r",\s*", group) if one not in allowed)


def unexplained() -> Iterator[str]:
    """Alerts without a section of the runbook, and sections without an alert."""
    sections = set(re.findall(r"^## (Upbridge\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    names = {rule["alert"] for rule in alerts()}
    yield from (f"docs/runbook.md has no section {name}" for name in sorted(names - sections))
    yield from (f"docs/runbook.md explains {name}, which is no alert" for name in sorted(sections - names))
    for rule in alerts():
        if rule["annotations"]["runbook"] != f"docs/runbook.md#{rule['alert'].lower()}":
            yield f"alert {rule['alert']}: its runbook leads elsewhere"


def untested() -> Iterator[str]:
    """Alerts that no test makes fire, or holds to be silent."""
    text = ALERTS_TEST.read_text()
    for rule in alerts():
        name = rule["alert"]
        if f'alertname="{name}"' not in text or f"alertname: {name}," not in text:
            yield f"deploy/prometheus/alerts_test.yml does not test {name} in both directions"


def write() -> None:
    """Make the dashboard anew."""
    DASHBOARD.write_text(dashboard())


if __name__ == "__main__":
    write()
