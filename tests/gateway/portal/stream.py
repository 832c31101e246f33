"""A twin of the gateway's event stream, in front of the portal, for browser tests."""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/api/events/stream"


class WithStream:
    """Answers the stream's path, hands the rest on; `tell` sends an event to all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._queues: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[bytes]]] = []

    @property
    def readers(self) -> int:
        return len(self._queues)

    def tell(self, topic: str, data: dict[str, Any]) -> None:
        """From any thread: an event of `topic` whose payload is `data`."""
        frame = f"event: {topic}\nid: 1\ndata: {json.dumps({'data': data})}\n\n"
        for loop, queue in list(self._queues):
            loop.call_soon_threadsafe(queue.put_nowait, frame.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        here = (asyncio.get_running_loop(), asyncio.Queue[bytes]())
        self._queues.append(here)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send(b"retry: 1000\n\n", send)
        gone = asyncio.ensure_future(_gone(receive))
        try:
            while not gone.done():
                frame = asyncio.ensure_future(here[1].get())
                await asyncio.wait({frame, gone}, return_when=asyncio.FIRST_COMPLETED)
                if frame.done():
                    await self._send(frame.result(), send)
                else:
                    frame.cancel()
        finally:
            gone.cancel()
            self._queues.remove(here)

    @staticmethod
    async def _send(body: bytes, send: Send) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": True}
        await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
