"""Warnings of rules by which anybody decides who belongs to an owner."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli import starting
from deploy.cli.commands import app
from deploy.cli.starting import EXAMPLES, StartOptions, config_warnings

ORGANISATION = "https://git.example/org/blob/main/catalog-info.yaml"
POLICY = "permission: {enabled: true}"


def warnings(tmp_path: Path, *sections: str) -> list[str]:
    """What the check says of a configuration, without its path."""
    path = tmp_path / "app-config.yaml"
    path.write_text("\n".join(sections))
    done = CliRunner().invoke(app, ["config", "check", str(path)])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    return [line.replace(f"warning {path}:", "") for line in lines]


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("{allow: [Component, Group, User]}", "Group or User"),
        ("{allow: [group]}", "group"),
        ("{allow: [{kind: User, spec.type: x}]}", "User"),
        ("{allow: [User], locations: [{type: url}]}", "User"),
        ("{allow: [User], locations: [{pattern: '**'}]}", "User"),
        (
            "{allow: [User], locations: [{type: url, pattern: 'https://git.example/**'}]}",
            "User",
        ),
    ],
)
def test_groups_from_everywhere_are_a_warning(
    tmp_path: Path, rule: str, names: str
) -> None:
    """One sentence: what it means and what to do."""
    catalog = f"catalog: {{rules: [{{allow: [API]}}, {rule}]}}"
    message = (
        f"2: catalog.rules.1: whoever registers a {names} decides who owns what: allow "
        "it from your organisation's own file only (`locations` with `exact`)"
    )
    assert [line.strip() for line in warnings(tmp_path, POLICY, catalog)] == [message]


@pytest.mark.parametrize(
    "rule",
    [
        "{allow: [Component]}",
        "{allow: [Group], locations: []}",
        f"{{allow: [Group], locations: [{{type: url, exact: '{ORGANISATION}'}}]}}",
        "{allow: [User], locations: [{pattern: 'https://git.example/org/**'}]}",
        "{allow: [User], locations: [{type: file, pattern: '**'}]}",
    ],
)
def test_groups_of_some_sources_are_no_warning(tmp_path: Path, rule: str) -> None:
    """Whoever names the source has decided whom to trust."""
    assert warnings(tmp_path, POLICY, f"catalog: {{rules: [{rule}]}}") == []
    everywhere = "catalog: {rules: [{allow: [Group]}]}"
    assert warnings(tmp_path, everywhere) == []
    assert warnings(tmp_path, POLICY) == []
    anybody = "auth: {environment: development, developmentSignIn: true}"
    assert warnings(tmp_path, POLICY, anybody, everywhere) == []
    location = f"type: url, target: '{ORGANISATION}', rules: [{{allow: [Group]}}]"
    reading = "backend: {reading: {allow: [{host: git.example}]}}"
    configured = f"catalog: {{locations: [{{{location}}}]}}"
    assert warnings(tmp_path, POLICY, reading, configured) == []


def test_a_start_warns_as_well(tmp_path: Path, monkeypatch: Any) -> None:
    """With the unknown keys, before anything is started."""
    path = tmp_path / "app-config.yaml"
    path.write_text(f"proxy: {{}}\n{POLICY}\ncatalog: {{rules: [{{allow: [Group]}}]}}")
    warned = config_warnings(StartOptions(tmp_path, 0, "empty", path, "embedded"))
    assert warned[0] == "proxy means nothing here"
    assert warned[1].startswith("catalog.rules.0: whoever registers a Group decides")

    def refuse(*_: Any) -> None:
        raise starting.CannotStart("enough")

    monkeypatch.setattr(starting, "prepare", refuse)
    words = ["up", "--data", str(tmp_path), "--config", str(path), "--port", "0"]
    assert warned[1] in CliRunner().invoke(app, words).stderr


def test_no_example_is_warned_of(tmp_path: Path, monkeypatch: Any) -> None:
    """The one to copy for work takes groups from one file; the other has no secrets."""
    for name in ("GIT_HOST", "GIT_TOKEN", "WEBHOOK_SECRET", "API_TOKEN"):
        monkeypatch.setenv(f"CALLBOARD_{name}", "git.example")
    monkeypatch.setenv("CALLBOARD_BASE_URL", "https://callboard.example")
    for example in ("playhouse", "production"):
        path = EXAMPLES / example / "app-config.yaml"
        assert "enabled: true" in path.read_text()
        options = StartOptions(tmp_path, 0, example, path, "embedded")
        assert config_warnings(options) == []
