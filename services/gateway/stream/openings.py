"""Opens live streams at a bounded rate, so that many at once hold nothing else up.

An opening is a millisecond of work in several steps, and the event loop takes one new
connection in each of its rounds: without pauses between openings, a connection waits
for the openings of all streams that came before it.
"""

import asyncio
from contextlib import ExitStack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STREAM = "/api/events/stream"
#: Streams that are being opened at a time; the next ones wait for their turn.
OPENINGS = 8
#: Seconds after an opening until its turn is free: 400 openings a second.
PAUSE_SECONDS = 0.02


class StreamOpenings:
    """ASGI middleware: a stream has a turn until its first bytes are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turns = asyncio.Semaphore(OPENINGS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != STREAM:
            await self._app(scope, receive, send)
            return
        await self._turns.acquire()
        with ExitStack() as turn:
            loop = asyncio.get_running_loop()
            turn.callback(loop.call_later, PAUSE_SECONDS, self._turns.release)

            async def send_opened(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.body":
                    turn.close()

            await self._app(scope, receive, send_opened)
