"""Limits on requests before anything reads them; what is refused is read to its end."""

import re
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.errors import CallboardError, Invalid, TooLarge
from shared.contracts.headers import REQUEST_ID
from shared.guards.cookies import are_plain, plain_cookies
from shared.guards.numbers import whole_number
from shared.kit.http.error_responses import error_response
from shared.kit.observability import logs, tracing

BODY_LIMIT = 10 * 1024 * 1024
#: Of an address; each is read into a list more than once on its way. Of a form too.
MOST_PARAMETERS = 2_000
CORRELATION = re.compile(r"[\w.:-]{1,80}")
FORM = b"application/x-www-form-urlencoded"


class PackedBody(CallboardError):
    """A body that would have to be unpacked first."""

    name = "InputError"
    status = 415

    def __init__(self) -> None:
        super().__init__("content-encoding: bodies are taken as they are, not packed")


def _id(headers: Mapping[bytes, bytes]) -> str | None:
    """The id that the client gave the request, if it is one."""
    text = headers.get(REQUEST_ID.encode(), b"").decode("latin-1")
    return text if CORRELATION.fullmatch(text) else None


class RequestLimits:
    """Binds the request's trace, refuses bodies and addresses that are too large."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not are_plain(scope["headers"]):
            # FastAPI reads the cookies of every request, whether a route asks or not.
            scope = {**scope, "headers": plain_cookies(scope["headers"])}
        headers = dict(scope["headers"])
        if scope.get("query_string", b"").count(b"&") >= MOST_PARAMETERS:
            too_many = Invalid(f"query: at most {MOST_PARAMETERS} parameters")
            await error_response(Request(scope), too_many)(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and whole_number(length.decode(), limit=self.limit) is None:
            await self._too_large(scope, receive, send)
            return
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            # What it unpacks to has no bound, and no client of ours packs.
            refused = error_response(Request(scope), PackedBody())
            await refused(scope, receive, send)
            return
        with tracing.request_trace(scope["headers"]), logs.correlated(_id(headers)):
            if b"content-length" not in headers and b"transfer-encoding" not in headers:
                await self.app(scope, receive, send)
                return
            is_form = headers.get(b"content-type", b"").lower().startswith(FORM)
            body = _RequestBody(receive, send, self.limit, is_form=is_form)
            await self.app(scope, body.receive, body.send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(f"body: over the limit of {self.limit} bytes")
        await error_response(Request(scope), error)(scope, receive, send)


class _RequestBody:
    """A body that is counted as it comes in, and read to its end before an answer.

    A client that is still writing would not read why it was refused: its connection
    breaks off when this side closes it.
    """

    def __init__(
        self, receive: Receive, send: Send, limit: int, *, is_form: bool
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._fields_left = MOST_PARAMETERS if is_form else None
        self._size = 0
        self._is_complete = False

    async def receive(self) -> Message:
        """The next part of the body.

        Raises:
            TooLarge: if the body is over the limit.
            HTTPException: if a form has too many fields, before they are taken apart.
        """
        message = await self._next()
        if self._size > self._limit:
            raise TooLarge(f"body: over the limit of {self._limit} bytes")
        if self._fields_left is not None:
            chunk: bytes = message.get("body", b"")
            self._fields_left -= chunk.count(b"&") + chunk.count(b";")
            if self._fields_left < 0:
                raise HTTPException(413, f"form: at most {MOST_PARAMETERS} fields")
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on; the first once the body is read."""
        while not self._is_complete and self._size <= self._limit:
            await self._next()
        await self._send(message)

    async def _next(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        return message
