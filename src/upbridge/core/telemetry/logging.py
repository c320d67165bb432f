"""Logs: one line per event on standard error, for people or for machines; identifiers, never objects."""

import contextlib
import logging
import sys
from typing import Literal, TextIO

import structlog

from upbridge.core.telemetry.database_outage import Quiet, without_outages


class _Lines:
    """What structlog takes for a logger: writes lines that are finished to where *handler* writes.

    A record of the standard library for each of our own lines, to be taken apart again by its handler, was most of
    what a line cost.
    """

    def __init__(self, handler: logging.StreamHandler[TextIO]) -> None:
        self._stream = handler.stream
        self._lock = handler.lock or contextlib.nullcontext()

    def msg(self, line: str) -> None:
        """Write *line*. Like the handler, it raises nothing where that fails: a full disk must not end work."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    info = warning = error = msg


def configure_logging(form: Literal["console", "json"], *, level: int = logging.INFO) -> None:
    """Write structlog's and the standard library's logs from *level* on to standard error, in one form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        # Plain tracebacks: pretty ones show local variables, secrets among them, and take seconds to draw.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    lines = _Lines(handler)
    structlog.configure(
        processors=[*shared, without_outages, structlog.processors.format_exc_info, renderer],
        logger_factory=lambda *_: lines,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    handler.addFilter(Quiet())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The access log of the web server would hold tickets, sessions and webhook secrets: we log by route instead.
    logging.getLogger("uvicorn.access").disabled = True
    for noisy in ("httpx", "httpcore", "alembic", "procrastinate"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
