"""Gathers what a stream brings into batches, and does nothing while it brings nothing.

Faust's own `take` wakes up at every end of its window, fifty times a second for a
window of 20 ms, also while no message comes.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from shared.kit.processes import tasks

T = TypeVar("T")


async def batches(
    source: AsyncIterator[T], *, size: int, seconds: float
) -> AsyncIterator[list[T]]:
    """Yield up to `size` items at once; the first of them waits at most `seconds`.

    Reads ahead by `size` items while a batch is in use. Ends, or raises, as `source`
    does, after all that it brought.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue(maxsize=size)
    reading = asyncio.create_task(_read(source, queue))
    try:
        while (first := await queue.get()) is not None:
            batch = [first]
            if queue.qsize() < size - 1:
                await asyncio.sleep(seconds)
            is_last = False
            while len(batch) < size and not queue.empty():
                item = queue.get_nowait()
                if item is None:
                    is_last = True
                    break
                batch.append(item)
            yield batch
            if is_last:
                break
        await reading
    finally:
        await tasks.end(reading)


async def _read(source: AsyncIterator[T], queue: "asyncio.Queue[T | None]") -> None:
    try:
        async for item in source:
            await queue.put(item)
    finally:
        if not asyncio.current_task().cancelling():  # type: ignore[union-attr]
            await queue.put(None)
