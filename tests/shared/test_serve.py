"""A process that is told to stop, and the requests that it does not get to."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.kit.http.serving import Ending
from tests.e2e.system import ROOT, free_port
from tests.waiting import until_now

SCOPE = {"type": "http", "method": "GET", "path": "/entities"}


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def cut_off(begins: bool) -> list[Any]:
    """What a client hears whose request is cut off; `begins`: after the headers."""
    heard: list[Any] = []
    waiting = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begins:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        waiting.set()
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        heard.append(message)

    asking = asyncio.create_task(Ending(app)(SCOPE, receive, send))
    await waiting.wait()
    asking.cancel()
    if begins:
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        await asking
    return heard


async def test_a_cancelled_request_answers_503() -> None:
    """With Retry-After, not 500: nothing is broken."""
    start, body = await cut_off(begins=False)
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"1"
    error = orjson.loads(body["body"])["error"]
    assert error["name"] == "ServiceUnavailableError"


async def test_a_cancelled_response_breaks_the_connection() -> None:
    """The client must not take it for complete."""
    (start,) = await cut_off(begins=True)
    assert start["status"] == 200


#: A service with a task that does not hear that it was cancelled.
DEAF = """
import asyncio, contextlib, sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from shared.kit.http import serving
from shared.kit.http.apps import make_app

serving.END_SECONDS = 1.0

async def deaf():
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

@asynccontextmanager
async def lifespan(app):
    task = asyncio.create_task(deaf(), name="the deaf one")
    yield
    task.cancel()
    await task

told = SimpleNamespace(
    log_level="info",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    connections_per_client=10,
    data=Path(sys.argv[2]),
    config=Path(sys.argv[2]) / "app-config.yaml",
)
serving.serve("deaf", lambda: make_app("deaf", lifespan=lifespan), told)
"""


def test_a_process_that_does_not_stop_is_ended_by_force(tmp_path: Path) -> None:
    """The log says what it was waiting for."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF, str(port), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until_now(lambda: answers(port) or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1, printed
    lines = [json.loads(line) for line in printed.splitlines() if "by_force" in line]
    assert "the deaf one at sleep" in str(lines[0]["waits_for"])
