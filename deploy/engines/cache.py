"""The cache of fetched jars and binaries: built beside their folder, then moved.

If two processes fetch at the same time, one builds and the other waits for it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "CALLBOARD_CACHE"
CHECKSUMS = Path(__file__).with_name("checksums.json")
BLOCK = 1 << 20


class CannotFetch(RuntimeError):
    """A server's files cannot be fetched or verified; the message has advice."""


def root() -> Path:
    """The folder of the cache."""
    configured = os.environ.get(VARIABLE)
    base = (
        Path(configured).expanduser()
        if configured
        else Path.home() / ".cache" / "callboard"
    )
    return base.absolute() / "engines"


def cached_folder(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills it if it does not exist.

    Raises:
        CannotFetch: if it cannot be made, or does not match its pinned checksums.
    """
    target = root() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f".{name}.lock")):
        if not target.is_dir():
            _build(target, make)
    return target


def _build(target: Path, make: Callable[[Path], None]) -> None:
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        make(new)
        new.chmod(0o755)
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for a lock file, and hold it while the block runs."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pinned(server: str) -> dict[str, str]:
    """The pinned checksums of one server's files."""
    checksums: dict[str, Any] = json.loads(CHECKSUMS.read_text("utf-8"))
    return dict(checksums[server])


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a folder, by file name."""
    return {path.name: _digest(path) for path in sorted(folder.iterdir())}


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Compare a folder's files with their checksums.

    Raises:
        CannotFetch: naming the first file that is missing, unknown or different.
    """
    actual = digests(folder)
    for name in sorted(actual.keys() | expected.keys()):
        if name not in actual:
            raise CannotFetch(f"{name} is missing in {folder}")
        if name not in expected:
            raise CannotFetch(f"{folder / name} is not in {CHECKSUMS.name}")
        if actual[name] != expected[name]:
            raise CannotFetch(
                f"{folder / name} is not the file that is pinned: sha256 "
                f"{actual[name]}, {CHECKSUMS.name} has {expected[name]}. Remove "
                f"{folder.parent} and fetch again; if it is the same, do not use it"
            )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
