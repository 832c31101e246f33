"""The alias of the embedded index: the live index version, and one that is being built.

On disk each version is a folder, and the file `current` names the live one; replacing
the file is the switch. A version that cannot be opened is quarantined and an empty one
is started, because the index can be rebuilt.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.search.index_version import LocalIndexVersion
from services.search.model import Change
from services.search.ports import RecordIndex
from shared.contracts.errors import Conflict, Unavailable

Opener = Callable[[Path], RecordIndex]
COMPLETE = "complete"
CURRENT = "current"


class LocalAlias:
    """Passes queries and changes to the current version of the embedded index."""

    def __init__(self, folder: Path, opener: Opener) -> None:
        self._folder = folder
        self._opener = opener
        self._live: LocalIndexVersion | None = None
        self._candidate: LocalIndexVersion | None = None
        self._quarantine_reason: str | None = None

    @property
    def quarantine_reason(self) -> str | None:
        return self._quarantine_reason

    @property
    def live(self) -> LocalIndexVersion:
        if self._live is None:
            raise Unavailable("The search index is not open")
        return self._live

    @property
    def answering(self) -> LocalIndexVersion:
        live = self.live
        if not live.complete:
            raise Unavailable("The search index is being built; ask again soon")
        return live

    async def open(self) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        name = await asyncio.to_thread(self._read_current)
        if name is not None:
            try:
                self._live = await self._open_version(name)
            except (ValueError, OSError, KeyError, TypeError) as error:
                self._quarantine_reason = f"{name}: {error}"
        if self._live is None:
            self._live = await self._open_version(
                await asyncio.to_thread(self._next_name)
            )
            await asyncio.to_thread(self._write_current, self._live.name)
        await asyncio.to_thread(self._delete_except, {self._live.name})

    async def close(self) -> None:
        for index_version in (self._live, self._candidate):
            if index_version is not None:
                await index_version.close()
        self._live = self._candidate = None

    async def apply(self, changes: Sequence[Change]) -> int:
        candidate = self._candidate
        if candidate is not None:
            await candidate.apply(changes)
        return await self.live.apply(changes)

    async def check(self) -> None:
        await self.answering.index.count()

    async def completed(self) -> None:
        await self._mark_complete(self.live)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Always true: no other process writes to this index."""
        yield True

    async def _mark_complete(self, index_version: LocalIndexVersion) -> None:
        if not index_version.complete:
            path = self._folder / index_version.name / COMPLETE
            await asyncio.to_thread(path.touch)
            index_version.complete = True

    async def begin(self) -> LocalIndexVersion:
        if self._candidate is not None:
            raise Conflict("The index is being rebuilt already")
        self._candidate = await self._open_version(
            await asyncio.to_thread(self._next_name)
        )
        return self._candidate

    async def switch(self) -> None:
        candidate, previous = self._candidate, self.live
        if candidate is None:
            raise Conflict("No index is being rebuilt")
        await self._mark_complete(candidate)
        await asyncio.to_thread(self._write_current, candidate.name)
        self._live, self._candidate = candidate, None
        await previous.close()
        await asyncio.to_thread(self._delete_except, {candidate.name})

    async def abandon(self) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            await candidate.close()
            await asyncio.to_thread(self._delete_except, {self.live.name})

    async def _open_version(self, name: str) -> LocalIndexVersion:
        path = self._folder / name
        complete = await asyncio.to_thread((path / COMPLETE).exists)
        index = await asyncio.to_thread(self._opener, path)
        return await LocalIndexVersion.of(name, index, complete=complete)

    def _read_current(self) -> str | None:
        try:
            name = (self._folder / CURRENT).read_text(encoding="ascii").strip()
        except (FileNotFoundError, ValueError):
            return None
        return name if name.isdigit() and (self._folder / name).is_dir() else None

    def _next_name(self) -> str:
        numbers = [int(path.name) for path in self._version_folders()]
        return f"{max(numbers, default=0) + 1:06d}"

    def _write_current(self, name: str) -> None:
        new_file = self._folder / f"{CURRENT}.new"
        with new_file.open("w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        new_file.replace(self._folder / CURRENT)

    def _version_folders(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name.isdigit()]

    def _delete_except(self, names: set[str]) -> None:
        for path in self._version_folders():
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)
