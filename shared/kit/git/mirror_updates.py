"""Clones and fetches one mirror, also if several processes share its folder."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from shared.contracts import disk_space
from shared.contracts.errors import CallboardError
from shared.kit.git.command import SECONDS, RepositoryBusy, run_git
from shared.kit.git.not_found import fresh_copy
from shared.kit.resilience.retries import Backoff, retry

#: Another process may fetch; `spread`, as several wait for it.
BUSY_BACKOFF = Backoff(first=0.04, longest=1.6, attempts=7, spread=0.1)


async def update(mirror: Path, clone_url: str, environment: Mapping[str, str]) -> None:
    """Clone a repository, or fetch what is new in it; `extra` is git's environment.

    Raises:
        RepositoryBusy: if other processes keep writing to the mirror.
        DiskFull: if the disk is full.
        CallboardError: according to git's error message.
    """
    with disk_space.raising_disk_full():
        if mirror.is_dir() or not await _clone(mirror, clone_url, environment):
            # Another process' clone may be older than this request, so fetch as well.
            await _fetch(mirror, environment)


async def _clone(mirror: Path, clone_url: str, environment: Mapping[str, str]) -> bool:
    """Clone the mirror; False if another process was first."""
    await asyncio.to_thread(mirror.parent.mkdir, parents=True, exist_ok=True)
    parent = tempfile.mkdtemp(dir=mirror.parent)
    try:
        clone = Path(parent) / "made.git"
        arguments = ["clone", "--quiet", "--mirror", "--filter=blob:none"]
        await run_git([*arguments, clone_url, str(clone)], environment=environment)
        return await asyncio.to_thread(_move_into_place, clone, mirror)
    finally:
        await asyncio.to_thread(shutil.rmtree, parent, ignore_errors=True)


def _move_into_place(clone: Path, mirror: Path) -> bool:
    """Move a new clone to the mirror's path; False if another process was first."""
    try:
        clone.rename(mirror)
    except OSError:
        if mirror.is_dir():
            return False
        raise
    return True


async def _fetch(mirror: Path, environment: Mapping[str, str]) -> None:
    """Fetch, and wait for other processes that fetch into the same mirror.

    Raises:
        RepositoryBusy: if they do not end.
    """

    async def fetch() -> None:
        await run_git(
            ["fetch", "--quiet", "--prune"], cwd=mirror, environment=environment
        )

    async def drop_stale_locks(_: Exception, __: float) -> None:
        await asyncio.to_thread(_drop_stale_locks, mirror)

    await retry(fetch, BUSY_BACKOFF, on=(RepositoryBusy,), note=drop_stale_locks)


def _drop_stale_locks(mirror: Path) -> None:
    """Delete lock files that are older than any running git command."""
    oldest = time.time() - 2 * SECONDS
    for path in [*mirror.glob("*.lock"), *mirror.glob("refs/**/*.lock")]:
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


class CoalescedRuns:
    """Shares runs: one run serves all calls that were made before it started.

    Its error is theirs, too. A run that was cancelled serves nobody.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._runs_started = 0
        #: The last run that ended, and its error.
        self._ended_run = 0
        self._error: CallboardError | None = None

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        runs_before = self._runs_started
        async with self._lock:
            # A run that started after this call has ended, so the call is served.
            if self._ended_run > runs_before:
                if self._error is not None:
                    raise fresh_copy(self._error)
                return
            self._runs_started += 1
            self._error = None
            try:
                await work()
            except CallboardError as error:
                self._error = fresh_copy(error)
                self._ended_run = self._runs_started
                raise
            self._ended_run = self._runs_started
