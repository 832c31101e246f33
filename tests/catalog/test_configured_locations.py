"""Locations of the configuration: those of Backstage's modules stop no start."""

from pathlib import Path

import pytest

from services.catalog.configuration import CatalogConfig
from services.catalog.configured_sources import (
    desired_locations,
    report_ignored_locations,
    rules_of,
)
from services.catalog.location_types import unread_type
from services.catalog.model import LocationRef
from shared.kit.config.sections import load_config

FILE = """\
catalog:
  locations:
    - {type: github-discovery, target: "https://h/*", rules: [{allow: [User]}]}
    - {type: url, target: "https://h/a", rules: [{allow: [Group]}]}
    - {type: ldap-org, target: "ldaps://h"}
    - {type: bootstrap, target: bootstrap}
"""


def test_locations_of_other_types_are_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their rules; the log names each."""
    path = tmp_path / "app-config.yaml"
    path.write_text(FILE)
    config = load_config(path, {}, CatalogConfig)
    locations = desired_locations(config, tmp_path).locations
    assert locations == [LocationRef("url", "https://h/a")]
    assert "User" not in str(rules_of(config, tmp_path).rules[1:])
    report_ignored_locations(config)
    output = capsys.readouterr()
    for name in ("github-discovery", "ldap-org", "bootstrap"):
        assert f"'{name}' is no type of location" in output.out + output.err


@pytest.mark.parametrize(
    ("location_type", "advice"),
    [
        ("github-discovery", "catalog.providers.git finds"),
        ("Bitbucket-Discovery", "catalog.providers.git finds"),
        ("github-org", "User and Group entities"),
        ("microsoft-graph-org", "User and Group entities"),
        ("bootstrap", "as locations of their own"),
        ("azure/api", "use the type url"),
        ("github", "use the type url"),
        ("ftp", "use url or file"),
    ],
)
def test_a_type_that_is_not_read_is_named_with_what_to_use(
    location_type: str, advice: str
) -> None:
    """In the configuration and in Location entities alike."""
    assert advice in unread_type(location_type)
