"""Published sites in a directory: `objects/<hash>/{site,record}`, never changed.

A site is published by one rename after its files are on the disk, so a crash leaves all
of it or nothing. The record of an entity says which site it has.
"""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from shared.contracts.errors import Invalid, NotFound

HASH = re.compile(r"[0-9a-f]{16,64}")
RECORD_NAME = re.compile(r"[a-z]+\.json|pages/[0-9a-f]{24}\.json")


class DirectorySites:
    """The SiteStore of one machine, or of a shared disk."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._building = root / "building"

    def workspace(self) -> Path:
        self._building.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self._building))

    def discard(self, workspace: Path) -> None:
        shutil.rmtree(workspace, ignore_errors=True)

    def has(self, site: str) -> bool:
        # The new time protects the site from `collect` until a record has its hash.
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._object(site))
            return True
        return False

    def publish(self, site: str, out: Path, record: Path) -> None:
        """Raises Invalid if something in it is neither a file nor a folder."""
        target = self._object(site)
        self._objects.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=self._building))
        out.rename(staged / "site")
        record.rename(staged / "record")
        staged.chmod(0o755)
        _settle(staged)
        # The rename fails if another build has published the same content.
        with contextlib.suppress(OSError):
            staged.rename(target)
        _sync(self._objects)
        shutil.rmtree(staged, ignore_errors=True)
        if not target.is_dir():
            raise OSError(f"the site {site} could not be published")

    def file(self, site: str, path: str) -> Path | None:
        parts = path.split("/")
        if "\0" in path or "\\" in path or ".." in parts:
            return None
        root = self._object(site) / "site"
        candidate = root.joinpath(*[part for part in parts if part not in ("", ".")])
        try:
            real = candidate.resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        return real if real.is_relative_to(root.resolve()) else None

    def record(self, site: str, name: str) -> bytes:
        if not RECORD_NAME.fullmatch(name):
            raise NotFound(f"There is no record {name!r}")
        try:
            return (self._object(site) / "record" / name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no record {name!r} of this site") from None

    def collect(self, used: set[str], *, older_than: float) -> int:
        limit = time.time() - older_than
        removed = 0
        for path in _folders(self._objects):
            if path.name not in used and path.stat().st_mtime < limit:
                # Renamed first: a reader gets all of a site or nothing of it.
                doomed = self._building / f"old-{path.name}"
                self._building.mkdir(parents=True, exist_ok=True)
                path.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
                removed += 1
        for path in _folders(self._building):
            # A folder that a killed process left.
            if path.stat().st_mtime < limit:
                shutil.rmtree(path, ignore_errors=True)
        return removed

    def _object(self, site: str) -> Path:
        if not HASH.fullmatch(site):
            raise NotFound("There is no such site")
        return self._objects / site


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from [path for path in parent.iterdir() if path.is_dir()]


def _settle(folder: Path) -> None:
    """Write everything below to the disk, files before the folders that name them."""
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise Invalid(f"{name}: a site holds files and folders only")
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
