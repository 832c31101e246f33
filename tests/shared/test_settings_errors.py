"""A process that cannot start says which variables are wrong, and shows no value."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "hunter2-hunter2"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/main.py"))


def ended(command: list[str], **variables: str) -> str:
    """What a process says that ends at once, by a wrong environment."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    return done.stderr.strip()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_what_is_wrong_and_shows_no_secret(service: str) -> None:
    """Each variable in a line of its own: no traceback, no value."""
    secrets = ("SERVICE_SECRET", "KAFKA_PASSWORD", "MONGODB_PASSWORD", "OPA_TOKEN")
    variables = {f"CALLBOARD_{name}": SECRET for name in secrets}
    variables |= {"CALLBOARD_PORT": SECRET, "CALLBOARD_GATEWAY_URL": SECRET}
    lines = ended(["-m", f"services.{service}.main"], **variables).splitlines()
    assert all(line.startswith("CALLBOARD_") for line in lines), lines
    assert "CALLBOARD_CONFIG: must be set" in lines
    rules = dict(line.split(": ", 1) for line in lines)
    assert rules["CALLBOARD_GATEWAY_URL"].startswith("must be an http:// or https://")
    assert "valid integer" in rules["CALLBOARD_PORT"]
    if service != "portal":
        assert "at least 32" in rules["CALLBOARD_SERVICE_SECRET"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:123456", "http://user:pass@x", "x", "http://a,ftp://b"]
)
def test_the_address_of_a_service_is_one(url: str) -> None:
    """A wrong port ended the start with a traceback."""
    text = ended(["-m", "services.portal.main"], CALLBOARD_GATEWAY_URL=url)
    rule = "CALLBOARD_GATEWAY_URL: must be an http:// or https:// address"
    assert any(line.startswith(rule) for line in text.splitlines()), text


def test_a_command_names_what_is_wrong(tmp_path: Path) -> None:
    """By the variables that services have."""
    command = ["-m", "deploy.cli", "topics", "--data", str(tmp_path)]
    text = ended(command, CALLBOARD_KAFKA_TLS=SECRET)
    assert text.startswith("CALLBOARD_KAFKA_TLS: ")
