"""Reads what the placeholders of a descriptor stand for, within one limit for them all.

The catalog, its checks and `callboard validate` all include files by these rules.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from services.catalog.handlers.parsing import compute
from services.catalog.ingest import bundling, placeholders
from services.catalog.model import LocationRef, RepositoryPath
from services.catalog.ports import (
    Compute,
    FolderInPlace,
    HiddenPaths,
    SourceSnapshot,
)
from shared.contracts.errors import CallboardError, Invalid, TooLarge, Unavailable
from shared.guards.addresses import is_web_address
from shared.guards.lfs_pointers import refuse_lfs_pointer

#: Bytes and files that the placeholders of one file bring together.
MOST_BYTES = 20_000_000
MOST_FILES = 300

#: Called before a file is read; raises the error of who may not. Returns what tells
#: which places are hidden that links lead to; None: none of them.
Admit = Callable[[LocationRef], Awaitable[HiddenPaths | None]]


@dataclass(slots=True)
class IncludedContents:
    """What placeholders stand for; a failed one is its error.

    `places` are those in Git that all of it came from, `digest` covers their contents.
    """

    contents: dict[placeholders.Placeholder, Any] = field(default_factory=dict)
    places: dict[RepositoryPath, None] = field(default_factory=dict)
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def digest_with(self, digest: str) -> str:
        """Covers a descriptor of this digest and everything that it includes."""
        digests = f"{digest} {self.digest.hexdigest()}"
        return hashlib.blake2b(digests.encode(), digest_size=16).hexdigest()


async def include(
    references: Iterable[placeholders.Placeholder],
    base: LocationRef,
    reading: SourceSnapshot,
    *,
    admit: Admit | None = None,
    compute: Compute = compute,
) -> IncludedContents:
    """What these placeholders in the file at `base` stand for.

    Raises:
        Unavailable: if a source does not answer.
    """
    files = _IncludedFiles(base, reading, admit, compute)
    for placeholder in references:
        try:
            content = await files.content(*placeholder)
        except Unavailable:
            raise
        except CallboardError as error:
            content = error
        files.included.contents[placeholder] = content
    return files.included


class _IncludedFiles:
    """One descriptor's files, each read once."""

    def __init__(
        self,
        base: LocationRef,
        reading: SourceSnapshot,
        admit: Admit | None,
        compute: Compute,
    ) -> None:
        self.included = IncludedContents()
        self._base = base
        self._reading = reading
        self._admit = admit
        self._compute = compute
        self._bodies: dict[str, bytes] = {}
        self._files = 0
        self._bytes = 0

    async def content(self, name: str, target: str) -> Any:
        """What one placeholder stands for."""
        location = self._reading.included(self._base, target)
        if name in placeholders.BUNDLES:
            return await self._bundle(name, location)
        body = await self._read(location)
        return await self._compute(placeholders.content, name, body)

    async def _read(self, location: LocationRef) -> bytes:
        key = str(location)
        if key in self._bodies:
            return self._bodies[key]
        place = self._reading.place(location)
        if place is not None:
            self.included.places[place] = None
        self._begin_file()
        hidden_paths = None if self._admit is None else await self._admit(location)
        try:
            fetched = await self._reading.read(location, hidden_paths=hidden_paths)
        except FolderInPlace as error:
            # Its advice is how to find a descriptor.
            raise Invalid(f"{error.reason}: name a file in it") from error
        self._bytes += len(fetched.body)
        self._require_room()
        self.included.places.update(dict.fromkeys(fetched.links))
        self.included.digest.update(fetched.digest.encode())
        refuse_lfs_pointer(fetched.body)
        self._bodies[key] = fetched.body
        return fetched.body

    def _begin_file(self) -> None:
        """Count a file; one that is not there costs its source a question as well.

        Raises:
            TooLarge: if the files before it are as many, or as large, as is allowed.
        """
        self._files += 1
        if self._files > MOST_FILES:
            raise TooLarge(f"placeholders: over {MOST_FILES} files in one descriptor")
        self._require_room()

    def _require_room(self) -> None:
        if self._bytes > MOST_BYTES:
            raise TooLarge(f"placeholders: over {MOST_BYTES:,} bytes in one descriptor")

    async def _bundle(self, name: str, start: LocationRef) -> str:
        """The files that a definition leads to, as one."""
        bodies: dict[str, bytes] = {}
        links: dict[tuple[str, str], str] = {}
        queue = deque([start])
        while queue:
            location = queue.popleft()
            if str(location) in bodies:
                continue
            body = bodies[str(location)] = await self._read(location)
            label = location.target.rpartition("/")[2]
            for target in await self._compute(bundling.targets_in, body, label):
                other_file = await self._linked(location, target)
                if other_file is not None:
                    links[str(location), target] = str(other_file)
                    queue.append(other_file)
        bundle: str = await self._compute(
            bundling.bundle_of, name, str(start), bodies, links
        )
        return bundle

    async def _linked(self, location: LocationRef, target: str) -> LocationRef | None:
        """The file that a reference names; None for an address that is not read.

        Such a reference stays as it is: whoever shows the definition names it.

        Raises:
            Invalid: naming both files, if one beside it cannot be read.
        """
        # Names of files that are known already give nobody else a turn.
        await asyncio.sleep(0)
        try:
            other_file = self._reading.included(location, target)
            await self._read(other_file)
        except Unavailable:
            raise
        except CallboardError as error:
            if is_web_address(target):
                return None
            name = location.target.rpartition("/")[2]
            raise Invalid(f"{name} refers to {target}: {error.message}") from error
        return other_file
