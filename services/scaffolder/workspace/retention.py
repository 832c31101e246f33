"""Deletes the folders of runs that have ended, after a time.

A process that is killed leaves the folders of its dry runs, too.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, Self

from shared.contracts.errors import Unavailable
from shared.kit.processes import tasks

_EVERY_SECONDS = 600.0
_SCRATCH_SECONDS = 3600.0
#: No dry run takes that long.
_DRY_RUN_SECONDS = 600.0


class EndedRuns(Protocol):
    """The store of runs, as far as retention needs it."""

    async def ended_before(self, moment: datetime, ids: Iterable[str]) -> Sequence[str]:
        """Those of `ids` that ended before the moment, or do not exist."""
        ...


class WorkspaceRetention:
    """Deletes the folders of ended runs every `_EVERY_SECONDS`."""

    def __init__(
        self, folder: Path, dry_runs: Path, runs: EndedRuns, *, keep_hours: float
    ) -> None:
        self._folder = folder
        self._dry_runs = dry_runs
        self._runs = runs
        self._keep = timedelta(hours=keep_hours)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="workspace-retention")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def sweep(self) -> int:
        """Delete the folders of ended runs; how many.

        Raises:
            Unavailable: if the store does not answer.
        """
        await asyncio.to_thread(self._remove_dry_runs)
        names = await asyncio.to_thread(self._names)
        runs = [name for name in names if "-scratch-" not in name]
        over = set(await self._runs.ended_before(datetime.now(UTC) - self._keep, runs))
        return await asyncio.to_thread(self._remove, names, over)

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return [path.name for path in self._folder.iterdir() if path.is_dir()]

    def _remove_dry_runs(self) -> None:
        old = datetime.now(UTC).timestamp() - _DRY_RUN_SECONDS
        for path in self._dry_runs.glob("dry-run-*"):
            # Another process may remove one of its own meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < old:
                    shutil.rmtree(path, ignore_errors=True)

    def _remove(self, names: Sequence[str], over: set[str]) -> int:
        removed = 0
        old = datetime.now(UTC).timestamp() - _SCRATCH_SECONDS
        for name in names:
            path = self._folder / name
            is_scratch = "-scratch-" in name and path.stat().st_mtime < old
            if name in over or is_scratch:
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
        return removed

    async def _run(self) -> None:
        while True:
            # Nothing depends on a sweep: the next one is soon enough.
            with contextlib.suppress(Unavailable, OSError):
                await self.sweep()
            await asyncio.sleep(_EVERY_SECONDS)
