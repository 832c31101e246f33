"""`python -m deploy.engines`: servers that outlive the command that starts them."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.system import ROOT

pytestmark = pytest.mark.usefixtures("servers")


def engines(*words: str, expected: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.engines", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_engines_are_started_listed_and_stopped(tmp_path: Path) -> None:
    """With security, the password is in a file of the owner's, and not printed."""
    options = ("--data", str(tmp_path))
    output = engines("start", "opa", "documents", "--secure", *options)
    environment = tmp_path / "engines.env"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    variables = dict(
        line.split("=", 1) for line in environment.read_text().splitlines()
    )
    assert variables["CALLBOARD_OPA"].startswith("https://127.0.0.1:")
    assert variables["CALLBOARD_MONGODB_USER"] == "callboard"
    assert variables["CALLBOARD_OPA_TOKEN"] not in output
    assert engines("status", *options).count("runs") == 2
    assert engines("start", "opa", *options).count("runs") == 2
    assert "Stopped 1" in engines("stop", "opa", *options)
    assert "ended" in engines("status", *options, expected=1)
    assert "Stopped 1" in engines("stop", *options)
    assert "Nothing was running" in engines("stop", *options)


def test_an_unknown_server_is_refused(tmp_path: Path) -> None:
    """The error has the names that exist."""
    output = engines("start", "oracle", "--data", str(tmp_path), expected=2)
    assert "broker" in output
    assert not list(tmp_path.iterdir())
