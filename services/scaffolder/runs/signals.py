"""Wakes requests of this process that wait for a run's log to grow."""

import asyncio
from collections import defaultdict


class Signals:
    """Wakes waiters by task; the requests of other processes poll the store."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def notify(self, task_id: str) -> None:
        """Wake all that wait for this task."""
        for event in self._waiting.get(task_id, ()):
            event.set()

    async def changed(self, task_id: str, seconds: float) -> None:
        """Wait until `notify`, at most `seconds`."""
        event = asyncio.Event()
        waiting = self._waiting[task_id]
        waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(task_id, None)
