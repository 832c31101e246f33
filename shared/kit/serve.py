"""Runs one service's app in this process until it is told to stop."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from shared.kit import logs
from shared.kit.settings import ServiceSettings


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
        create_app(),
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
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening] if listening is not None else None)
