"""A process whose event loop stands still ends, and the next one reports it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import ROOT, free_port
from tests.waiting import until_now

#: A service with routes that block its loop, by computing or by waiting.
SERVICE = """
import re, sys, time
from pathlib import Path
from types import SimpleNamespace
from shared.kit.http import serving
from shared.kit.processes import watchdog
from shared.kit.http.apps import make_app

watchdog.LIMIT_SECONDS, watchdog.BEAT_SECONDS = 2.0, 0.4

def create_app():
    app = make_app("still")

    @app.get("/compute")
    async def compute():
        # Holds Python's lock for ever.
        re.match("(a+)+b", "a" * 60)

    @app.get("/wait")
    async def wait():
        time.sleep(3600)

    @app.get("/work")
    async def work():
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            pass

    return app

settings = SimpleNamespace(
    log_level="info",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    connections_per_client=10,
    data=Path(sys.argv[2]),
    config=Path(sys.argv[2]) / "app-config.yaml",
)
serving.serve("still", create_app, settings)
"""


class Service:
    """The process, and its responses."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.data = data
        self.log = data / "log"
        self.start()

    def start(self) -> None:
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVICE, str(self.port), str(self.data)],
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
        until_now(self.answers, "the service")

    def answers(self) -> bool:
        try:
            return b"ok" in self.get("/healthz")
        except OSError:
            return False

    def get(self, path: str) -> bytes:
        address = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=5) as response:
            body: bytes = response.read()
            return body

    def send(self, path: str) -> None:
        """Send a request without waiting for the response."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def ended(self, seconds: float) -> int | None:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def reports(self) -> list[dict[str, Any]]:
        """The log lines of this process about the end of the previous one."""
        lines = self.log.read_bytes()[self.log_start :].decode().splitlines()
        return [json.loads(line) for line in lines if "stood_still" in line]

    def restarts(self) -> float:
        lines = self.get("/metrics").decode().splitlines()
        name = "callboard_loop_stood_still_total "
        return next(float(line.split()[1]) for line in lines if line.startswith(name))


@contextmanager
def running(data: Path) -> Iterator[Service]:
    data.mkdir()
    service = Service(data)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.wait()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path / "service") as service:
        yield service


@pytest.fixture
def blocked_service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path / "blocked") as service:
        yield service


@pytest.mark.parametrize("blocking", ["compute", "wait"])
def test_a_blocked_event_loop_ends_its_process(service: Service, blocking: str) -> None:
    """Also while no Python thread can run; the next process reports the stack."""
    for count in (1, 2):
        service.send(f"/{blocking}")
        assert service.ended(60) not in (None, 0)
        service.start()
        (line,) = service.reports()
        assert f"in {blocking}" in line["stack"]
        assert line["level"] == "error"
        assert service.restarts() == count


def test_work_below_the_limit_ends_no_process(service: Service) -> None:
    """However often the loop is blocked for less than the limit."""
    for _ in range(4):
        service.get("/work")
    assert service.answers()
    assert service.restarts() == 0


def test_a_suspended_process_is_not_taken_for_blocked(
    service: Service, blocked_service: Service
) -> None:
    """A laptop that slept, or an operator's SIGSTOP: the loop is not at fault."""
    os.kill(service.process.pid, signal.SIGSTOP)
    # The limit has passed when the watchdog of a blocked process has ended it.
    blocked_service.send("/wait")
    assert blocked_service.ended(60) not in (None, 0)
    os.kill(service.process.pid, signal.SIGCONT)
    until_now(service.answers, "the service")
    assert service.ended(2.5) is None
    assert service.answers()


def test_a_service_that_is_stopped_leaves_no_report(service: Service) -> None:
    """The next process has nothing to report."""
    service.process.send_signal(signal.SIGTERM)
    assert service.ended(30) in (0, -signal.SIGTERM)
    assert list((service.data / "watchdog").iterdir()) == []
    service.start()
    assert service.reports() == []
