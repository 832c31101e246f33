"""Request bodies on their way to a service, with a limit of size."""

from collections.abc import AsyncIterator

from starlette.types import Receive

from services.gateway.forward.headers import Headers, find
from shared.contracts.errors import Invalid, TooLarge


class ClientGone(Exception):
    """The client disconnected before its request was answered."""


class RequestBody:
    """One request's body: bytes if it arrives in one message, else a stream.

    `failure` is the error that ended a stream; the client library hides it.
    """

    def __init__(self, headers: Headers, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._size = 0
        self.failure: Exception | None = None
        length = find(headers, b"content-length")
        self.complete = length in (None, b"0") and (
            find(headers, b"transfer-encoding") is None
        )
        if length is not None:
            self._check_length(length)

    def _check_length(self, length: bytes) -> None:
        if not length.isdigit():
            raise Invalid("content-length: must be a number")
        if int(length) > self._limit:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"body: over the limit of {self._limit} bytes")

    async def data(self) -> bytes | AsyncIterator[bytes] | None:
        """The body for the client library."""
        if self.complete:
            return None
        first, more = await self._next()
        return self._stream(first) if more else first

    async def _next(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body, more = message.get("body", b""), message.get("more_body", False)
        self._size += len(body)
        if self._size > self._limit:
            raise self._too_large()
        self.complete = not more
        return body, more

    async def _stream(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        more = True
        while more:
            try:
                chunk, more = await self._next()
            except (TooLarge, ClientGone) as error:
                self.failure = error
                raise
            yield chunk
