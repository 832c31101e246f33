"""Opens live streams at a bounded rate, so that many at once hold nothing else up.

An opening is a millisecond of work in several steps, and the event loop takes one new
connection in each of its rounds: without pauses between openings, a connection waits
for the openings of all streams that came before it.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAM = "/api/events/stream"
#: Streams that are being opened at a time; the next ones wait for their turn.
OPENINGS = 8
#: Seconds after an opening until its turn is free: 400 openings a second.
PAUSE_SECONDS = 0.02
#: Seconds that an opening has its turn, whatever it waits for.
LONGEST_SECONDS = 1.0


class StreamOpenings:
    """ASGI middleware: a stream has a turn until its first bytes are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(OPENINGS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_opening(scope):
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        first = await receive()
        if await _is_gone(receive):
            # Who hangs up while it waits costs the next one no pause.
            self._turns.release()
            return
        turn = _Turn(self._turns)
        messages = [first]

        async def receive_again() -> Message:
            return messages.pop() if messages else await receive()

        async def send_opened(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body":
                turn.end()

        try:
            await self._app(scope, receive_again, send_opened)
        finally:
            turn.end()


class _Turn:
    """One opening's turn, which ends once and frees its place after a pause."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._limit = self._loop.call_later(LONGEST_SECONDS, self.end)
        self._is_ended = False

    def end(self) -> None:
        """End it, unless it has ended."""
        if not self._is_ended:
            self._is_ended = True
            self._limit.cancel()
            self._loop.call_later(PAUSE_SECONDS, self._turns.release)


def _is_opening(scope: Scope) -> bool:
    """Whether a request may open a stream: its body, if any, could be late."""
    if scope["type"] != "http" or scope["path"] != STREAM or scope["method"] != "GET":
        return False
    return not any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _is_gone(receive: Receive) -> bool:
    """Whether the client has hung up; after its whole request nothing else comes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            message = await receive()
            return bool(message["type"] == "http.disconnect")
    return False
