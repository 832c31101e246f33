"""Records spans and sends them to a collector: OpenTelemetry's SDK, OTLP over HTTP.

It is loaded only if an exporter is configured, because it takes 9 MB. Spans wait in a
bounded queue for a thread of their own, so that a slow or unavailable collector costs
only spans; a full queue drops the oldest ones.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from shared.kit.observability import tracing

QUERY = "url.query"


@dataclass(frozen=True, slots=True)
class Collector:
    """The receiver of spans; `OTEL_EXPORTER_OTLP_…` replaces what is None."""

    endpoint: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    ca: Path | None = None


def export_spans(provider: TracerProvider, collector: Collector) -> None:
    """Make this process record its spans with a provider, and send them."""
    exporter = OTLPSpanExporter(
        endpoint=collector.endpoint,
        headers=collector.headers,
        certificate_file=str(collector.ca) if collector.ca else None,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracing.record(provider)


def shut_down(provider: TracerProvider, seconds: float) -> None:
    """Send the waiting spans within `seconds`; the rest is lost."""
    # The SDK's own limit is 30 s, longer than a process may take to end.
    closing = threading.Thread(target=provider.shutdown, daemon=True)
    closing.start()
    closing.join(seconds)


def make_provider(name: str, sampling_ratio: float | None = None) -> TracerProvider:
    """The provider that records the spans of the service `name`.

    A trace of the caller is recorded if the caller records it; of traces that begin
    here the share `sampling_ratio` is, or as `OTEL_TRACES_SAMPLER` configures.
    """
    sampler = None
    if sampling_ratio is not None:
        sampler = ParentBased(TraceIdRatioBased(sampling_ratio))
    attributes = {SERVICE_NAME: name, SERVICE_NAMESPACE: "callboard"}
    provider = TracerProvider(
        sampler, Resource.create(attributes), shutdown_on_exit=False
    )
    provider.add_span_processor(QueryRemover())
    return provider


class QueryRemover(SpanProcessor):
    """Removes the values of a query's parameters from spans, not their names."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        query = (span.attributes or {}).get(QUERY)
        if isinstance(query, str):
            names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
            span.set_attribute(QUERY, "&".join(f"{name}=REDACTED" for name in names))
