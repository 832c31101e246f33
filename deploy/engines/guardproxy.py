"""A reverse proxy that adds TLS and basic authentication to a server, for tests.

Run as `python -m deploy.engines.guardproxy CONFIGURATION_FILE`.
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
from shared.contracts.errors import Invalid
from shared.kit.http.replicas import upstream_url

ROOT = Path(__file__).resolve().parents[2]
#: Headers of a connection, which a proxy does not forward (RFC 9110, section 7.6.1).
HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "host"}
#: The proxy sets these headers itself.
DROPPED_HEADERS = HOP_HEADERS | {"authorization", "content-length"}
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
    """Start the proxy for `upstream`; it answers when this returns.

    Raises:
        EngineFailed: if it does not start.
    """
    settings = {
        "port": port,
        "upstream": upstream,
        "certificate": str(guard.certificate),
        "key": str(guard.key),
        "user": guard.user,
        "password": guard.password,
        "detached": detached,
    }
    file = processes.secret_file(folder / "guardproxy.json", json.dumps(settings))
    command = [sys.executable, "-m", "deploy.engines.guardproxy", str(file)]
    process = processes.start(command, log, folder=ROOT)
    processes.wait(process, lambda: answers(port), "The guarding proxy", log)
    return process


class PasswordProxy:
    """Forwards requests that have the right password."""

    def __init__(
        self, settings: dict[str, Any], session: aiohttp.ClientSession
    ) -> None:
        pair = f"{settings['user']}:{settings['password']}".encode()
        self._expected_header = f"Basic {base64.b64encode(pair).decode()}".encode()
        self._upstream = str(settings["upstream"])
        self._session = session

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """The upstream's response, or 401."""
        header = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(header, self._expected_header):
            challenge = {"WWW-Authenticate": 'Basic realm="engine"'}
            return web.Response(status=401, text="Unauthorized", headers=challenge)
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in DROPPED_HEADERS
        ]
        body = await request.read()
        try:
            url = upstream_url(self._upstream, request.raw_path)
            async with self._session.request(
                request.method, url, headers=headers, data=body or None
            ) as upstream_response:
                response_headers = [
                    (name, value)
                    for name, value in upstream_response.headers.items()
                    if name.lower() not in DROPPED_HEADERS
                ]
                content = await upstream_response.read()
        except Invalid as error:
            return web.Response(status=400, text=error.message)
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=type(error).__name__)
        response = web.Response(status=upstream_response.status, body=content)
        response.headers.clear()
        response.headers.extend(response_headers)
        return response


async def run(settings: dict[str, Any]) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings["certificate"], settings["key"])
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        app = web.Application(client_max_size=LIMIT)
        app.router.add_route(
            "*", "/{path:.*}", PasswordProxy(settings, session).forward
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(
            runner, "127.0.0.1", int(settings["port"]), ssl_context=context
        )
        await site.start()
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
