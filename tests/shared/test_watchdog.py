"""A process whose event loop stands still ends, and the next one says so."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.system import ROOT, free_port
from tests.waiting import until_now

#: A service that stands still when it is asked to: computing, or waiting.
SERVICE = """
import re, sys, time
from pathlib import Path
from types import SimpleNamespace
from shared.kit.http import serving
from shared.kit.processes import watchdog
from shared.kit.http.apps import make_app

watchdog.LIMIT_SECONDS, watchdog.BEAT_SECONDS = 2.0, 0.4

def made():
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

told = SimpleNamespace(
    log_level="info",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    connections_per_client=10,
    data=Path(sys.argv[2]),
    config=Path(sys.argv[2]) / "app-config.yaml",
)
serving.serve("still", made, told)
"""


class Service:
    """The process, and what it answers."""

    def __init__(self, data: Path) -> None:
        self.port = free_port()
        self.data = data
        self.log = data / "log"
        self.start()

    def start(self) -> None:
        self.began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVICE, str(self.port), str(self.data)],
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
        until_now(self.answers, 30, "the service")

    def answers(self) -> bool:
        try:
            return b"ok" in self.get("/healthz")
        except OSError:
            return False

    def get(self, path: str) -> bytes:
        address = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            found: bytes = answer.read()
            return found

    def send(self, path: str) -> None:
        """Ask, and do not wait for an answer."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def ended(self, seconds: float) -> int | None:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def told(self) -> list[dict[str, Any]]:
        """What this process says of the one before."""
        lines = self.log.read_bytes()[self.began :].decode().splitlines()
        return [json.loads(line) for line in lines if "stood_still" in line]

    def restarts(self) -> float:
        lines = self.get("/metrics").decode().splitlines()
        name = "callboard_loop_stood_still_total "
        return next(float(line.split()[1]) for line in lines if line.startswith(name))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.process.kill()
    service.process.wait()


@pytest.mark.parametrize("how", ["compute", "wait"])
def test_a_loop_that_stands_still_ends_its_process(service: Service, how: str) -> None:
    """Also where no thread of Python's gets a turn; the next process tells where."""
    for time_over in (1, 2):
        service.send(f"/{how}")
        assert service.ended(60) not in (None, 0)
        service.start()
        (line,) = service.told()
        assert f"in {how}" in line["stack"]
        assert line["level"] == "error"
        assert service.restarts() == time_over


def test_work_that_ends_is_let_be(service: Service) -> None:
    """Less than the limit at a time, however often."""
    for _ in range(4):
        service.get("/work")
    assert service.answers()
    assert service.restarts() == 0


def test_a_suspended_process_does_not_stand_still(service: Service) -> None:
    """A laptop that slept, or an operator's SIGSTOP: nothing is wrong with the loop."""
    os.kill(service.process.pid, signal.SIGSTOP)
    # The very thing that is tested: more time than the limit's two seconds goes by, and
    # the process has none of it. A process that is stopped has no event to wait for.
    time.sleep(3.0)
    os.kill(service.process.pid, signal.SIGCONT)
    until_now(service.answers, 10, "the service")
    assert service.ended(2.5) is None
    assert service.answers()


def test_a_service_that_is_stopped_leaves_nothing_to_tell(service: Service) -> None:
    """Whoever follows has no predecessor that stood still."""
    service.process.send_signal(signal.SIGTERM)
    assert service.ended(30) in (0, -signal.SIGTERM)
    assert list((service.data / "watchdog").iterdir()) == []
    service.start()
    assert service.told() == []
