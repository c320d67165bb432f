"""Spans: none where traces are off, and nothing in them that is secret or about a person."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from tests.support.tracing import written
from upbridge.core.telemetry import tracing
from upbridge.core.telemetry.tracing import configure_tracing, current_trace, traced


def test_off_there_is_no_span_and_nothing_travels() -> None:
    with traced("anything", shop_id="7") as span:
        span.set_attribute("more", "x")

        assert not span.is_recording()
        assert current_trace() == ""
    assert not tracing.tracing()


def test_a_span_goes_on_elsewhere_in_the_same_trace(spans: InMemorySpanExporter) -> None:
    with traced("request"):
        travels = current_trace()
    with traced("slice", parent=travels, lane="pull:upgates"):
        pass

    request, piece = spans.get_finished_spans()
    assert request.context is not None
    assert piece.context is not None
    assert piece.parent is not None
    assert request.context.trace_id == piece.context.trace_id
    assert piece.parent.span_id == request.context.span_id
    assert dict(piece.attributes or {}) == {"upbridge.lane": "pull:upgates"}


def test_of_an_error_only_its_class_is_recorded(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Jana"), traced("slice"):
        raise ValueError("Jana Nova, jana@example.cz, hush")

    assert "ValueError" in written(spans)
    for planted in ("Jana", "jana@example.cz", "hush"):
        assert planted not in written(spans)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    ],
)
def test_it_is_off_until_the_standard_variables_name_a_collector(environment: dict[str, str]) -> None:
    configure_tracing(environment)

    assert not tracing.tracing()


def test_the_standard_variables_switch_it_on_for_us_and_for_no_library() -> None:
    configure_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    try:
        assert tracing.tracing()
        assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
    finally:
        tracing.use(None)


def test_where_the_packages_are_missing_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with capture_logs() as logs:
        configure_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})

    assert [line["event"] for line in logs] == ["tracing_not_installed"]
    assert not tracing.tracing()
