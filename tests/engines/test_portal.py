"""A whole portal on real servers: started ones, given ones, killed ones."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.kit.config.servers import Server
from tests.e2e.system import System, free_port
from tests.waiting import until_now

pytestmark = [pytest.mark.usefixtures("servers"), pytest.mark.timeout(400)]
ENGINES = ("broker", "documents", "opensearch", "opa")
BACK_SECONDS = 120


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A portal that is not started yet, without an example."""
    system = System(tmp_path / "data", free_port(), "empty")
    yield system
    system.down()


def test_killed_servers_are_restarted(system: System) -> None:
    """All four killed together: back at the same addresses, and the portal is ready."""
    system.up()
    before = system.run
    assert set(before["engines"].values()) == {"servers"}
    pids = {name: before["pids"][name] for name in ENGINES}
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        return not set(pids.items()) & set(system.run["pids"].items())

    until_now(back, "four engines", seconds=BACK_SECONDS)
    run = system.run
    assert [run["addresses"][n] for n in ENGINES] == [
        before["addresses"][n] for n in ENGINES
    ]
    assert {run["restarts"][name] for name in ENGINES} == {1}
    # The log is a real one: no service was told to begin again.
    assert not set(run["restarts"]) - set(ENGINES)
    until_now(lambda: well(system), "a portal that is well", seconds=BACK_SECONDS)
    system.down()
    # Whoever adopted an ended process may take a moment to notice.
    processes = [Path(f"/proc/{pid}") for pid in run["pids"].values()]
    until_now(
        lambda: not any(path.exists() for path in processes), condition="all ended"
    )
    # Without a word about engines it is started on those that it has.
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CALLBOARD_ENGINES")
        system.up()
    assert system.run["addresses"]["documents"] == run["addresses"]["documents"]


def well(system: System) -> bool:
    with system.service() as client:
        return bool(client.get("/api/status").json()["status"] == "ok")


def test_configured_servers_are_used(
    system: System,
    monkeypatch: pytest.MonkeyPatch,
    secured_kafka: Server,
    secured_mongodb: Server,
    secured_opensearch: Server,
    secured_opa: Server,
) -> None:
    """Each with TLS and a password; none is started, no password is written."""
    environment = {
        "KAFKA": secured_kafka,
        "MONGODB": secured_mongodb,
        "OPENSEARCH": secured_opensearch,
        "OPA": secured_opa,
    }
    for name, server in environment.items():
        monkeypatch.setenv(f"CALLBOARD_{name}", server.address)
        monkeypatch.setenv(f"CALLBOARD_{name}_CA", str(server.ca))
        word = "TOKEN" if name == "OPA" else "PASSWORD"
        monkeypatch.setenv(f"CALLBOARD_{name}_{word}", str(server.password))
        if server.user:
            monkeypatch.setenv(f"CALLBOARD_{name}_USER", server.user)
    system.up()
    assert well(system)
    run: dict[str, Any] = system.run
    assert set(run["engines"].values()) == {"given"}
    assert not set(ENGINES) & run["pids"].keys()
    assert run["addresses"]["broker"] == secured_kafka.address
    password = str(secured_kafka.password)
    files = [path for path in system.data.rglob("*") if path.is_file()]
    assert not [path for path in files if password in path.read_text("utf-8", "ignore")]


def test_a_wrong_password_fails_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secured_kafka: Server
) -> None:
    """The error names the refused user, and no process is left running."""
    system = System(tmp_path / "data", free_port(), "empty")
    monkeypatch.setenv("CALLBOARD_KAFKA", secured_kafka.address)
    monkeypatch.setenv("CALLBOARD_KAFKA_USER", "callboard")
    monkeypatch.setenv("CALLBOARD_KAFKA_PASSWORD", "wrong-password")
    monkeypatch.setenv("CALLBOARD_KAFKA_CA", str(secured_kafka.ca))
    system.command("up", "--port", str(system.port), "--detach", expected=1)
    last = system.log("supervisor").splitlines()[-1]
    assert "cannot_start" in last
    assert f"{secured_kafka.address} is not reachable" in last
    assert "refuses the user 'callboard'" in last
    assert "wrong-password" not in system.log("supervisor")
    assert "Nothing was running" in system.command("down")
