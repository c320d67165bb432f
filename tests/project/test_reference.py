"""docs/reference is what the code says of itself."""

import ast

import pytest

from tests.project import reference
from tests.project.documents import command_complaint
from tests.project.reference import commands, http, log_events, metrics, tables
from tests.project.reference.code import first_sentence
from tests.project.reference.markdown import table

#: What operators' alarms and dashboards name.
METRICS = {
    "upbridge_webhook_deliveries_total",
    "upbridge_webhook_ack_seconds",
    "upbridge_changes_pending",
    "upbridge_outbox_pending",
    "upbridge_oldest_pending_seconds",
    "upbridge_remote_calls_total",
    "upbridge_remote_call_seconds",
    "upbridge_budget_waits_total",
    "upbridge_problems_open",
    "upbridge_shops",
    "upbridge_jobs",
    "upbridge_outbox_parked",
    "upbridge_flows",
    "upbridge_lanes_blocked",
    "upbridge_webhook_coverage_ratio",
    "upbridge_workers",
    "upbridge_build_info",
}


def test_every_page_is_up_to_date() -> None:
    assert list(reference.complaints()) == []


def test_a_page_that_is_out_of_date_is_found() -> None:
    pages = {**reference.PAGES, "http.md": lambda: "something else"}

    assert list(reference.complaints(pages)) == ["docs/reference/http.md is out of date: run make docs"]


def test_the_addresses_that_others_call_are_listed() -> None:
    listed = {(method, one.path) for one in http.addresses() for method in one.methods}

    assert {("POST", f"/addon/{name}") for name in ("install", "open", "uninstall", "version")} <= listed
    assert ("POST", "/webhooks/upgates/{event}/{token}") in listed
    assert {("GET", path) for path in ("/", "/livez", "/readyz", "/metrics", "/ui/s/{session}/")} <= listed


def test_every_address_command_and_table_says_what_it_is() -> None:
    assert [one.path for one in http.addresses() if not one.words] == []
    assert [name for name, command in commands.commands() if not command.help] == []
    assert [name for name, words in tables.comments().items() if not words] == []


def test_the_commands_are_those_of_the_program() -> None:
    names = [name for name, _ in commands.commands()]

    assert {"upbridge up", "upbridge shops list", "upbridge problems retry"} <= set(names)
    assert [name for name in names if command_complaint(name.split()[1:]) is not None] == []


def test_the_metrics_that_alarms_name_are_declared_once_and_without_a_shop() -> None:
    declared = list(metrics.declared())

    assert {name for name, *_ in declared} >= METRICS
    assert len({name for name, *_ in declared}) == len(declared)
    assert [name for name, _, labels, _ in declared if set(labels) & {"shop", "shop_id"}] == []


def test_the_events_of_the_log_are_constant_names() -> None:
    found = list(log_events.events())

    assert len(found) > 50
    assert [event for event, *_ in found if not event.replace("_", "").isalnum() or event != event.lower()] == []
    assert log_events.not_constant() == []


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        (None, ""),
        ("One thing.", "One thing."),
        ("One thing,\n    on two lines. And more.", "One thing, on two lines."),
        ("One thing\n\nAnd more.", "One thing"),
    ],
)
def test_the_promise_is_the_first_sentence(docstring: str | None, sentence: str) -> None:
    assert first_sentence(docstring) == sentence


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a",), [("x | y",)]).splitlines()[-1] == "| x \\| y |"


def test_a_metric_is_found_however_it_is_declared() -> None:
    (call,) = ast.parse('Counter("upbridge_x", "Words.", labelnames=("a", "b"))').body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)

    assert list(metrics.in_node(call.value)) == [("upbridge_x_total", "counter", ("a", "b"), "Words.")]
