"""Limits on processor time: they hold on a busy machine and on a slow one."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

#: The work by which a machine is measured, and what it takes where limits were set.
ADDITIONS = 500_000
USUAL_SECONDS = 0.05


#: Processor time after which a request has to let others have their turn.
LONGEST_STRETCH = 0.05


def slowness() -> float:
    """How many times slower this machine is now than the usual one, at least 1."""
    total, started_at = 0, time.thread_time()
    for number in range(ADDITIONS):
        total += number
    return max(1.0, (time.thread_time() - started_at) / USUAL_SECONDS)


@contextmanager
def limit_processor_time(seconds: float) -> Iterator[None]:
    """Fail if the block takes more processor time, in this thread, than `seconds`.

    On a slower machine it may take as many times more. Garbage collection is off in the
    block, because it also walks other tests' objects.
    """
    gc.disable()
    started_at = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - started_at
        gc.enable()
    if spent >= seconds:
        limit = seconds * slowness()
        assert spent < limit, f"{spent:.2f} s of processor time, at most {limit:.2f}"


@asynccontextmanager
async def limit_stretches(seconds: float = LONGEST_STRETCH) -> AsyncIterator[None]:
    """Fail if the block holds the event loop for more processor time at a stretch.

    On a slower machine it may hold it as many times longer.
    """
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    gc.disable()
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield
        await asyncio.sleep(0)
    finally:
        watching.cancel()
        gc.enable()
    if longest >= seconds:
        limit = seconds * slowness()
        assert longest < limit, f"{longest:.3f} s at a stretch, at most {limit:.3f}"
