"""Files of this machine, for `file:` locations of the configuration.

Only below the folders that the configuration itself names: a descriptor must not reach
for the rest of the machine, by `..` or by a link.
"""

import asyncio
import glob
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from services.catalog.model import LocationRef
from services.catalog.ports import Fetched
from shared.contracts.errors import Forbidden, Invalid, NotFound, TooLarge
from shared.guards.yaml_text import DESCRIPTOR


class FileReader:
    """Reads files below `folders`."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(Path(os.path.realpath(folder)) for folder in folders)

    async def read(self, location: LocationRef, etag: str | None) -> Fetched:
        """A file's content; its etag is made of inode, size and time of change."""
        return await asyncio.to_thread(self._read, location.target, etag)

    async def matching(self, location: LocationRef) -> list[LocationRef]:
        """The files that a pattern means, by name."""
        found = await asyncio.to_thread(
            lambda: sorted(glob.glob(location.target, recursive=True))  # noqa: PTH207
        )
        return [LocationRef(location.type, path) for path in found]

    def resolve(self, base: LocationRef, target: str) -> LocationRef:
        """A path as seen from the file at `base`."""
        if "\0" in target:
            raise Invalid("target: must not hold NUL")
        joined = os.path.join(os.path.dirname(base.target), target)  # noqa: PTH118,PTH120
        return LocationRef("file", os.path.normpath(joined))

    def _read(self, target: str, etag: str | None) -> Fetched:
        path = Path(os.path.realpath(target))
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise Forbidden(
                f"target: {target} is outside of the folders of the configured "
                "file locations"
            )
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                current = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
                if etag == current:
                    return Fetched(b"", "", etag, unchanged=True)
                body = file.read(DESCRIPTOR.size + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(f"There is no file {target}") from error
        except OSError as error:
            raise Invalid(f"{target} cannot be read: {error.strerror}") from error
        if len(body) > DESCRIPTOR.size:
            raise TooLarge(f"{target}: over the limit of {DESCRIPTOR.size} bytes")
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        return Fetched(body, digest, current)
