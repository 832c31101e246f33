"""Marks answers that may be stale while the documents' engine is unavailable.

Reads are answered from memory. They show all that was written until the engine was
lost; other processes may have written since.
"""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.headers import STALE


class StaleMarker:
    """Adds `Callboard-Stale: <seconds>` to every answer from the first second on."""

    def __init__(self, app: ASGIApp, away_seconds: Callable[[], float]) -> None:
        self.app = app
        self.away_seconds = away_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = int(self.away_seconds()) if scope["type"] == "http" else 0
        if not seconds:
            await self.app(scope, receive, send)
            return
        mark = (STALE.encode(), str(seconds).encode())

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), mark]
            await send(message)

        await self.app(scope, receive, marked)
