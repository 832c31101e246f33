"""A service begins anew while engines are ill, and however often."""

import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from deploy.embedded import child
from deploy.embedded.rundata import SERVICES, RunData
from tests.e2e.running import Portal
from tests.faults.driver.deployment import documents_of
from tests.faults.victims import agreed, back, kill, well
from tests.waiting import until_now

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

ROUNDS = 3


def environment(portal: Portal, port: int) -> dict[str, str]:
    """What the supervisor tells a service on embedded engines."""
    data, run = RunData(portal.data), portal.run
    urls = {
        f"CALLBOARD_{service.upper()}_URL": run["addresses"][service]
        for service in SERVICES
    }
    return {
        **urls,
        **data.environment(),
        "CALLBOARD_KAFKA": run["addresses"]["broker"],
        "CALLBOARD_MONGODB": documents_of(portal),
        "CALLBOARD_CONFIG": run["config"],
        "CALLBOARD_DATA": str(portal.data),
        "CALLBOARD_SERVICE_SECRET": data.secret(),
        "CALLBOARD_PORT": str(port),
    }


def is_ready(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/readyz", timeout=3).status_code == 200
    return False


def test_a_fresh_process_serves_on_the_socket_it_is_given(
    portal: Portal, tmp_path: Path
) -> None:
    """It replaces a forked one while an engine starts; told to stop, it ends well."""
    log = tmp_path / "catalog.log"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = int(listening.getsockname()[1])
        pid = child.spawn("catalog", listening, environment(portal, port), log)
    url = f"http://127.0.0.1:{port}"
    try:
        until_now(lambda: is_ready(url), "the fresh catalog")
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGTERM}, log.read_text()


def test_no_process_is_forked_while_an_engine_starts(portal: Portal) -> None:
    """A service that dies meanwhile is started as a fresh process, and at once.

    A forked child once kept the pipe on which the engine's start had to wait, so that
    the engine was never noted as started.
    """
    before = agreed(portal)
    old_pid = kill(portal, "documents")
    with stopped(portal, old_pid, b"deploy.embedded.documents"):
        dead = kill(portal, "techdocs")
        until_now(lambda: portal.run["pids"]["techdocs"] != dead, "another")
        command = Path(f"/proc/{portal.run['pids']['techdocs']}/cmdline").read_bytes()
    assert b"deploy.embedded.child" in command
    back(portal, "documents", old_pid)
    assert agreed(portal) == before


@contextmanager
def stopped(portal: Portal, old_pid: int, command: bytes) -> Iterator[None]:
    """The next process of this kind that the supervisor starts stands still at once."""
    supervisor = portal.run["pids"]["supervisor"]

    def started_pid() -> int | None:
        for tasks in Path(f"/proc/{supervisor}/task").glob("*/children"):
            for pid in map(int, tasks.read_text().split()):
                with suppress(OSError):
                    line = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if pid != old_pid and command in line:
                        return pid
        return None

    pid = until_now(started_pid, "the engine's next start")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_services_and_engines_that_die_together_recover(portal: Portal) -> None:
    """Whichever dies while the other is restarted, both come back."""
    before = agreed(portal)
    chance = random.Random(4)
    for _ in range(ROUNDS):
        dead = kill(portal, chance.choice(("documents", "broker")))
        for _ in range(2):
            # Some moment of the other's start: that it is any moment is what is tested.
            time.sleep(chance.random() * 0.3)
            victim = chance.choice(SERVICES)
            with suppress(ProcessLookupError, KeyError):
                dead = kill(portal, victim)
        back(portal, victim, dead)
    until_now(lambda: well(portal), "all to be well")
    assert agreed(portal) == before
