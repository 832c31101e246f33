"""A front for a server that cannot guard itself: TLS and basic authentication.

For tests alone. Run as `python -m deploy.engines.guardproxy CONFIGURATION_FILE`.
"""

import asyncio
import base64
import hmac
import json
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from deploy.engines import processes
from deploy.engines.engine import answers
from deploy.engines.security import ServerSecurity

ROOT = Path(__file__).resolve().parents[2]
#: They speak of one connection, not of what is carried over it (RFC 9110, 7.6.1).
HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "host"}
#: Its own are made anew, and what was packed is handed on as it was.
DROPPED = HOP | {"authorization", "content-length"}
LIMIT = 1 << 30


def start(
    folder: Path,
    log: Path,
    *,
    port: int,
    upstream: str,
    guard: ServerSecurity,
    detached: bool = False,
) -> subprocess.Popen[bytes]:
    """Start it before `upstream`; it answers when this returns.

    Raises:
        EngineFailed: if it does not start.
    """
    given = {
        "port": port,
        "upstream": upstream,
        "certificate": str(guard.certificate),
        "key": str(guard.key),
        "user": guard.user,
        "password": guard.password,
        "detached": detached,
    }
    file = processes.secret_file(folder / "guardproxy.json", json.dumps(given))
    command = [sys.executable, "-m", "deploy.engines.guardproxy", str(file)]
    process = processes.start(command, log, folder=ROOT)
    processes.wait(process, lambda: answers(port), "The guarding proxy", log)
    return process


class PasswordProxy:
    """Lets those pass who know the password."""

    def __init__(self, given: dict[str, Any], session: aiohttp.ClientSession) -> None:
        pair = f"{given['user']}:{given['password']}".encode()
        self._wanted = f"Basic {base64.b64encode(pair).decode()}".encode()
        self._upstream = str(given["upstream"])
        self._session = session

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """The upstream's answer, or 401."""
        said = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(said, self._wanted):
            challenge = {"WWW-Authenticate": 'Basic realm="engine"'}
            return web.Response(status=401, text="Unauthorized", headers=challenge)
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in DROPPED
        ]
        body = await request.read()
        where = f"{self._upstream}{request.raw_path}"
        try:
            async with self._session.request(
                request.method, where, headers=headers, data=body or None
            ) as answer:
                kept = [
                    (name, value)
                    for name, value in answer.headers.items()
                    if name.lower() not in DROPPED
                ]
                content = await answer.read()
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=type(error).__name__)
        response = web.Response(status=answer.status, body=content)
        response.headers.clear()
        response.headers.extend(kept)
        return response


async def run(given: dict[str, Any]) -> None:
    """Serve until SIGTERM, or until whoever started it ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given["certificate"], given["key"])
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        app = web.Application(client_max_size=LIMIT)
        app.router.add_route("*", "/{path:.*}", PasswordProxy(given, session).pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", int(given["port"]), ssl_context=context)
        await site.start()
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
