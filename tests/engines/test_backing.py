"""What a portal stands on, by the wish, the environment and the data folder."""

from pathlib import Path

import pytest

from deploy.cli import starting
from deploy.embedded.backing import CONFIGURED, EMBEDDED, SERVERS, Backing, WrongEngines
from deploy.embedded.rundata import RunData
from deploy.engines.engine import Engine

OWN = {"CALLBOARD_KAFKA": "log.example:9093", "CALLBOARD_KAFKA_USER": "callboard"}


def backing(folder: Path, form: str, **environ: str) -> Backing:
    return Backing.of(RunData(folder), form, environ)


def test_embedded_backing_starts_two_engines(tmp_path: Path) -> None:
    """Index and policy are inside the services."""
    assert backing(tmp_path, EMBEDDED).started() == ("broker", "documents")


def test_server_backing_starts_four_engines(tmp_path: Path) -> None:
    """One for each concern."""
    engines = backing(tmp_path, SERVERS)
    assert engines.started() == ("broker", "documents", "opensearch", "opa")
    assert not engines.forgets("broker")


def test_a_configured_server_is_not_started(tmp_path: Path) -> None:
    """The operator's address replaces the engine that would be started."""
    engines = backing(tmp_path, SERVERS, **OWN)
    assert engines.started() == ("documents", "opensearch", "opa")
    assert engines.forms["broker"] == CONFIGURED
    assert engines.addresses({}) == {"broker": "log.example:9093"}
    assert engines.environment({}) == {}


def test_a_configured_server_works_beside_embedded_engines(tmp_path: Path) -> None:
    """An OPA of the operator's beside embedded engines."""
    engines = backing(tmp_path, EMBEDDED, CALLBOARD_OPA="https://opa.example")
    assert engines.started() == ("broker", "documents")
    assert engines.forgets("broker")
    assert engines.forms["opa"] == CONFIGURED


@pytest.mark.parametrize(
    "name",
    ["KAFKA_PASSWORD", "KAFKA_TLS", "MONGODB_CA", "OPENSEARCH_USER", "OPA_TOKEN"],
)
def test_credentials_without_a_server_are_refused(tmp_path: Path, name: str) -> None:
    """They would not be used."""
    with pytest.raises(WrongEngines, match=f"CALLBOARD_{name} is set without"):
        backing(tmp_path, SERVERS, **{f"CALLBOARD_{name}": "x"})


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    """`run.json` has the address of the server without its password."""
    address = "mongodb://ann:secret@db.example:27017/?replicaSet=rs0"
    engines = backing(tmp_path, EMBEDDED, CALLBOARD_MONGODB=address)
    assert engines.addresses({})["documents"] == "mongodb://db.example:27017/"


def test_a_data_folder_keeps_its_document_store(tmp_path: Path) -> None:
    """It is not started on another document store."""
    backing(tmp_path, SERVERS)
    with pytest.raises(WrongEngines, match="--engines servers"):
        backing(tmp_path, EMBEDDED)
    with pytest.raises(WrongEngines, match="--engines servers"):
        backing(tmp_path, SERVERS, CALLBOARD_MONGODB="mongodb://db.example")
    assert starting.engines_form(tmp_path, None) == SERVERS


def test_an_older_data_folder_stays_embedded(tmp_path: Path) -> None:
    """It has no choice of backing stored."""
    (tmp_path / "engines" / "documents").mkdir(parents=True)
    assert starting.engines_form(tmp_path, None) == EMBEDDED
    with pytest.raises(WrongEngines):
        backing(tmp_path, SERVERS)


def test_an_unknown_backing_is_refused(tmp_path: Path) -> None:
    """The error names the two that exist."""
    with pytest.raises(starting.CannotStart, match="embedded, servers"):
        starting.engines_form(tmp_path, "given")


def test_a_start_reports_the_engines_it_waits_for(tmp_path: Path) -> None:
    """Until it waits for none."""
    data = RunData(tmp_path)
    assert data.starting() == []
    data.write_starting({"opensearch", "broker"})
    assert data.starting() == ["broker", "opensearch"]


def test_an_engine_shows_no_password(tmp_path: Path) -> None:
    """Neither its text nor the environment of its clients."""
    engines = backing(tmp_path, SERVERS, **OWN, CALLBOARD_KAFKA_PASSWORD="not-this")
    assert "not-this" not in str(engines.addresses({}))
    assert "not-this" not in repr(engines)
    assert Engine.__dataclass_fields__["secured"].repr is False
