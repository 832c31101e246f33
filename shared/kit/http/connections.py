"""The HTTP connections of a service, with limits of size, number and time.

uvicorn stores all bytes that a client sends until the headers are complete, and waits
for a slow client for ever. This protocol limits the bytes that the parser has not
delivered yet, the number of headers, the time for headers and body, and the number of
connections, and closes a connection whose response is not read. Each connection has one
timer for its limits.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Literal

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared.kit.http.error_responses import error_body

REFUSED = Counter(
    "callboard_connections_refused_total",
    "Connections that were closed because a client exceeded a limit",
    ["reason"],
)
#: The errors that are sent before the connection is closed.
ERRORS = {
    400: ("InputError", "The request is not HTTP/1.1"),
    414: ("InputError", "The request line is too long"),
    431: ("InputError", "The headers are too large or too many"),
    503: ("ServiceUnavailableError", "Too many connections; try again later"),
}
#: The message of a 400 for a target that, after an address, could name another host.
BAD_TARGET = (
    "The request target must be a path that begins with /, or http://HOST and a path "
    "(RFC 9112, section 3.2)"
)
#: A target in absolute form: its authority, then path and query.
ABSOLUTE_FORM = re.compile(rb"https?://([^/?#@\\]+)([/?].*)?", re.IGNORECASE)
#: After a refusal, so many bytes are still read and dropped, for so many seconds: a
#: client that is still writing would otherwise never read the reason.
LINGER_BYTES = 1024 * 1024
LINGER_SECONDS = 2.0

#: Only the reason in the metric; no response is sent.
LATE = 408

Phase = Literal["idle", "head", "body"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one connection, in bytes and seconds."""

    head_bytes: int = 64 * 1024
    line_bytes: int = 32 * 1024
    headers: int = 256
    #: For the request line and the headers.
    head_seconds: float = 20.0
    #: For a body: so many seconds, one more for each `body_rate` bytes, up to a total.
    body_seconds: float = 20.0
    body_rate: int = 4 * 1024
    body_total_seconds: float = 600.0
    #: Seconds in which a client must read some of its response.
    unread_seconds: float = 30.0
    #: Seconds between two checks of a connection.
    check_seconds: float = 10.0


class ConnectionCensus:
    """The open connections by the address of their client.

    A connection beyond `total`, or beyond `per_client`, replaces the oldest idle
    connection of its client, or of the one with the most; without any it is refused.
    """

    def __init__(self, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._count = 0
        self._by_client: dict[str, dict[BoundedProtocol, None]] = {}

    def admit(self, connection: "BoundedProtocol", client: str) -> bool:
        """Count a new connection; False if it is refused."""
        own = self._by_client.setdefault(client, {})
        if len(own) >= self._per_client:
            candidates = own
        elif self._count >= self._total:
            candidates = max(self._by_client.values(), key=len)
        else:
            candidates = None
        if candidates is not None:
            idle = next(_idle(candidates), None)
            if idle is None:
                self._drop_empty(client)
                return False
            idle.give_way()
        own[connection] = None
        self._by_client[client] = own
        self._count += 1
        return True

    def leave(self, connection: "BoundedProtocol", client: str) -> None:
        """Count an admitted connection as closed; a second call does nothing."""
        own = self._by_client.get(client, {})
        if connection in own:
            del own[connection]
            self._count -= 1
            self._drop_empty(client)

    def _drop_empty(self, client: str) -> None:
        if not self._by_client.get(client):
            self._by_client.pop(client, None)


def _idle(candidates: "dict[BoundedProtocol, None]") -> "Iterator[BoundedProtocol]":
    return (connection for connection in candidates if connection.is_waiting)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol within `bounds`; `census` counts its connections."""

    bounds: ClassVar[Bounds]
    census: ClassVar[ConnectionCensus]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase: Phase = "head"
        self._since = self._body_since = self._unread_since = self.loop.time()
        self._body_bytes = self._unread = 0
        #: Bytes inside the parser, and whether it delivered some of the last ones.
        self._pending = 0
        self._delivered = False
        self._error_status = 400
        self._error_message: str | None = None
        self._lingering: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether no request of this connection is being answered."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self._phase != "body" and self._lingering is None

    def give_way(self) -> None:
        """Close an idle connection in favour of another one."""
        REFUSED.labels("replaced").inc()
        self.census.leave(self, self._client)
        self.transport.close()

    @property
    def _client(self) -> str:
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.census.admit(self, self._client):
            self._refuse(503)
            return
        self._timer = self.loop.call_later(self.bounds.head_seconds, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.census.leave(self, self._client)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse in pieces of at most the size that the parser may store."""
        if self._lingering is not None:
            self._discard(len(data))
            return
        limit = self.bounds.head_bytes
        while data and self._lingering is None:
            chunk = (
                data
                if self._pending + len(data) <= limit
                else (data[: limit - self._pending])
            )
            data = data[len(chunk) :]
            self._parse(chunk)
            self._pending = 0 if self._delivered else self._pending + len(chunk)
            if self._pending >= limit:
                self._refuse(431)

    def _parse(self, chunk: bytes) -> None:
        self._delivered = False
        try:
            self.parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            # Upgrades are not supported: the request is answered as it is.
            self._delivered = True
        except httptools.HttpParserError:
            self._refuse(self._error_status)

    def on_message_begin(self) -> None:
        """Begin the time for headers at the first byte of a request."""
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._phase, self._since = "head", self.loop.time()

    def on_headers_complete(self) -> None:
        self._delivered = True
        self._unset_keepalive_if_required()
        bounds = self.bounds
        if len(self.url) > bounds.line_bytes:
            self._stop_parsing(414)
        if len(self.headers) > bounds.headers:
            self._stop_parsing(431)
        if self.cycle is not None and not self.cycle.response_complete:
            # One request at a time; the client may send the next one again.
            self._stop_parsing(400)
        if self.url[:1] != b"/":
            self._take_absolute_form()
        super().on_headers_complete()
        # The service has its own list of headers; trailers are not supported.
        self.headers = []
        self._phase = "body"
        self._since = self._body_since = self.loop.time()
        self._body_bytes = 0

    def _take_absolute_form(self) -> None:
        """Take host and path from a target in absolute form (RFC 9112, section 3.2.2).

        A target in any other form is refused: nobody asks a service by one.
        """
        absolute_form = ABSOLUTE_FORM.fullmatch(self.url)
        if absolute_form is None:
            self._error_message = BAD_TARGET
            self._stop_parsing(400)
            return
        authority, path = absolute_form[1], absolute_form[2] or b"/"
        self.url = path if path.startswith(b"/") else b"/" + path
        self.headers[:] = [pair for pair in self.headers if pair[0] != b"host"]
        self.headers.append((b"host", authority))

    def on_body(self, body: bytes) -> None:
        self._delivered = True
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._delivered = True
        self._phase = "idle"
        super().on_message_complete()

    def _stop_parsing(self, status: int) -> None:
        self._error_status = status
        # The parser converts an exception of a callback to its own error.
        raise ValueError(HTTPStatus(status).phrase)

    def _check(self) -> None:
        """Close the connection if its client is late; else check again later."""
        now = self.loop.time()
        if self._is_unread(now):
            REFUSED.labels("unread").inc()
            self.transport.abort()
            return
        seconds_left = self._seconds_left(now)
        if seconds_left <= 0:
            self._refuse(LATE)
            seconds_left = self.bounds.check_seconds
        wait = max(min(seconds_left, self.bounds.check_seconds), 0.01)
        self._timer = self.loop.call_later(wait, self._check)

    def _is_unread(self, now: float) -> bool:
        """Whether the client has read nothing of its response for too long."""
        size = self.transport.get_write_buffer_size()
        if not size or size != self._unread:
            self._unread, self._unread_since = size, now
        return size > 0 and now - self._unread_since >= self.bounds.unread_seconds

    def _seconds_left(self, now: float) -> float:
        bounds = self.bounds
        if self._phase == "idle" or self._lingering is not None:
            return bounds.check_seconds
        if self.flow.read_paused:
            # The service has paused reading; the client is not late.
            self._since = self._body_since = now
        if self._phase == "head":
            return self._since + bounds.head_seconds - now
        earned = bounds.body_seconds + self._body_bytes / bounds.body_rate
        total = self._body_since + bounds.body_total_seconds
        return min(self._since + earned, total) - now

    def _refuse(self, status: int) -> None:
        """Send the error, unless another response is being sent, and close."""
        if self._lingering is not None:
            return
        self._lingering = 0
        REFUSED.labels(HTTPStatus(status).phrase).inc()
        cycle = self.cycle
        is_answering = cycle is not None and not cycle.response_complete
        if is_answering and self._phase != "body":
            # The response to an earlier request is the last one.
            cycle.keep_alive = False
            return
        # A late client may be gone, or read the error as response to its next request.
        is_silent = status == LATE
        if is_answering:
            is_silent = is_silent or cycle.response_started
            cycle.disconnected = True
            cycle.message_event.set()
        elif self._phase == "body":
            is_silent = True
        if not is_silent:
            self._write_error(status)
        if is_silent or status == 503:
            self.transport.close()
            return
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _write_error(self, status: int) -> None:
        name, message = ERRORS[status]
        message = self._error_message or message
        method = self.scope.get("method", "") if self.scope else ""
        body = error_body(name, message, method, "", status)
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json; charset=utf-8\r\n"
            + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            + body
        )

    def _discard(self, count: int) -> None:
        self._lingering = (self._lingering or 0) + count
        if self._lingering > LINGER_BYTES:
            self.transport.abort()


def bounded_protocol(bounds: Bounds, census: ConnectionCensus) -> type[BoundedProtocol]:
    """The protocol of one server with its limits and its count of connections."""

    class Protocol(BoundedProtocol):
        """The protocol of this server."""

    Protocol.bounds, Protocol.census = bounds, census
    return Protocol
