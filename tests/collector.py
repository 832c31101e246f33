"""A collector of spans for tests: a real HTTP server that reads OTLP as protobuf."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

PATH = "/v1/traces"
#: Trace contexts of callers: the W3C recommendation's example, and another one.
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-b7ad6b7169203331-01"


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """One span as the collector got it; ids are hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    is_error: bool
    attributes: Mapping[str, Any]


class Collector:
    """Keeps every span that arrives, and the headers of every request."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: list[Mapping[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == PATH
                assert self.headers["content-type"] == "application/x-protobuf"
                collector.headers.append(dict(self.headers.items()))
                collector.spans += read_spans(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = _Server(("127.0.0.1", port), Handler)
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[ReceivedSpan]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def close(self) -> None:
        """End as a process that is killed: the port and all connections are closed."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def hang_up(self) -> None:
        """Close what clients keep open."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A running collector."""
    collector = Collector(port)
    try:
        yield collector
    finally:
        collector.close()


def read_spans(body: bytes) -> list[ReceivedSpan]:
    """The spans of one request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        ReceivedSpan(
            service=str(_attributes(group.resource.attributes)["service.name"]),
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            is_error=span.status.code == span.status.STATUS_CODE_ERROR,
            attributes=_attributes(span.attributes),
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _attributes(pairs: Sequence[Any]) -> dict[str, Any]:
    values = ((pair.key, pair.value) for pair in pairs)
    return {key: getattr(value, value.WhichOneof("value")) for key, value in values}
