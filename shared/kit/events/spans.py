"""The spans of messages: one for sending and one for processing a batch of them.

Names and attributes are those of OpenTelemetry's conventions for messaging.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson

from shared.contracts.envelope import Envelope
from shared.contracts.trace import Trace, trace_in
from shared.kit.observability import tracing


def sending(topic: str, traces: Sequence[Trace]) -> AbstractContextManager[None]:
    """The span of sending messages whose causes have these traces."""
    attributes = _attributes("send", topic, len(traces))
    kind = tracing.SpanKind.PRODUCER
    return tracing.shared_span(f"send {topic}", traces, attributes, kind=kind)


def processing(
    topic: str, group: str, batch: Sequence[Envelope]
) -> AbstractContextManager[None]:
    """The span of one consumer group's work on a batch of events."""
    attributes = _attributes("process", topic, len(batch))
    attributes["messaging.consumer.group.name"] = group
    traces = [envelope.trace for envelope in batch]
    kind = tracing.SpanKind.CONSUMER
    return tracing.shared_span(f"process {topic}", traces, attributes, kind=kind)


def traces_of(events: Iterable[Mapping[str, Any]]) -> list[Trace]:
    """The traces of pending events; none are read while nobody records spans."""
    if not tracing.is_recording():
        return []
    values = (event["value"] for event in events)
    return [trace_in(orjson.loads(v) if isinstance(v, str) else v) for v in values]


def _attributes(operation: str, topic: str, count: int) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.batch.message_count": count,
    }
