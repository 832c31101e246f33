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


def test_the_embedded_form_starts_two(tmp_path: Path) -> None:
    """Index and policy are inside the services."""
    assert backing(tmp_path, EMBEDDED).started() == ("broker", "documents")


def test_the_server_form_starts_four(tmp_path: Path) -> None:
    """One for each concern."""
    engines = backing(tmp_path, SERVERS)
    assert engines.started() == ("broker", "documents", "opensearch", "opa")
    assert not engines.forgets("broker")


def test_a_given_server_is_not_started(tmp_path: Path) -> None:
    """An address of the operator's takes the place of what would be started."""
    engines = backing(tmp_path, SERVERS, **OWN)
    assert engines.started() == ("documents", "opensearch", "opa")
    assert engines.forms["broker"] == CONFIGURED
    assert engines.addresses({}) == {"broker": "log.example:9093"}
    assert engines.environment({}) == {}


def test_mixed_with_embedded_ones(tmp_path: Path) -> None:
    """An OPA of the operator's beside embedded engines."""
    engines = backing(tmp_path, EMBEDDED, CALLBOARD_OPA="https://opa.example")
    assert engines.started() == ("broker", "documents")
    assert engines.forgets("broker")
    assert engines.forms["opa"] == CONFIGURED


@pytest.mark.parametrize(
    "name",
    ["KAFKA_PASSWORD", "KAFKA_TLS", "MONGODB_CA", "OPENSEARCH_USER", "OPA_TOKEN"],
)
def test_credentials_need_their_server(tmp_path: Path, name: str) -> None:
    """They are for nobody where no server is named, and would not be used."""
    with pytest.raises(WrongEngines, match=f"CALLBOARD_{name} is set without"):
        backing(tmp_path, SERVERS, **{f"CALLBOARD_{name}": "x"})


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    """`run.json` names where the server is, not how to get in."""
    address = "mongodb://ann:secret@db.example:27017/?replicaSet=rs0"
    engines = backing(tmp_path, EMBEDDED, CALLBOARD_MONGODB=address)
    assert engines.addresses({})["documents"] == "mongodb://db.example:27017/"


def test_the_documents_stay_where_they_are(tmp_path: Path) -> None:
    """A data folder is not started on other documents than its own."""
    backing(tmp_path, SERVERS)
    with pytest.raises(WrongEngines, match="--engines servers"):
        backing(tmp_path, EMBEDDED)
    with pytest.raises(WrongEngines, match="--engines servers"):
        backing(tmp_path, SERVERS, CALLBOARD_MONGODB="mongodb://db.example")
    assert starting.engines_form(tmp_path, None) == SERVERS


def test_a_folder_from_before_there_was_a_choice(tmp_path: Path) -> None:
    """It is on embedded engines, and stays there."""
    (tmp_path / "engines" / "documents").mkdir(parents=True)
    assert starting.engines_form(tmp_path, None) == EMBEDDED
    with pytest.raises(WrongEngines):
        backing(tmp_path, SERVERS)


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    """The two that exist are named."""
    with pytest.raises(starting.CannotStart, match="embedded, servers"):
        starting.engines_form(tmp_path, "given")


def test_who_waits_is_told_for_what(tmp_path: Path) -> None:
    """The engines that a start waits for, until it waits for none."""
    data = RunData(tmp_path)
    assert data.starting() == []
    data.write_starting({"opensearch", "broker"})
    assert data.starting() == ["broker", "opensearch"]


def test_an_engine_shows_no_password(tmp_path: Path) -> None:
    """Neither it nor what its clients are given."""
    engines = backing(tmp_path, SERVERS, **OWN, CALLBOARD_KAFKA_PASSWORD="not-this")
    assert "not-this" not in str(engines.addresses({}))
    assert "not-this" not in repr(engines)
    assert Engine.__dataclass_fields__["secured"].repr is False
