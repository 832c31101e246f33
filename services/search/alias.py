"""The alias of an index of one's own: the generation that answers, and a rising one.

On disk a folder per generation and a file `current` that names the one that answers;
replacing that file is the switch. A generation that cannot be opened is put aside and
a new one begun: the index is no truth.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from services.search.generation import LocalGeneration
from services.search.model import Change
from services.search.ports import RecordIndex
from shared.contracts.errors import Conflict, Unavailable

Opener = Callable[[Path], RecordIndex]
COMPLETE = "complete"
CURRENT = "current"


class LocalAlias:
    """What answers questions and takes changes, whichever generation that is."""

    def __init__(self, folder: Path, opener: Opener) -> None:
        self._folder = folder
        self._opener = opener
        self._live: LocalGeneration | None = None
        self._rising: LocalGeneration | None = None
        self._put_aside: str | None = None

    @property
    def put_aside(self) -> str | None:
        return self._put_aside

    @property
    def live(self) -> LocalGeneration:
        if self._live is None:
            raise Unavailable("The search index is not open")
        return self._live

    @property
    def answering(self) -> LocalGeneration:
        live = self.live
        if not live.complete:
            raise Unavailable("The search index is being built; ask again soon")
        return live

    async def open(self) -> None:
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        name = await asyncio.to_thread(self._current)
        if name is not None:
            try:
                self._live = await self._opened(name)
            except (ValueError, OSError, KeyError, TypeError) as error:
                self._put_aside = f"{name}: {error}"
        if self._live is None:
            self._live = await self._opened(await asyncio.to_thread(self._next_name))
            await asyncio.to_thread(self._point, self._live.name)
        await asyncio.to_thread(self._sweep, {self._live.name})

    async def close(self) -> None:
        for generation in (self._live, self._rising):
            if generation is not None:
                await generation.close()
        self._live = self._rising = None

    async def apply(self, changes: Sequence[Change]) -> int:
        rising = self._rising
        if rising is not None:
            await rising.apply(changes)
        return await self.live.apply(changes)

    async def check(self) -> None:
        await self.answering.index.count()

    async def completed(self) -> None:
        await self._complete(self.live)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[bool]:
        """Always: no other process writes to this index."""
        yield True

    async def _complete(self, generation: LocalGeneration) -> None:
        if not generation.complete:
            path = self._folder / generation.name / COMPLETE
            await asyncio.to_thread(path.touch)
            generation.complete = True

    async def begin(self) -> LocalGeneration:
        if self._rising is not None:
            raise Conflict("The index is being rebuilt already")
        self._rising = await self._opened(await asyncio.to_thread(self._next_name))
        return self._rising

    async def switch(self) -> None:
        rising, old = self._rising, self.live
        if rising is None:
            raise Conflict("No index is being rebuilt")
        await self._complete(rising)
        await asyncio.to_thread(self._point, rising.name)
        self._live, self._rising = rising, None
        await old.close()
        await asyncio.to_thread(self._sweep, {rising.name})

    async def abandon(self) -> None:
        rising, self._rising = self._rising, None
        if rising is not None:
            await rising.close()
            await asyncio.to_thread(self._sweep, {self.live.name})

    async def _opened(self, name: str) -> LocalGeneration:
        path = self._folder / name
        complete = await asyncio.to_thread((path / COMPLETE).exists)
        index = await asyncio.to_thread(self._opener, path)
        return await LocalGeneration.of(name, index, complete=complete)

    def _current(self) -> str | None:
        try:
            name = (self._folder / CURRENT).read_text(encoding="ascii").strip()
        except (FileNotFoundError, ValueError):
            return None
        return name if name.isdigit() and (self._folder / name).is_dir() else None

    def _next_name(self) -> str:
        numbers = [int(path.name) for path in self._generations()]
        return f"{max(numbers, default=0) + 1:06d}"

    def _point(self, name: str) -> None:
        fresh = self._folder / f"{CURRENT}.new"
        with fresh.open("w", encoding="ascii") as file:
            file.write(name)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / CURRENT)

    def _generations(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name.isdigit()]

    def _sweep(self, kept: set[str]) -> None:
        for path in self._generations():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
