"""Traces: what one webhook or page has led to, from the request to the calls of other systems, across the queue.

Switched on by the standard OTEL_* variables; the packages are an extra (`upbridge[otel]`). Off, a span costs a
look at one variable. A span holds names of ours, never an address, a body or the words of an error: those may hold
secrets and people's data. No library traces by itself: the provider is not the global one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from upbridge import __version__

log = structlog.get_logger(__name__)

_PARENT = "traceparent"
_CONTEXT = TraceContextTextMapPropagator()
_WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Tracing:
    """Where the spans of this process go; None: nowhere."""

    tracer: Tracer | None = None


def use(provider: TracerProvider | None) -> None:
    """Send the spans of this process there; None: make none."""
    _Tracing.tracer = None if provider is None else provider.get_tracer("upbridge", __version__)


def tracing() -> bool:
    """Whether this process makes spans."""
    return _Tracing.tracer is not None


def configure_tracing(environment: Mapping[str, str]) -> None:
    """Trace if the OTEL_* variables of *environment* name a collector; log it where the packages are missing."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    off = exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or not (exporter == "otlp" or any(environment.get(name) for name in _WHERE)):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider as Provider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("tracing_not_installed", what_to_do="pip install 'upbridge[otel]'")
        return
    named = "OTEL_SERVICE_NAME" in environment or "service.name" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {"service.version": __version__} | ({} if named else {"service.name": "upbridge"})
    provider = Provider(resource=Resource.create(own))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)


@contextmanager
def traced(name: str, *, parent: str = "", calls: bool = False, **attributes: str) -> Iterator[Span]:
    """A span around the block, below the current one or below *parent* (`current_trace`); *calls*: another system
    is called. An error is its class, nothing of its words."""
    tracer = _Tracing.tracer
    if tracer is None:
        yield INVALID_SPAN
        return
    with tracer.start_as_current_span(
        name,
        context=_CONTEXT.extract({_PARENT: parent}) if parent else None,
        kind=SpanKind.CLIENT if calls else SpanKind.INTERNAL,
        attributes={f"upbridge.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def current_trace() -> str:
    """The current span in the form in which it travels with a job; empty where there is none."""
    if _Tracing.tracer is None:
        return ""
    carrier: dict[str, str] = {}
    _CONTEXT.inject(carrier)
    return carrier.get(_PARENT, "")
