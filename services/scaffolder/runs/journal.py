"""A run's log: lines in order, written soon, with every secret taken out."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.scaffolder.model import LONGEST_MESSAGE, EventType, JsonObject, TaskEvent
from services.scaffolder.secrets.redaction import Redactor
from shared.contracts.errors import Unavailable

_SOON = 0.05
_ONE_WRITE = 500
Told = Callable[[str], None]


class EventKeeper(Protocol):
    """Where lines are kept."""

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Add lines."""
        ...


class Journal:
    """Writes a run's lines, numbered after `last`; `told` hears when some are kept."""

    def __init__(
        self,
        task_id: str,
        keeper: EventKeeper,
        redactor: Redactor,
        *,
        last: int = 0,
        told: Told | None = None,
    ) -> None:
        self._task_id = task_id
        self._keeper = keeper
        self._redactor = redactor
        self._last = last
        self._told = told
        self._waiting: list[TaskEvent] = []
        self._loop = asyncio.get_running_loop()
        self._numbering = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()

    def log(
        self,
        message: str,
        *,
        step_id: str | None = None,
        status: str | None = None,
        type: EventType = "log",  # noqa: A002 - the field's name
        **more: Any,
    ) -> None:
        """Add a line; it is kept within a moment, or by `flush`. From any thread."""
        shown = self._redactor.beginning(message, LONGEST_MESSAGE)
        body: JsonObject = {"message": shown}
        if step_id is not None:
            body["stepId"] = step_id
        if status is not None:
            body["status"] = status
        body |= {key: self._redactor.value(value) for key, value in more.items()}
        with self._numbering:
            self._last += 1
            self._waiting.append(TaskEvent(self._task_id, self._last, type, body))
        self._loop.call_soon_threadsafe(self._wait_a_moment)

    async def flush(self) -> None:
        """Keep what is waiting.

        Raises:
            Unavailable: if the store does not answer; the lines keep waiting.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            while lines := self._waiting[:_ONE_WRITE]:
                await self._keeper.append(lines)
                del self._waiting[: len(lines)]
                if self._told is not None:
                    self._told(self._task_id)

    def _wait_a_moment(self) -> None:
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_later(_SOON, self._flush_soon)

    def _flush_soon(self) -> None:
        self._timer = None
        task = asyncio.ensure_future(self._flush_quietly())
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)

    async def _flush_quietly(self) -> None:
        try:
            await self.flush()
        except Unavailable:
            # The next flush, at the latest the one at the step's end, tries again.
            return
