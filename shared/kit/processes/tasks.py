"""Cancels asyncio tasks reliably."""

import asyncio

RETRY_SECONDS = 2.0


async def end(*tasks: asyncio.Task[None], retry_seconds: float = RETRY_SECONDS) -> None:
    """Cancel tasks until they have ended; their exceptions are dropped.

    A cancellation can get lost: `asyncio.wait_for` of Python 3.11 drops it if the
    awaited task ends in the same moment. A task that has not ended after
    `retry_seconds` is therefore cancelled again.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=retry_seconds)
    for task in tasks:
        if not task.cancelled():
            task.exception()
