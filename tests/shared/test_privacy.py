"""What a process keeps to itself: its folders and its secrets."""

from pathlib import Path

import pytest

from deploy.cli.configuration import PortalConfig
from deploy.embedded.rundata import RunData
from shared.contracts.errors import Invalid
from shared.kit.config.sections import load_config
from shared.kit.processes.privacy import forget_secrets, make_private


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o7777


def test_data_folders_are_private_to_their_owner(tmp_path: Path) -> None:
    """New ones, and those that an earlier version made readable for all."""
    new, old = tmp_path / "a" / "new", tmp_path / "old"
    old.mkdir(mode=0o755)
    old.chmod(0o755)
    for folder in (new, old):
        make_private(folder)
        assert mode(folder) == 0o700


def test_a_shared_folder_stays_shared(tmp_path: Path) -> None:
    """The data folder may be /tmp itself."""
    tmp_path.chmod(0o1777)
    make_private(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_the_folders_of_a_portal_are_made_private(tmp_path: Path) -> None:
    """Every one of them, whatever made it."""
    for name in ("", "logs", "keys", "sites", "engines", "engines/documents"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name).chmod(0o755)
    RunData(tmp_path).prepare()
    assert mode(tmp_path / "engines" / "documents") == 0o700
    assert {
        mode(path) for path in (tmp_path, *tmp_path.iterdir()) if path.is_dir()
    } == {0o700}


def test_secrets_are_removed_from_the_environment() -> None:
    """Child processes inherit the rest."""
    environ = {
        "PATH": "/bin",
        "CALLBOARD_SERVICE_SECRET": "x",
        "CALLBOARD_MONGODB_PASSWORD": "x",
        "CALLBOARD_API_TOKEN": "x",
        "OTEL_EXPORTER_OTLP_HEADERS": "x",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x",
        "CALLBOARD_DATA": "/data",
        "HTTPS_PROXY": "http://proxy",
    }
    forget_secrets(environ)
    assert environ.keys() == {"PATH", "CALLBOARD_DATA", "HTTPS_PROXY"}


def test_each_service_is_given_its_own_secrets(tmp_path: Path) -> None:
    """A configuration that names another's is read, with nothing in its place."""
    file = tmp_path / "app-config.yaml"
    file.write_text(
        "integrations:\n  local:\n    - host: git.example\n"
        "      webhookSecret: ${CALLBOARD_WEBHOOK_SECRET}\n"
    )
    data = RunData(tmp_path / "data")
    data.prepare()
    for service in ("gateway", "catalog"):
        config = load_config(file, data.environment_of(service), PortalConfig)
        secret = config.integrations.local[0].webhook_secret
        assert secret is not None
        own = data.webhook_secret() if service == "gateway" else ""
        assert secret.get_secret_value() == own
    with pytest.raises(Invalid, match="CALLBOARD_WEBHOOK_SECRET"):
        load_config(file, {"CALLBOARD_WITHHELD": "CALLBOARD_OTHER"}, PortalConfig)
