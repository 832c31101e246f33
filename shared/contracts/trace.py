"""The context of a trace by W3C Trace Context's names: in headers, events, documents.

CloudEvents' extension for distributed tracing has the same two attributes.
"""

from collections.abc import Mapping
from typing import Any

Trace = Mapping[str, str]
TRACE_FIELDS = ("traceparent", "tracestate")


def trace_in(values: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a trace's context among others; none: no trace is known."""
    return {name: values[name] for name in TRACE_FIELDS if values.get(name)}
