"""A twin of the gateway's event stream, in front of the portal, for browser tests."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.headers import POSITION

PATH = "/api/events/stream"


class WithStream:
    """Answers the stream's path, hands the rest on; `tell` sends an event to all.

    Who asks for what came `after` a position is told it first, as the real one does.
    """

    app: ASGIApp

    def __init__(self) -> None:
        self._queues: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[bytes]]] = []
        self._frames: list[bytes] = []

    @property
    def readers(self) -> int:
        return len(self._queues)

    def position(self) -> str:
        """The newest event's position."""
        return str(len(self._frames))

    def tell(self, topic: str, data: dict[str, Any]) -> None:
        """From any thread: an event of `topic` whose payload is `data`."""
        number, text = len(self._frames) + 1, json.dumps({"data": data})
        frame = f"event: {topic}\nid: {number}\ndata: {text}\n\n".encode()
        self._frames.append(frame)
        for loop, queue in list(self._queues):
            loop.call_soon_threadsafe(queue.put_nowait, frame)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            position = (POSITION.encode(), self.position().encode())
            passed = {**scope, "headers": [*scope.get("headers", ()), position]}
            await self.app(passed, receive, send)
            return
        reader = (asyncio.get_running_loop(), asyncio.Queue[bytes]())
        self._queues.append(reader)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        after = parse_qs(scope["query_string"].decode()).get("after")
        missed = self._frames[int(after[0]) :] if after else []
        await self._send(b"".join((b"retry: 1000\n\n", *missed)), send)
        disconnect = asyncio.ensure_future(_gone(receive))
        try:
            while not disconnect.done():
                frame = asyncio.ensure_future(reader[1].get())
                await asyncio.wait(
                    {frame, disconnect}, return_when=asyncio.FIRST_COMPLETED
                )
                if frame.done():
                    await self._send(frame.result(), send)
                else:
                    frame.cancel()
        finally:
            disconnect.cancel()
            self._queues.remove(reader)

    @staticmethod
    async def _send(body: bytes, send: Send) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": True}
        await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
