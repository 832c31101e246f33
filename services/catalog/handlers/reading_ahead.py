"""Reads the next targets of a walk while the ones before them are being applied."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from services.catalog.planning.reading import TargetReading


async def ahead(
    walk: AsyncIterator[TargetReading], count: int
) -> AsyncGenerator[TargetReading, None]:
    """The same, while up to `count` more are being read."""
    # Never full, so that who reads can always say that there is no more.
    queue: asyncio.Queue[TargetReading | None] = asyncio.Queue()
    room = asyncio.Semaphore(count)

    async def read() -> None:
        try:
            async for found in walk:
                await room.acquire()
                queue.put_nowait(found)
        finally:
            queue.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        while (found := await queue.get()) is not None:
            room.release()
            yield found
        await reading
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
