"""Alert rules, dashboard and runbook speak of metrics that are there."""

import json
import re
import shutil
import subprocess

import pytest

from tests.project import monitoring
from tests.project.monitoring import ALERTS_TEST, DASHBOARD, metrics, wrong_query


def test_there_is_no_complaint() -> None:
    assert list(monitoring.complaints()) == []


def test_each_query_of_the_dashboard_names_what_is_there_and_each_metric_has_a_panel() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]

    assert [wrong for query in queries for wrong in wrong_query(query)] == []
    asked = {name for query in queries for name in re.findall(r"upbridge_\w+", query)}
    assert {name.removesuffix("_bucket") for name in asked} == set(metrics())


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("max(upbridge_weather)", "there is no metric upbridge_weather"),
        ('upbridge_shops{colour="red"}', "upbridge_shops has no label colour"),
        ("sum by (shop) (upbridge_shops)", "no metric here has a label shop"),
        ("rate(upbridge_shops_bucket[5m])", "there is no metric upbridge_shops_bucket"),
    ],
)
def test_what_is_not_there_is_found(query: str, wrong: str) -> None:
    assert list(wrong_query(query)) == [wrong]


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool; on Debian: apt install prometheus")
    ended = subprocess.run([promtool, "test", "rules", ALERTS_TEST], check=False, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
