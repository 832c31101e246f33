"""The data folder of one machine's portal: what lies where, and who is running.

`run.json` is written whole or not at all; the token and the secret are readable by
their owner alone.
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

from shared.kit.config.sections import WITHHELD
from shared.kit.processes.privacy import make_private

SERVICES = ("catalog", "scaffolder", "techdocs", "search", "gateway")


class AlreadyRunning(RuntimeError):
    """Another supervisor holds the data folder."""


@dataclass(frozen=True, slots=True)
class RunData:
    """Paths below one data folder."""

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
        """Make the folders, the API's token and the services' secret, once."""
        for folder in (self.root, self.logs, self.engines, self.root / "keys"):
            make_private(folder)
        # Those that an earlier version made for everybody to read.
        for folder in (*self.root.iterdir(), *self.engines.iterdir()):
            if folder.is_dir() and not folder.is_symlink():
                make_private(folder)
        self.secret()
        _secret_in_file(self.token_file)

    def secret(self) -> str:
        """What the services sign with among themselves."""
        return _secret_in_file(self.root / "keys" / "service.secret")

    def token(self) -> str:
        """The static service token that the API accepts."""
        return _secret_in_file(self.token_file)

    def documents_password_file(self) -> Path:
        """The file with what the embedded documents ask for."""
        path = self.root / "keys" / "documents.secret"
        _secret_in_file(path)
        return path

    def environment(self) -> dict[str, str]:
        """What a configuration file may refer to as `${…}`."""
        return {
            "CALLBOARD_DATA": str(self.root),
            "CALLBOARD_WEBHOOK_SECRET": self.webhook_secret(),
        }

    def environment_of(self, service: str) -> dict[str, str]:
        """The same for one service: the others' secrets are withheld from it."""
        found = self.environment()
        if service != "gateway":
            del found["CALLBOARD_WEBHOOK_SECRET"]
            found[WITHHELD] = "CALLBOARD_WEBHOOK_SECRET"
        return found

    def webhook_secret(self) -> str:
        """What the local Git host signs its webhooks with."""
        return _secret_in_file(self.root / "keys" / "webhook.secret")

    def running(self) -> dict[str, Any] | None:
        """What `run.json` says, if its supervisor is alive."""
        try:
            found: dict[str, Any] = json.loads(self.run_file.read_text())
        except (OSError, ValueError):
            return None
        pid = int(found.get("pids", {}).get("supervisor", 0))
        return found if pid and _is_supervisor(pid) else None

    def write_run(self, value: dict[str, Any]) -> None:
        """Replace `run.json`."""
        _replace(self.run_file, value)

    def tell_starting(self, engines: Iterable[str]) -> None:
        """Say which engines are awaited, for whoever waits for the portal."""
        _replace(self.starting_file, sorted(engines))

    def starting(self) -> list[str]:
        """The engines that a start waits for."""
        try:
            return [str(name) for name in json.loads(self.starting_file.read_text())]
        except (OSError, ValueError):
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; AlreadyRunning if somebody else does."""
        with (self.root / "run.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise AlreadyRunning(
                    f"{self.root} is in use by another portal"
                ) from error
            yield


def _replace(path: Path, value: Any) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(value, indent=2) + "\n")
    new.replace(path)


def _is_supervisor(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # Systems without /proc: whoever answers to the number is taken for it.
        return _alive(pid) and not Path("/proc").is_dir()
    return b"deploy.embedded.supervisor" in command


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _secret_in_file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        # Letters and digits: what begins with "-" is taken for an option.
        value = secrets.token_hex(32)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(value + "\n")
        return value
