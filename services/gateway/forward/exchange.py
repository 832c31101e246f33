"""Sends one request to a service and its response to the client.

It is plain ASGI, without framework objects, because most requests pass here. Bodies are
streamed in both directions; the response is passed on unchanged.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from services.gateway.forward import headers as hdr
from services.gateway.forward.bodies import RequestBody
from services.gateway.forward.upstreams import Reply, ServiceRequest, Upstream
from shared.contracts.errors import CallboardError
from shared.contracts.headers import REQUEST_ID
from shared.kit.http.error_responses import error_body
from shared.kit.http.request_limits import CORRELATION
from shared.kit.observability import tracing

#: Seconds after which the gateway watches whether the client is still connected.
WATCH_AFTER_SECONDS = 0.25


async def exchange(
    upstream: Upstream,
    request: ServiceRequest,
    body: RequestBody,
    receive: Receive,
    reply: Reply,
) -> None:
    """Send the request, and cancel it when the client disconnects.

    Raises:
        CallboardError: if the service does not answer, or the body is too large.
        ClientGone: if the client disconnects while its body is read.
    """
    task = asyncio.current_task()
    watch = _ClientWatch(receive, body, task)
    try:
        await upstream.ask(request, body, reply)
    except asyncio.CancelledError:
        if not watch.has_left or task is None:
            raise
        # The watch cancelled the request, because the client has disconnected.
        task.uncancel()
    finally:
        watch.stop()


def trace_of(headers: hdr.Headers) -> list[tuple[str, str]]:
    """The headers that continue a request's trace in the service."""
    fields = tracing.fields()
    request_id = hdr.text(headers, REQUEST_ID.encode())
    if request_id is None or not CORRELATION.fullmatch(request_id):
        request_id = fields.get("traceparent", "")[3:35]
    return [*fields.items(), (REQUEST_ID, request_id)]


class ClientReply(Reply):
    """The response to the client, started at most once."""

    def __init__(self, send: Send, note_status: Callable[[int], None]) -> None:
        self._send = send
        self._note_status = note_status
        self.started = False

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        self._note_status(status)
        await self._send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )

    async def body(self, chunk: bytes, *, more: bool) -> None:
        await self._send(
            {"type": "http.response.body", "body": chunk, "more_body": more}
        )

    async def error(self, error: CallboardError, scope: Scope, url: str) -> None:
        body = error_body(error.name, error.message, scope["method"], url, error.status)
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        retry = getattr(error, "retry_after", None)
        if retry is not None:
            headers.append((b"retry-after", str(retry).encode()))
        await self.start(error.status, headers)
        await self.body(body, more=False)

    async def text(self, status: int, text: str, *, retry_after: int) -> None:
        """Send a response with text for people."""
        body = text.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(retry_after).encode()),
        ]
        await self.start(status, headers)
        await self.body(body, more=False)


class _ClientWatch:
    """Cancels a slow request when its client has disconnected."""

    def __init__(
        self, receive: Receive, body: RequestBody, task: asyncio.Task[Any] | None
    ) -> None:
        self._receive = receive
        self._body = body
        self._task = task
        self._watch_task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)
        self.has_left = False

    def _begin(self) -> None:
        # While the body is being read, its reader gets the disconnection.
        if self._body.complete:
            self._watch_task = self._loop.create_task(self._watch())
        else:
            self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)

    async def _watch(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
        self.has_left = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """Stop watching, because the request is answered."""
        self._timer.cancel()
        if self._watch_task is not None:
            self._watch_task.cancel()
