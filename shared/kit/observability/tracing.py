"""Traces of requests, events, builds and template runs.

It uses OpenTelemetry's API, which FastAPI loads anyway. Without an exporter
(`exporting`) no spans are created, and the context of the caller's trace is passed on
unchanged: in headers, in events and in the documents of waiting work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
)
from random import getrandbits

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.contracts.trace import TRACE_FIELDS, Trace

__all__ = [
    "Attributes",
    "Span",
    "SpanKind",
    "continued",
    "fields",
    "is_recording",
    "record",
    "request_trace",
    "set_route",
    "shared_span",
    "span",
    "trace_id",
]

Attributes = Mapping[str, str | int | float | bool]
AsgiHeaders = Iterable[tuple[bytes, bytes]]

_W3C = TraceContextTextMapPropagator()
_HEADERS = {name.encode(): name for name in TRACE_FIELDS}
_NO_TRACE = Context()
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
#: Keeps the current context.
_CURRENT = nullcontext()
#: The tracer that records this process' spans, or none.
_recorders: list[trace.Tracer] = []


def record(provider: trace.TracerProvider) -> None:
    """Make this process record its spans with a provider; once, before it serves."""
    trace.set_tracer_provider(provider)
    _recorders[:] = [provider.get_tracer("callboard")]


def is_recording() -> bool:
    """Whether this process records spans: an exporter is configured."""
    # OpenTelemetry's own function would read the environment each time.
    return bool(_recorders)


def trace_id() -> str:
    """The id of the current trace; empty outside of one."""
    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.is_valid else ""


def fields() -> dict[str, str]:
    """The current trace's context, for headers, events and documents.

    It is formatted here (W3C Trace Context, section 3.2), because every request of the
    gateway needs it and the library's propagator takes four times as long.
    """
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    trace_number, span_number = current.trace_id, current.span_id
    parent = f"00-{trace_number:032x}-{span_number:016x}-{current.trace_flags:02x}"
    if not current.trace_state:
        return {"traceparent": parent}
    return {"traceparent": parent, "tracestate": current.trace_state.to_header()}


def continued(carrier: Trace) -> AbstractContextManager[None]:
    """In this context, spans, logs and events belong to the trace in `carrier`.

    A current span of the same trace stays current; a carrier without a context, or with
    a malformed one, begins a new trace.
    """
    extracted = _extract(carrier)
    caller_context = trace.get_current_span(extracted).get_span_context()
    current = trace.get_current_span().get_span_context()
    if caller_context.is_valid and caller_context.trace_id == current.trace_id:
        return _CURRENT
    return _Attached(_begun(extracted))


def request_trace(headers: AsgiHeaders) -> AbstractContextManager[None]:
    """In this context, spans, logs and events belong to the trace of a request.

    It is the trace of the server's span if FastAPI records one, else the caller's, else
    a new one.
    """
    if trace.get_current_span() is not trace.INVALID_SPAN:
        return _CURRENT
    carrier: dict[str, str] = {}
    for name, value in headers:
        if name in _HEADERS:
            # Lines of a header are joined (RFC 9110, 5.2); two parents are invalid.
            field, text = _HEADERS[name], value.decode("latin-1")
            carrier[field] = f"{carrier[field]},{text}" if field in carrier else text
    return _Attached(_begun(_extract(carrier)))


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span of the current trace; none is created without an exporter.

    An error inside it is recorded by its type, because its message may be secret.
    """
    if not is_recording():
        yield trace.INVALID_SPAN
        return
    with _recorders[0].start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            _fail(current, error)
            raise


@contextmanager
def shared_span(
    name: str, traces: Sequence[Trace], attributes: Attributes, *, kind: SpanKind
) -> Iterator[None]:
    """A span of work that several traces caused: a batch of messages.

    Spans of the work belong to the first trace; each other trace gets a span of the
    same time with a link to the first.
    """
    first, *further = _distinct(traces)
    with (
        continued(first),
        span(name, attributes, kind=kind) as current,
        ExitStack() as stack,
    ):
        for other in further if is_recording() else ():
            stack.enter_context(_beside(name, other, attributes, kind, current))
        yield


def set_route(method: str, route: str | None) -> None:
    """Name the server's span by its route."""
    current = trace.get_current_span()
    if route is not None and current.is_recording():
        current.set_attribute("http.route", route)
        current.update_name(f"{method} {route}")


def _extract(carrier: Trace) -> Context:
    """The context in a carrier; an empty one if it has none or a malformed one."""
    if not carrier:
        return _NO_TRACE
    return _W3C.extract(carrier, _NO_TRACE, _FIELDS)


def _begun(extracted: Context) -> Context:
    """The extracted context, or a new trace if it has none and nobody records one."""
    if trace.get_current_span(extracted) is not trace.INVALID_SPAN or is_recording():
        return extracted
    # OpenTelemetry generates ids in the same way; they are not secret.
    trace_number, span_number = getrandbits(128) or 1, getrandbits(64) or 1
    beginning = SpanContext(trace_number, span_number, False, _SAMPLED)
    return trace.set_span_in_context(NonRecordingSpan(beginning), extracted)


class _Attached(AbstractContextManager[None]):
    """Attaches a context; cheaper than a generator."""

    __slots__ = ("_context", "_token")

    def __init__(self, attached: Context) -> None:
        self._context = attached

    def __enter__(self) -> None:
        self._token = context.attach(self._context)

    def __exit__(self, *_: object) -> None:
        context.detach(self._token)


def _distinct(traces: Sequence[Trace]) -> list[Trace]:
    """The first context of each trace, in order; one empty context without any."""
    firsts: dict[str, Trace] = {}
    for carrier in traces:
        if carrier.get("traceparent"):
            firsts.setdefault(carrier["traceparent"][:35], carrier)
    return list(firsts.values()) or [{}]


@contextmanager
def _beside(
    name: str, carrier: Trace, attributes: Attributes, kind: SpanKind, work: Span
) -> Iterator[None]:
    extracted = _extract(carrier)
    links = [trace.Link(work.get_span_context())]
    other = _recorders[0].start_span(name, extracted, kind, attributes, links)
    try:
        yield
    except Exception as error:
        _fail(other, error)
        raise
    finally:
        other.end()


def _fail(current: Span, error: Exception) -> None:
    current.set_attribute("error.type", type(error).__qualname__)
    current.set_status(StatusCode.ERROR)


class _FieldsGetter(Getter[Trace]):
    """Reads Callboard's carriers; the library's own getter inspects their type."""

    def get(self, carrier: Trace, key: str) -> list[str] | None:
        text = carrier.get(key)
        return None if text is None else [text]

    def keys(self, carrier: Trace) -> list[str]:
        return list(carrier)


_FIELDS = _FieldsGetter()
