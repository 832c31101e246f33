"""Keeps what a process holds to itself: its folders, and the secrets it was given."""

import os
import re
import stat
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

#: Only the owner reads, writes and enters.
PRIVATE = 0o700
SECRET = re.compile(r"CALLBOARD_\w*(SECRET|PASSWORD|TOKEN)")


def make_private(folder: Path) -> None:
    """Make a folder, or mend one of ours that others may enter.

    What belongs to somebody else, or is everybody's on purpose (the sticky bit), stays.

    Raises:
        OSError: if it cannot be made.
    """
    folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    found = folder.stat()
    others = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if found.st_uid == os.geteuid() and others and not found.st_mode & stat.S_ISVTX:
        with suppress(OSError):
            folder.chmod(PRIVATE)


def forget_secrets(environ: MutableMapping[str, str]) -> None:
    """Take the secrets out of an environment that child processes would inherit."""
    for name in [name for name in environ if SECRET.fullmatch(name)]:
        del environ[name]
