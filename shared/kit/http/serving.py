"""Runs one service's app in this process until a signal stops it."""

import asyncio
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.errors import Unavailable
from shared.kit.config.settings import ProcessSettings
from shared.kit.config.tracing import start_export
from shared.kit.http.connections import Bounds, ConnectionCensus, bounded_protocol
from shared.kit.http.error_responses import error_body
from shared.kit.observability import logs
from shared.kit.processes.privacy import forget_secrets, make_private
from shared.kit.processes.watchdog import Watchdog

#: Seconds that open requests may take after the signal to stop.
GRACE_SECONDS = 5
#: Seconds after which the whole process ends, whatever it waits for. Its work is as
#: safe as that of a killed process: another one continues it.
END_SECONDS = 14.0
#: Seconds in which the last spans must reach a collector.
EXPORT_SECONDS = 2.0
#: Seconds that a connection may be idle.
IDLE_SECONDS = 75
#: Limit of connections, beside that of open files without those that the process needs.
MOST_CONNECTIONS = 8192
OTHER_FILES = 256


def serve(
    name: str,
    create_app: Callable[[], FastAPI],
    settings: ProcessSettings,
    *,
    listening: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; open requests then have five seconds to end.

    The process ends at the latest `END_SECONDS` after the signal. `listening` is a
    socket that is bound already, so that no request is refused while the process
    starts.
    """
    logs.configure(name, settings.log_level)
    end_export = start_export(name, settings.config, os.environ)
    census = ConnectionCensus(connection_limit(), settings.connections_per_client)
    config = uvicorn.Config(
        Ending(create_app()),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=bounded_protocol(Bounds(), census),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=IDLE_SECONDS,
    )
    os.umask(0o077)
    make_private(settings.data)
    watchdog = Watchdog(name, settings.data / "watchdog", settings.port)
    watchdog.report()
    server = _Server(config, name, watchdog, end_export)
    server.run(sockets=[listening] if listening is not None else None)


def connection_limit() -> int:
    """The limit of connections, after raising that of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MOST_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(min(MOST_CONNECTIONS, soft - OTHER_FILES), soft // 2)


class _Server(uvicorn.Server):
    """A server that ends even if a task ignores its cancellation."""

    def __init__(
        self,
        config: uvicorn.Config,
        name: str,
        watchdog: Watchdog,
        end_export: Callable[[float], None] | None,
    ) -> None:
        super().__init__(config)
        self._end_export = end_export
        self._name = name
        self._watchdog = watchdog
        self._loop: asyncio.AbstractEventLoop | None = None
        self._overdue: threading.Timer | None = None
        self._exit_requested = asyncio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def main_loop(self) -> None:
        """Wait for the signal; uvicorn's own loop would wake up ten times a second."""
        await self._exit_requested.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # The secrets have been read; child processes need none.
            forget_secrets(os.environ)
            self._watchdog.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watchdog.stop()
        await super().shutdown(sockets)
        if self._end_export is not None:
            # Here, because the process ends by its signal when this returns.
            await asyncio.to_thread(self._end_export, EXPORT_SECONDS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._exit_requested.set)
        if self._overdue is None:
            self._overdue = threading.Timer(END_SECONDS, self._end)
            self._overdue.daemon = True
            self._overdue.start()

    def _end(self) -> None:
        try:
            tasks = asyncio.all_tasks(self._loop) if self._loop is not None else ()
            waits = [_place(task) for task in tasks]
            logs.get_logger(self._name).error("ended_by_force", waits_for=waits)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(1)


def _place(task: asyncio.Task[object]) -> str:
    """A task's name and its current line, for the log."""
    awaitable: object = task.get_coro()
    at = "its end"
    while (frame := getattr(awaitable, "cr_frame", None)) is not None:
        at = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
        awaitable = getattr(awaitable, "cr_await", None)
    return f"{task.get_name()} at {at}"


class Ending:
    """Answers 503 to a request that is cancelled because the process ends.

    The server would answer 500, although nothing is broken and a retry may succeed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if has_started:
                raise
            await _send_unavailable(scope, send)


async def _send_unavailable(scope: Scope, send: Send) -> None:
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
