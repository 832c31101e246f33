"""The data folder of a portal on one machine: its paths, secrets and `run.json`.

`run.json` is replaced atomically; only the owner can read the token and the secrets.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.kit.config.values import WITHHELD
from shared.kit.processes.privacy import make_private

PORTAL = "portal"
SERVICES = (
    "catalog",
    "scaffolder",
    "techdocs",
    "search",
    "analytics",
    PORTAL,
    "gateway",
)


class AlreadyRunning(RuntimeError):
    """Another supervisor uses the data folder."""


@dataclass(frozen=True, slots=True)
class RunData:
    """The paths and files of one data folder."""

    root: Path

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def starting_file(self) -> Path:
        return self.root / "starting.json"

    @property
    def token_file(self) -> Path:
        return self.root / "token"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def engines(self) -> Path:
        return self.root / "engines"

    def prepare(self) -> None:
        """Create the folders, the API's token and the services' secret if missing."""
        for folder in (self.root, self.logs, self.engines, self.root / "keys"):
            make_private(folder)
        # An earlier version made these folders readable for everybody.
        for folder in (*self.root.iterdir(), *self.engines.iterdir()):
            if folder.is_dir() and not folder.is_symlink():
                make_private(folder)
        self.secret()
        _secret_in_file(self.token_file)

    def secret(self) -> str:
        """The secret that signs tokens between services."""
        return _secret_in_file(self.root / "keys" / "service.secret")

    def token(self) -> str:
        """The static token for the API."""
        return _secret_in_file(self.token_file)

    def documents_password_file(self) -> Path:
        """The file with the password of the embedded documents."""
        path = self.root / "keys" / "documents.secret"
        _secret_in_file(path)
        return path

    def environment(self) -> dict[str, str]:
        """The variables that a configuration file may use as `${…}`."""
        return {
            "CALLBOARD_DATA": str(self.root),
            "CALLBOARD_WEBHOOK_SECRET": self.webhook_secret(),
        }

    def environment_of(self, service: str) -> dict[str, str]:
        """The variables for one service, without secrets that it does not need."""
        variables = self.environment()
        if service != "gateway":
            del variables["CALLBOARD_WEBHOOK_SECRET"]
            variables[WITHHELD] = "CALLBOARD_WEBHOOK_SECRET"
        return variables

    def webhook_secret(self) -> str:
        """The secret that signs the local Git host's webhooks."""
        return _secret_in_file(self.root / "keys" / "webhook.secret")

    def running(self) -> dict[str, Any] | None:
        """The content of `run.json` if its supervisor is running, else None."""
        try:
            run: dict[str, Any] = json.loads(self.run_file.read_text())
        except (OSError, ValueError):
            return None
        pid = int(run.get("pids", {}).get("supervisor", 0))
        return run if pid and _is_supervisor(pid) else None

    def write_run(self, value: dict[str, Any]) -> None:
        """Replace `run.json`."""
        _write_json(self.run_file, value)

    def write_starting(self, engines: Iterable[str]) -> None:
        """Write the engines that are being started, for `callboard up`."""
        _write_json(self.starting_file, sorted(engines))

    def starting(self) -> list[str]:
        """The engines that are being started."""
        try:
            return [str(name) for name in json.loads(self.starting_file.read_text())]
        except (OSError, ValueError):
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder; raises AlreadyRunning if it is locked."""
        with (self.root / "run.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise AlreadyRunning(
                    f"{self.root} is in use by another portal"
                ) from error
            yield


def _write_json(path: Path, value: Any) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(value, indent=2) + "\n")
    new.replace(path)


def _is_supervisor(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # Without /proc, any process with this id counts as the supervisor.
        return _is_alive(pid) and not Path("/proc").is_dir()
    return b"deploy.embedded.supervisor" in command


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _secret_in_file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        # Letters and digits only, as a leading "-" would look like an option.
        value = secrets.token_hex(32)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(value + "\n")
        return value
