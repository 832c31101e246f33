"""Structured logs in JSON lines, and the trace that runs through a request.

`correlation` and `traceparent` are bound per request or message; every log line and
every event made meanwhile carries them. Values under secret-looking keys never show.
"""

import logging
import re
import secrets
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO

import orjson
import structlog

correlation: ContextVar[str] = ContextVar("correlation", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")

SECRET_KEYS = re.compile(
    r"token|secret|password|authorization|cookie|signature", re.IGNORECASE
)
#: W3C Trace Context, section 3.2.2: version 00 only.
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def new_traceparent(parent: str | None = None) -> str:
    """A trace context: a new span in the parent's trace, or a trace of its own."""
    trace = (
        parent.split("-")[1]
        if parent and TRACEPARENT.fullmatch(parent)
        else secrets.token_hex(16)
    )
    return f"00-{trace}-{secrets.token_hex(8)}-01"


@contextmanager
def traced(parent: str | None, correlated: str | None = None) -> Iterator[None]:
    """Within, logs and events belong to the trace of `parent`."""
    span = new_traceparent(parent)
    trace_token = traceparent.set(span)
    token = correlation.set(correlated or span.split("-")[1])
    try:
        yield
    finally:
        correlation.reset(token)
        traceparent.reset(trace_token)


def _context(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    found = correlation.get()
    if found:
        event.setdefault("correlation", found)
    return event


def _redact(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in event:
        if SECRET_KEYS.search(key):
            event[key] = "***"
    return event


def configure(service: str, level: str = "info") -> None:
    """Send this process' logs to standard error, one JSON object a line."""
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
    # Faust and aiokafka tell each rebalance at warning level: not an operator's news.
    for noisy in ("aiokafka", "faust", "mode", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _stderr() -> Any:
    import sys  # noqa: PLC0415 - read when configured: a forked process has its own

    return _Enduring(sys.stderr)


class _Enduring:
    """Standard error, on a disk that may be full: then lines are lost, not work."""

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
    """The standard library's records in the same shape."""

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
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def get_logger(name: str) -> Any:
    """A logger whose lines carry `service=name`; event names are constants."""
    return structlog.get_logger(service=name)
