"""The configuration: Backstage's sections, the environment's values, errors by key."""

from pathlib import Path

import pytest

from deploy.cli.configuration import PortalConfig
from shared.contracts.errors import Invalid
from shared.kit.config.sections import load_config, unknown_keys


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "app-config.yaml"
    path.write_text(text)
    return path


def test_backstages_configuration_file_is_read(tmp_path: Path) -> None:
    """Known sections are read, unknown keys are reported, `guest:` alone counts."""
    text = """
app: {title: Shop}
organization: {name: Shop}
backend: {baseUrl: 'http://x', database: {client: pg}, reading: {allow: [{host: a}]}}
auth: {providers: {guest: }}
catalog:
  rules: [{allow: [Component, {kind: Template, spec.type: service}]}]
  locations: [{type: url, target: 'https://a/b'}]
  processingInterval: false
"""
    portal_config = load_config(config(tmp_path, text), {}, PortalConfig)
    assert portal_config.organization.name == "Shop"
    assert portal_config.auth.providers.guest is not None
    assert portal_config.catalog.locations[0].target == "https://a/b"
    unknown = unknown_keys(PortalConfig, portal_config.model_dump(by_alias=True))
    assert [unknown_key.key for unknown_key in unknown] == [
        "backend.database",
        "catalog.processingInterval",
    ]


def test_public_hosts_need_no_name(tmp_path: Path) -> None:
    """As Backstage's manual writes them: credentials alone."""
    path = tmp_path / "app-config.yaml"
    path.write_text(
        "integrations:\n"
        "  github: [{token: a}, {host: hub.example.org}]\n"
        "  gitlab: [{token: b}]\n"
        "  azure: [{credentials: [{personalAccessToken: c}]}]\n"
        "  bitbucketCloud: [{username: d, appPassword: e}]\n"
    )
    integrations = load_config(path, {}, PortalConfig).integrations
    hosts = [item.host for _, item in integrations.each()]
    assert hosts == [
        "github.com",
        "hub.example.org",
        "gitlab.com",
        "bitbucket.org",
        "dev.azure.com",
    ]


def test_variables_of_the_environment_are_substituted(tmp_path: Path) -> None:
    """`${NAME}`, its default, and the escape."""
    text = "organization: {name: '${ORG}-${X:-y}-$${Z}'}"
    portal_config = load_config(config(tmp_path, text), {"ORG": "shop"}, PortalConfig)
    assert portal_config.organization.name == "shop-y-${Z}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("organization: {name: '${NO_SUCH}'}", "organization.name.*NO_SUCH"),
        ("catalog: {locations: [{type: ftp, target: x}]}", "catalog.locations.0.type"),
        ("permission: {enabled: perhaps}", "permission.enabled"),
        ("[1, 2]", "object"),
        ("a: [", "YAML"),
    ],
)
def test_configuration_errors_name_the_key(
    tmp_path: Path, text: str, named: str
) -> None:
    """A missing variable and an unknown value are errors that name the key."""
    with pytest.raises(Invalid, match=named):
        load_config(config(tmp_path, text), {}, PortalConfig)


def test_a_printed_configuration_hides_tokens(tmp_path: Path) -> None:
    """Printing the configuration prints no secret."""
    text = "integrations: {github: [{host: github.com, token: hunter2}]}"
    assert "hunter2" not in repr(load_config(config(tmp_path, text), {}, PortalConfig))
