"""A run's log: lines in order, stored within a moment, with every secret masked."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.scaffolder.model import LONGEST_MESSAGE, EventType, JsonObject, TaskEvent
from services.scaffolder.secrets.redaction import Redactor
from shared.contracts.errors import Unavailable

_FLUSH_SECONDS = 0.05
_LINES_PER_WRITE = 500
#: The characters of all lines that steps write; those of the run itself are few.
MOST_CHARACTERS = 20_000_000
#: What a line counts beside its message.
LINE_CHARACTERS = 200
LEFT_OUT = "The log is full: further lines of this step and those after it are left out"
#: Called with the id of a run whose log has grown.
Notify = Callable[[str], None]


class LogStore(Protocol):
    """Stores lines of logs."""

    async def append(self, events: Sequence[TaskEvent]) -> None:
        """Add lines."""
        ...


class RunLog:
    """Writes the lines of one run, numbered after `last`.

    `notify` is called whenever lines have been stored.
    """

    def __init__(
        self,
        task_id: str,
        store: LogStore,
        redactor: Redactor,
        *,
        last: int = 0,
        notify: Notify | None = None,
    ) -> None:
        self._task_id = task_id
        self._store = store
        self.redactor = redactor
        self._last = last
        self._notify = notify
        self._pending: list[TaskEvent] = []
        self._characters = 0
        self._loop = asyncio.get_running_loop()
        self._numbering = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._flushes: set[asyncio.Task[None]] = set()

    def add(
        self,
        message: str,
        *,
        step_id: str | None = None,
        status: str | None = None,
        type: EventType = "log",  # noqa: A002 - the field's name
        **more: Any,
    ) -> None:
        """Add a line, from any thread; it is stored by a timer or by `flush`.

        Lines of steps beyond the limit of a log are left out, and the log says so.
        """
        is_of_step = type == "log" and step_id is not None and status is None
        if is_of_step and self._characters > MOST_CHARACTERS:
            return
        redacted = self.redactor.beginning(message, LONGEST_MESSAGE)
        if is_of_step:
            self._characters += LINE_CHARACTERS + len(redacted)
            if self._characters > MOST_CHARACTERS:
                redacted = LEFT_OUT
        body: JsonObject = {"message": redacted}
        if step_id is not None:
            body["stepId"] = step_id
        if status is not None:
            body["status"] = status
        body |= {key: self.redactor.value(value) for key, value in more.items()}
        with self._numbering:
            self._last += 1
            self._pending.append(TaskEvent(self._task_id, self._last, type, body))
        self._loop.call_soon_threadsafe(self._start_timer)

    async def flush(self) -> None:
        """Store the pending lines.

        Raises:
            Unavailable: if the store does not answer; the lines stay pending.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        async with self._writing:
            while lines := self._pending[:_LINES_PER_WRITE]:
                await self._store.append(lines)
                del self._pending[: len(lines)]
                if self._notify is not None:
                    self._notify(self._task_id)

    def _start_timer(self) -> None:
        if self._timer is None and self._pending:
            self._timer = self._loop.call_later(_FLUSH_SECONDS, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        task = asyncio.ensure_future(self._try_flush())
        self._flushes.add(task)
        task.add_done_callback(self._flushes.discard)

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Unavailable:
            # The next flush stores the lines, at the latest the one after the step.
            return
