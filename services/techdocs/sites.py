"""Published sites in a directory: `objects/<hash>/{site,record}`, never changed.

A site appears by one rename after everything in it is on the disk, so a crash leaves
either all of it or none. Which site an entity shows is a document's business.
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
        # The time of last use protects a site from collection until it is pointed to.
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._object(site))
            return True
        return False

    def publish(self, site: str, out: Path, record: Path) -> None:
        """Raises Invalid if something in it is neither a file nor a folder."""
        target = self._object(site)
        self._objects.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=self._building))
        out.rename(made / "site")
        record.rename(made / "record")
        made.chmod(0o755)
        _settle(made)
        # Taken already: somebody published the same content; one of both is enough.
        with contextlib.suppress(OSError):
            made.rename(target)
        _sync(self._objects)
        shutil.rmtree(made, ignore_errors=True)
        if not target.is_dir():
            raise OSError(f"the site {site} could not be published")

    def file(self, site: str, path: str) -> Path | None:
        parts = path.split("/")
        if "\0" in path or "\\" in path or ".." in parts:
            return None
        root = self._object(site) / "site"
        found = root.joinpath(*[part for part in parts if part not in ("", ".")])
        try:
            real = found.resolve(strict=True)
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
                # Renamed first: a reader meets all of a site or none of it.
                doomed = self._building / f"old-{path.name}"
                self._building.mkdir(parents=True, exist_ok=True)
                path.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)
                removed += 1
        for path in _folders(self._building):
            # What a killed process left behind.
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
