"""Which processes a machine's portal is, and what each of them gets."""

from pathlib import Path

import pytest

from deploy.embedded.backing import Backing
from deploy.embedded.rundata import PORTAL, SERVICES, RunData
from deploy.embedded.supervisor import FRONT_END, Supervisor

ENGINES = {"CALLBOARD_MONGODB_PASSWORD": "p", "CALLBOARD_KAFKA": "k"}


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines that were started, as services are told of them."""
    monkeypatch.setattr(Backing, "environment", lambda *_: ENGINES)


def supervisor(folder: Path) -> Supervisor:
    """One that has bound its sockets, and started nothing."""
    data = RunData(folder)
    data.prepare()
    return Supervisor(data, 0, folder / "config.yaml", Backing.of(data, "embedded", {}))


def test_no_portal_is_started_beside_another_front_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable of the other front end is passed to the gateway unchanged."""
    assert supervisor(tmp_path / "own")._services == SERVICES
    monkeypatch.setenv(FRONT_END, "http://127.0.0.1:9")
    other = supervisor(tmp_path / "other")
    assert set(other._services) == set(SERVICES) - {PORTAL}
    assert FRONT_END not in other._environment("gateway")


def test_the_portal_gets_no_secret(tmp_path: Path) -> None:
    """Neither the services' own nor an engine's: it is a client of the public API."""
    started = supervisor(tmp_path)
    secret = RunData(tmp_path).secret()
    assert secret in started._environment("gateway").values()
    environment = started._environment(PORTAL)
    assert secret not in environment.values()
    assert not ENGINES.keys() & environment.keys()
    assert environment["CALLBOARD_GATEWAY_URL"].startswith("http://127.0.0.1:")
