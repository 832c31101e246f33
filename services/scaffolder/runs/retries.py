"""Retries of a run: it goes on after the restart of a server."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.kit.resilience.retries import Backoff, Note, retry

T = TypeVar("T")
STORE_BACKOFF = Backoff(first=0.1, longest=5.0)
STEP_BACKOFF = Backoff(first=0.5, longest=10.0, within=120.0)


async def retry_store(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat `work` until the store of runs answers."""
    return await retry(work, STORE_BACKOFF)


async def retry_step(work: Callable[[], Awaitable[T]], note: Note) -> T:
    """Repeat a step's work, for two minutes, while what it needs is unavailable.

    Raises:
        Unavailable: if it is still unavailable then.
    """
    return await retry(work, STEP_BACKOFF, note=note)
