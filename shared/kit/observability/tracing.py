"""The trace that runs through requests, events, builds and template runs.

This is OpenTelemetry's API, which FastAPI loads anyway. While no exporter is configured
(`exporting`) spans are not made at all, and the context of the caller's trace is passed
on as it came: in headers, in events and in the documents that work waits in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from secrets import randbits

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

from shared.contracts.trace import Trace

__all__ = [
    "Attributes",
    "Span",
    "SpanKind",
    "continued",
    "fields",
    "is_recording",
    "request_trace",
    "set_route",
    "shared_span",
    "span",
    "trace_id",
]

Attributes = Mapping[str, str | int | float | bool]
AsgiHeaders = Iterable[tuple[bytes, bytes]]

_W3C = TraceContextTextMapPropagator()


def is_recording() -> bool:
    """Whether this process records spans: an exporter is configured."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def trace_id() -> str:
    """The id of the current trace; empty outside of one."""
    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.is_valid else ""


def fields() -> dict[str, str]:
    """The current trace's context, for headers, events and documents."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier


@contextmanager
def continued(carrier: Trace) -> Iterator[None]:
    """Within, spans, logs and events belong to the trace in `carrier`.

    A span of the same trace that is current already stays so; a carrier without a
    context, or with a malformed one, begins a trace of its own.
    """
    token = context.attach(_continued(carrier))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def request_trace(headers: AsgiHeaders) -> Iterator[None]:
    """Within, spans, logs and events belong to the trace of a request.

    It is the trace of the server's span where FastAPI records one, else the caller's,
    else one of its own.
    """
    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    extracted = _W3C.extract(headers, Context(), getter=_HEADERS)
    token = context.attach(_begun(extracted))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span of the current trace; nothing at all while no exporter is configured.

    An error that leaves it is noted by its type: a message may repeat what is secret.
    """
    if not is_recording():
        yield trace.INVALID_SPAN
        return
    tracer = _tracer(trace.get_tracer_provider())
    with tracer.start_as_current_span(
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

    What the work does belongs to the first trace; each of the others shows a span of
    the same time with a link to the first.
    """
    first, *others = _distinct(traces)
    with (
        continued(first),
        span(name, attributes, kind=kind) as current,
        ExitStack() as stack,
    ):
        for other in others if is_recording() else ():
            stack.enter_context(_beside(name, other, attributes, kind, current))
        yield


def set_route(method: str, route: str | None) -> None:
    """Name the server's span by the route that answers it."""
    current = trace.get_current_span()
    if route is not None and current.is_recording():
        current.set_attribute("http.route", route)
        current.update_name(f"{method} {route}")


@lru_cache(maxsize=1)
def _tracer(provider: trace.TracerProvider) -> trace.Tracer:
    return provider.get_tracer("callboard")


def _continued(carrier: Trace) -> Context:
    extracted = _W3C.extract(dict(carrier), Context())
    current = trace.get_current_span().get_span_context()
    given = trace.get_current_span(extracted).get_span_context()
    if given.is_valid and given.trace_id == current.trace_id:
        return context.get_current()
    return _begun(extracted)


def _begun(extracted: Context) -> Context:
    """The context as it is, or a trace's own beginning where nobody records one."""
    if is_recording() or trace.get_current_span(extracted) is not trace.INVALID_SPAN:
        return extracted
    beginning = SpanContext(
        randbits(128) or 1, randbits(64) or 1, False, TraceFlags(TraceFlags.SAMPLED)
    )
    return trace.set_span_in_context(NonRecordingSpan(beginning), extracted)


def _distinct(traces: Sequence[Trace]) -> list[Trace]:
    """The first context of each trace, in their order; at least one, maybe empty."""
    firsts: dict[str, Trace] = {}
    for each in traces:
        if each.get("traceparent"):
            firsts.setdefault(each["traceparent"][:35], each)
    return list(firsts.values()) or [{}]


@contextmanager
def _beside(
    name: str, carrier: Trace, attributes: Attributes, kind: SpanKind, work: Span
) -> Iterator[None]:
    tracer = _tracer(trace.get_tracer_provider())
    extracted = _W3C.extract(dict(carrier), Context())
    links = [trace.Link(work.get_span_context())]
    other = tracer.start_span(name, extracted, kind, attributes, links)
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


class _HeadersGetter(Getter[AsgiHeaders]):
    """Reads the headers of an ASGI request, whose names are lower case."""

    def get(self, carrier: AsgiHeaders, key: str) -> list[str] | None:
        name = key.encode()
        values = [value.decode("latin-1") for each, value in carrier if each == name]
        return values or None

    def keys(self, carrier: AsgiHeaders) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_HEADERS = _HeadersGetter()
