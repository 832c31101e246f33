"""Protects a process' folders and secrets from other users and from its children."""

import os
import re
import stat
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

#: Only the owner may read, write and enter.
PRIVATE_MODE = 0o700
SECRET = re.compile(
    r"CALLBOARD_\w*(SECRET|PASSWORD|TOKEN)|OTEL_EXPORTER_OTLP_(\w+_)?HEADERS"
)


def make_private(folder: Path) -> None:
    """Make a private folder; take other users' rights from an existing one.

    A folder of another user, or with the sticky bit (shared on purpose), is not
    changed.

    Raises:
        OSError: if it cannot be made.
    """
    folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    status = folder.stat()
    shared_bits = status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if (
        status.st_uid == os.geteuid()
        and shared_bits
        and not status.st_mode & stat.S_ISVTX
    ):
        with suppress(OSError):
            folder.chmod(PRIVATE_MODE)


def forget_secrets(environ: MutableMapping[str, str]) -> None:
    """Remove the secrets from an environment that child processes would inherit."""
    for name in [name for name in environ if SECRET.fullmatch(name)]:
        del environ[name]
