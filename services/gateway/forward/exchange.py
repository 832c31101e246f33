"""One request passed to a service and its answer passed back, for as long as it lasts.

Plain ASGI on purpose: no framework objects on the way of most requests. Bodies stream
both ways; what a service answers is passed on as it is.
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

#: After this long the gateway looks whether the client is still there.
WATCH_AFTER_SECONDS = 0.25


async def exchange(
    upstream: Upstream,
    request: ServiceRequest,
    body: RequestBody,
    receive: Receive,
    reply: Reply,
) -> None:
    """Ask a service, and end that as soon as the client has left.

    Raises:
        CallboardError: if the service does not answer, or the body is too large.
        ClientGone: if the client leaves while its body is read.
    """
    task = asyncio.current_task()
    watch = _ClientWatch(receive, body, task)
    try:
        await upstream.ask(request, body, reply)
    except asyncio.CancelledError:
        if not watch.gone or task is None:
            raise
        # Our own doing: the client left, and with it the reason to go on.
        task.uncancel()
    finally:
        watch.stop()


def trace_of(headers: hdr.Headers) -> list[tuple[str, str]]:
    """The headers by which a request's trace goes on in the service."""
    fields = tracing.fields()
    request_id = hdr.text(headers, REQUEST_ID.encode())
    if request_id is None or not CORRELATION.fullmatch(request_id):
        request_id = fields["traceparent"][3:35]
    return [*fields.items(), (REQUEST_ID, request_id)]


class ClientReply(Reply):
    """The answer to the client, begun at most once."""

    def __init__(self, send: Send, began: Callable[[int], None]) -> None:
        self._send = send
        self._answered = began
        self.started = False

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        self._answered(status)
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
        """Answer with words for people."""
        body = text.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", str(retry_after).encode()),
        ]
        await self.start(status, headers)
        await self.body(body, more=False)


class _ClientWatch:
    """Cancels a request that takes long once its client has left."""

    def __init__(
        self, receive: Receive, body: RequestBody, task: asyncio.Task[Any] | None
    ) -> None:
        self._receive = receive
        self._body = body
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)
        self.gone = False

    def _begin(self) -> None:
        # While the body is being read, its reader is told of a client that leaves.
        if self._body.complete:
            self._watching = self._loop.create_task(self._watch())
        else:
            self._timer = self._loop.call_later(WATCH_AFTER_SECONDS, self._begin)

    async def _watch(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
        self.gone = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """The request is answered."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()
