"""Ends tasks for certain."""

import asyncio

AGAIN_SECONDS = 2.0


async def end(*tasks: asyncio.Task[None], again: float = AGAIN_SECONDS) -> None:
    """Cancel tasks until they have ended; what they raised is nobody's business.

    One cancellation may get lost: `asyncio.wait_for` of Python 3.11 drops it when what
    it waits for ends in that moment, and clients use it. `again` is how many seconds a
    task may take for its own endings before it is cancelled anew.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again)
    for task in tasks:
        if not task.cancelled():
            task.exception()
