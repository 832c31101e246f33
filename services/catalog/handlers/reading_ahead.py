"""Reads the next targets of a walk while the ones before them are being applied."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from services.catalog.planning.reading import TargetReading


async def read_ahead(
    walk: AsyncIterator[TargetReading], count: int
) -> AsyncGenerator[TargetReading, None]:
    """The same, while up to `count` more are being read."""
    # Never full, so that who reads can always say that there is no more.
    queue: asyncio.Queue[TargetReading | None] = asyncio.Queue()
    room = asyncio.Semaphore(count)

    async def read() -> None:
        try:
            async for reading in walk:
                await room.acquire()
                queue.put_nowait(reading)
        finally:
            queue.put_nowait(None)

    task = asyncio.create_task(read())
    try:
        while (reading := await queue.get()) is not None:
            room.release()
            yield reading
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
