"""Files of this machine, for `file:` locations of the configuration.

Only below the folders that the configuration itself names: a descriptor must not reach
for the rest of the machine, by `..` or by a link.
"""

import asyncio
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from services.catalog.model import LocationRef
from services.catalog.ports import Compute, FetchedFile, FolderAtPath
from shared.contracts.errors import Forbidden, Invalid, NotFound, TooLarge
from shared.guards.globs import Glob, is_pattern
from shared.guards.workers import run_beside
from shared.guards.yaml_text import DESCRIPTOR

#: How many files are looked at for one pattern.
FILES_LIMIT = 100_000
#: What a descriptor is called where nobody chose another name.
DESCRIPTOR_FILE = "catalog-info.yaml"
CONFIGURED = "the folders of the configured file locations"
#: Neither follows a link that has just come into the place, nor waits for a pipe.
_GUARDED = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileReader:
    """Reads files below `folders`; `scope` is what errors call these folders."""

    def __init__(self, folders: Sequence[Path], scope: str = CONFIGURED) -> None:
        self._scope = scope
        self._folders = tuple(Path(os.path.realpath(folder)) for folder in folders)

    async def read(self, location: LocationRef, etag: str | None) -> FetchedFile:
        """A file's content; its etag is made of inode, size and time of change."""
        return await asyncio.to_thread(self._read, location.target, etag)

    async def matching(
        self, location: LocationRef, compute: Compute = run_beside
    ) -> list[LocationRef]:
        """The files that a pattern means, by name; a path without signs is itself."""
        target = location.target
        if not is_pattern(target) or await asyncio.to_thread(os.path.lexists, target):
            return [location]
        paths = await compute(self._select, target)
        return [LocationRef(location.type, path) for path in paths]

    def _select(self, target: str) -> list[str]:
        glob = Glob(target, label="target")
        base = Path(glob.base or "/")
        self.require_inside(base, glob.pattern)
        may_hold_match = glob.folder_test()
        paths: list[str] = []
        for folder, folders, names in os.walk(base):
            # Folders without a match, hidden ones too, can be many and large (`.git`).
            folders[:] = [
                name
                for name in folders
                if may_hold_match(os.path.join(folder, name))  # noqa: PTH118
            ]
            paths += [os.path.join(folder, name) for name in names]  # noqa: PTH118
            if len(paths) > FILES_LIMIT:
                raise TooLarge(f"target: over {FILES_LIMIT} files below {base}")
        return sorted(glob.select(paths))

    def require_inside(self, path: Path, target: str) -> Path:
        """The real path of a file; links are followed.

        Raises:
            Invalid: if it is no path.
            Forbidden: if it is outside of the folders.
        """
        if "\0" in str(path):
            raise Invalid("target: must not hold NUL")
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise Forbidden(f"target: {target} is outside of {self._scope}")
        return real

    def resolve(self, base: LocationRef, target: str) -> LocationRef:
        """A path as seen from the file at `base`."""
        path = os.path.join(os.path.dirname(base.target), target)  # noqa: PTH118,PTH120
        return LocationRef("file", os.path.normpath(path))

    def _read(self, target: str, etag: str | None) -> FetchedFile:
        path = self.require_inside(Path(target), target)
        try:
            with open(path, "rb", opener=_open) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Invalid(f"{target} is no file")
                current_etag = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
                if etag == current_etag:
                    return FetchedFile(b"", "", etag, is_unchanged=True)
                body = file.read(DESCRIPTOR.size + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"There is no file {target}") from error
        except IsADirectoryError as error:
            example = f"{target.rstrip('/')}/{DESCRIPTOR_FILE}"
            raise FolderAtPath(
                f"{target} is a folder, not a file",
                f"give the path of a descriptor in it, such as {example}",
            ) from error
        except OSError as error:
            raise Invalid(f"{target} cannot be read: {error.strerror}") from error
        if len(body) > DESCRIPTOR.size:
            raise TooLarge(f"{target}: over the limit of {DESCRIPTOR.size} bytes")
        return FetchedFile(body, digest_of(body), current_etag)


def digest_of(body: bytes) -> str:
    """The digest of a file's content, as `Fetched` has it."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _open(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDONLY | _GUARDED)
