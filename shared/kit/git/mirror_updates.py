"""Keeps one mirror up to date, also where several processes share its folder."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from shared.contracts import room
from shared.kit.git.command import SECONDS, Busy, run_git
from shared.kit.resilience.retries import Backoff, retry

#: Another process may fetch; `spread`, as several wait for it.
BUSY = Backoff(first=0.04, longest=1.6, attempts=7, spread=0.1)


async def update(mirror: Path, clone_url: str, extra: Mapping[str, str]) -> None:
    """Clone a repository, or fetch what is new in it; `extra` is git's environment.

    Raises:
        Busy: if other processes write to the mirror and do not end.
        NoRoom: if the disk is full.
        CallboardError: by what git complained of.
    """
    with room.needed():
        if mirror.is_dir() or not await _clone(mirror, clone_url, extra):
            # Another process may have begun its own before this one was asked for.
            await _fetch(mirror, extra)


async def _clone(mirror: Path, clone_url: str, extra: Mapping[str, str]) -> bool:
    """Make the mirror; False if another process was first."""
    await asyncio.to_thread(mirror.parent.mkdir, parents=True, exist_ok=True)
    parent = tempfile.mkdtemp(dir=mirror.parent)
    try:
        made = Path(parent) / "made.git"
        arguments = ["clone", "--quiet", "--mirror", "--filter=blob:none"]
        await run_git([*arguments, clone_url, str(made)], extra=extra)
        return await asyncio.to_thread(_put, made, mirror)
    finally:
        await asyncio.to_thread(shutil.rmtree, parent, ignore_errors=True)


def _put(made: Path, mirror: Path) -> bool:
    """Make a new clone the mirror; False if another process was first."""
    try:
        made.rename(mirror)
    except OSError:
        if mirror.is_dir():
            return False
        raise
    return True


async def _fetch(mirror: Path, extra: Mapping[str, str]) -> None:
    """Fetch, and wait for other processes that fetch into the same mirror.

    Raises:
        Busy: if they do not end.
    """

    async def fetch() -> None:
        await run_git(["fetch", "--quiet", "--prune"], cwd=mirror, extra=extra)

    async def drop_stale_locks(_: Exception, __: float) -> None:
        await asyncio.to_thread(_drop_stale_locks, mirror)

    await retry(fetch, BUSY, on=(Busy,), note=drop_stale_locks)


def _drop_stale_locks(mirror: Path) -> None:
    """What a killed git left: none lives longer than its time."""
    oldest = time.time() - 2 * SECONDS
    for path in [*mirror.glob("*.lock"), *mirror.glob("refs/**/*.lock")]:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


class Coalesced:
    """Runs that start after a call serve every call made before they start."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._started = 0

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        asked = self._started
        async with self._lock:
            # One run had begun when this was asked, a second began after: it serves.
            if self._started > asked:
                return
            self._started += 1
            await work()
