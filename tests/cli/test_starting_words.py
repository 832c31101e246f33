"""What the commands that start and stop say: what to type next, as it stands here."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.commands import app
from deploy.cli.printing import DEFAULT_DATA, command_line


@pytest.mark.parametrize(
    ("program", "data", "line"),
    [
        (".venv/bin/callboard", DEFAULT_DATA, ".venv/bin/callboard down"),
        ("/opt/x/callboard", Path("/srv/d"), "/opt/x/callboard down --data /srv/d"),
        ("deploy/cli/__main__.py", Path("a b"), "callboard down --data 'a b'"),
    ],
)
def test_printed_commands_can_be_run_as_they_are(
    monkeypatch: Any, program: str, data: Path, line: str
) -> None:
    """With the program's own path, and the data folder where it is not the default."""
    monkeypatch.setattr("sys.argv", [program])
    assert command_line("down", data) == line


def test_the_status_without_a_portal_names_the_folder(tmp_path: Path) -> None:
    """The printed command starts a portal on the same data."""
    done = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    assert done.exit_code == 3
    assert f"up --data {tmp_path}`" in done.stderr


def test_the_status_uses_the_names_of_the_status_page(
    monkeypatch: Any, tmp_path: Path
) -> None:
    """Checks have their readable names, stores first."""
    checks = {"open": "ok", "documents": "ok", "another": "ok"}
    services = [{"name": "catalog", "status": "ok", "checks": checks}]
    report = {"status": "ok", "services": services}
    monkeypatch.setattr("deploy.cli.commands._portal", lambda _: None)
    monkeypatch.setattr("deploy.cli.commands._request_or_exit", lambda *_: report)
    done = CliRunner().invoke(app, ["status", "--data", str(tmp_path)])
    places = [done.stdout.index(s) for s in ("Document store", "Start-up", "another")]
    assert places == sorted(places)


def test_an_invalid_port_is_refused(tmp_path: Path) -> None:
    """Before anything is started."""
    done = CliRunner().invoke(app, ["up", "--data", str(tmp_path), "--port", "99999"])
    assert done.exit_code == 2
    assert "65535" in done.output


def test_an_unknown_example_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """Before anything is started."""
    words = ["up", "--data", str(tmp_path), "--example", "none", "--port", "0"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "one of playhouse, golden, empty" in done.stderr
