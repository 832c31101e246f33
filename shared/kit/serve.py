"""Runs one service's app in this process until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.errors import Unavailable
from shared.kit import logs
from shared.kit.settings import ServiceSettings
from shared.kit.web import error_body

#: How long open requests may take once the process was told to stop.
GRACE_SECONDS = 5


def serve(
    name: str,
    create_app: Callable[[], FastAPI],
    settings: ServiceSettings,
    *,
    listening: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; open requests are given five seconds to end.

    `listening` is a socket that somebody bound before: then no request is refused
    while the process starts.
    """
    logs.configure(name, settings.log_level)
    config = uvicorn.Config(
        Ending(create_app()),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening] if listening is not None else None)


class Ending:
    """Answers 503 to a request whose time is over because the process ends.

    The server would answer 500: but nothing is broken, and it may be asked again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:
            if begun:
                raise
            await _too_late(scope, send)


async def _too_late(scope: Scope, send: Send) -> None:
    error = Unavailable("This process is being stopped; ask again", retry_after=1)
    body = error_body(
        error.name, error.message, scope["method"], scope["path"], error.status
    )
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(error.retry_after).encode()),
    ]
    start = {"type": "http.response.start", "status": error.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
