"""HEAD of every route that answers GET: the same status and headers, and no body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Lets an app answer HEAD as it answers GET, up to the headers.

    It stands at the router: what limits and permits requests still sees HEAD.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        # A stream never ends by itself, and nobody gets what a file holds.
        until_headers = asyncio.timeout(None)

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                until_headers.reschedule(asyncio.get_running_loop().time())

        try:
            async with until_headers:
                await self._app({**scope, "method": "GET"}, receive, send_headers)
        except TimeoutError:
            if not until_headers.expired():
                raise
