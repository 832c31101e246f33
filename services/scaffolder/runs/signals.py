"""Tells those who wait within this process that a run's log has grown."""

import asyncio
from collections import defaultdict


class Signals:
    """Wakes waiters by task. Who waits elsewhere looks from time to time."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def tell(self, task_id: str) -> None:
        for event in self._waiting.get(task_id, ()):
            event.set()

    async def changed(self, task_id: str, seconds: float) -> None:
        """Wait until something is told, at most `seconds`."""
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
