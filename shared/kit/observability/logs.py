"""Structured logs in JSON lines, each with its trace.

`correlation` is bound for each request. Values of keys that may be secret are redacted.
"""

import logging
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

import orjson
import structlog

from shared.kit.observability import tracing

correlation: ContextVar[str] = ContextVar("correlation", default="")

_OPENTELEMETRY = ("opentelemetry.trace", "opentelemetry.exporter")
SECRET_KEYS = re.compile(
    r"token|secret|password|authorization|cookie|signature", re.IGNORECASE
)


@contextmanager
def correlated(request_id: str | None) -> Iterator[None]:
    """Add a request's id, if it has one, to log lines and calls in the context."""
    token = correlation.set(request_id or "")
    try:
        yield
    finally:
        correlation.reset(token)


def correlation_id() -> str:
    """The id of a request in logs: the client's, else the trace's."""
    return correlation.get() or tracing.trace_id()


def _context(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if trace_id := tracing.trace_id():
        event["trace_id"] = trace_id
    if identity := correlation.get() or trace_id:
        event.setdefault("correlation", identity)
    return event


def _redact(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in event:
        if SECRET_KEYS.search(key):
            event[key] = "***"
    return event


def configure(service: str, level: str = "info") -> None:
    """Write this process' logs to standard error, one JSON object in each line."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _context,
            _redact,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(
                serializer=lambda value, **_: orjson.dumps(value, default=str).decode()
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=_stderr()),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter(service))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # At warning level, Faust and aiokafka log each rebalance, and OpenTelemetry each
    # client's header that is too long and each attempt to send.
    for noisy in ("aiokafka", "faust", "mode", "asyncio", *_OPENTELEMETRY):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _stderr() -> Any:
    import sys  # noqa: PLC0415 - read when configured: a forked process has its own

    return _Enduring(sys.stderr)


class _Enduring:
    """Standard error on a disk that may be full: lines are lost, not work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _JsonFormatter(logging.Formatter):
    """Formats the standard library's records in the same way."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "service": self.service,
            "timestamp": self.formatTime(record),
        }
        if trace_id := tracing.trace_id():
            line["trace_id"] = trace_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def get_logger(name: str) -> Any:
    """A logger whose lines carry `service=name`; event names are constants."""
    return structlog.get_logger(service=name)
