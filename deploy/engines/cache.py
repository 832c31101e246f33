"""Where fetched jars and binaries are kept: built aside, checked, then put in place.

Two processes that fetch at once are safe: one builds, the other waits and finds it.
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
    """A server's files cannot be had or trusted; the message says what to do."""


def root() -> Path:
    """The cache's folder."""
    given = os.environ.get(VARIABLE)
    base = Path(given).expanduser() if given else Path.home() / ".cache" / "callboard"
    return base.absolute() / "engines"


def cached_folder(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `make` fills it if it is not there yet.

    Raises:
        CannotFetch: if it cannot be made, or what was made is not what is pinned.
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
    """Wait for, and hold, a lock file."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pinned(what: str) -> dict[str, str]:
    """The committed checksums of one server's files."""
    found: dict[str, Any] = json.loads(CHECKSUMS.read_text("utf-8"))
    return dict(found[what])


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a folder, by file name."""
    return {path.name: _digest(path) for path in sorted(folder.iterdir())}


def check(folder: Path, wanted: Mapping[str, str]) -> None:
    """Compare a folder's files with their checksums.

    Raises:
        CannotFetch: naming the first file that is missing, unknown, or another one.
    """
    found = digests(folder)
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            raise CannotFetch(f"{name} is missing in {folder}")
        if name not in wanted:
            raise CannotFetch(f"{folder / name} is not in {CHECKSUMS.name}")
        if found[name] != wanted[name]:
            raise CannotFetch(
                f"{folder / name} is not the file that is pinned: sha256 "
                f"{found[name]}, {CHECKSUMS.name} has {wanted[name]}. Remove "
                f"{folder.parent} and fetch again; if it is the same, do not use it"
            )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
