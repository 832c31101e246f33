"""The runs under way in this process: claims, a limit of concurrent runs, heartbeats.

A run is claimed by a lease in the store. A request that creates a run offers it to this
process; the event of its creation offers it to the others. Polling the store finds the
rest, such as the runs of a process that died.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Self

from services.scaffolder.model import TakenOver, Task
from services.scaffolder.ports import TaskStore
from services.scaffolder.runs.running import TaskRun
from shared.contracts.errors import Unavailable
from shared.kit.observability import tracing
from shared.kit.processes import tasks

HEARTBEAT_SECONDS = 1.0
POLL_SECONDS = 2.0
MakeRun = Callable[[Task], Awaitable[TaskRun]]
Ended = Callable[[Task], Awaitable[None]]


class Pool:
    """The runs of this process, at most `slots` at once.

    `make` makes the run of a claimed task; `ended` is called when this process is done
    with a task, whether or not the task has ended. One person's runs leave a quarter of
    the slots to others: a run may wait for hours.
    """

    def __init__(
        self,
        store: TaskStore,
        make: MakeRun,
        *,
        owner: str,
        slots: int,
        ended: Ended,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._store = store
        self._make = make
        self._owner = owner
        self._slots = slots
        self._slots_per_creator = slots - slots // 4
        self._claiming = asyncio.Lock()
        self._ended = ended
        self._heartbeat_seconds = heartbeat_seconds
        self._poll_seconds = poll_seconds
        self._runs: dict[str, _ActiveRun] = {}
        self._poll_now = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self._is_open = True
        self._was_full = False

    async def __aenter__(self) -> Self:
        if self._slots:
            with contextlib.suppress(Unavailable):
                for task_id in await self._store.left_behind(self._owner):
                    self.offer(task_id, takes_back=True)
            self._polling = asyncio.create_task(self._poll(), name="run-polls")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and release the runs under way for other processes to claim."""
        self._is_open = False
        if self._polling is not None:
            await tasks.end(self._polling)
        runs = list(self._runs.values())
        for run in runs:
            run.stop()
        await asyncio.gather(*(run.work for run in runs), return_exceptions=True)

    @property
    def running(self) -> int:
        """The number of runs under way in this process."""
        return len(self._runs)

    def offer(self, task_id: str, *, takes_back: bool = False) -> None:
        """Claim this run if a slot is free; else a later poll finds it."""
        if not self._is_open or task_id in self._runs:
            return
        if self.running >= self._slots:
            self._was_full = True
        else:
            active = _ActiveRun()
            self._runs[task_id] = active
            work = self._work(task_id, active, takes_back=takes_back)
            active.work = asyncio.create_task(work, name=f"run-{task_id}")

    def cancel(self, task_id: str) -> None:
        """Cancel the run if it is under way in this process."""
        active = self._runs.get(task_id)
        if active is not None:
            active.cancel()

    async def check(self) -> None:
        """Raise Unavailable if the store is not polled any more."""
        if self._polling is not None and self._polling.done():
            raise Unavailable("The scaffolder has stopped polling for runs")

    async def _work(
        self, task_id: str, active: "_ActiveRun", *, takes_back: bool
    ) -> None:
        task = None
        try:
            task = await self._claim(task_id, active, takes_back=takes_back)
            if task is not None:
                with _traced(task):
                    await self._run(task, active)
        except (TakenOver, Unavailable):
            # The process that claimed the run, or the next poll, goes on with it.
            return
        finally:
            try:
                if task is not None:
                    with tracing.continued(task.trace):
                        await self._ended(task)
            finally:
                self._runs.pop(task_id, None)
            if self._was_full:
                self._was_full = False
                self._poll_now.set()

    async def _claim(
        self, task_id: str, active: "_ActiveRun", *, takes_back: bool
    ) -> Task | None:
        # One at a time: whose runs are under way is known when a claim is answered.
        async with self._claiming:
            busy_creators = () if takes_back else self._busy_creators()
            task = await self._store.claim(
                task_id,
                self._owner,
                takes_back=takes_back,
                excluded_creators=busy_creators,
            )
            if task is not None:
                active.creator = task.created_by.ref
            elif busy_creators:
                self._was_full = True
        return task

    def _busy_creators(self) -> list[str]:
        """Those whose runs have all slots that one person may have."""
        counts = Counter(active.creator for active in self._runs.values())
        return [
            creator
            for creator, count in counts.items()
            if creator and count >= self._slots_per_creator
        ]

    async def _run(self, task: Task, active: "_ActiveRun") -> None:
        run = await self._make(task)
        active.begin(asyncio.ensure_future(run.go()))
        heartbeats = asyncio.ensure_future(self._send_heartbeats(task, active))
        try:
            await asyncio.wait({active.running})
        finally:
            active.running.cancel()
            await asyncio.wait({active.running})
            heartbeats.cancel()
            await asyncio.gather(heartbeats, return_exceptions=True)
        if not active.running.cancelled():
            active.running.result()
        elif active.is_cancelled:
            await run.cancelled()
        elif not active.is_lost:
            await self._store.release(task)

    async def _send_heartbeats(self, task: Task, active: "_ActiveRun") -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                with contextlib.suppress(Unavailable):
                    if await self._store.heartbeat(task):
                        active.cancel()
            except TakenOver:
                active.lose()

    async def _poll(self) -> None:
        while True:
            free = self._slots - self.running
            if free > 0:
                # The readiness of the service reports a store that does not answer.
                with contextlib.suppress(Unavailable):
                    busy_creators = self._busy_creators()
                    for task_id in await self._store.claimable(free, busy_creators):
                        self.offer(task_id)
            self._poll_now.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._poll_now.wait()


@contextlib.contextmanager
def _traced(task: Task) -> Iterator[None]:
    """The span of a run in this process, in the trace of what created the run."""
    attributes = {
        "callboard.task.id": task.id,
        "callboard.template.ref": task.template_ref,
    }
    with (
        tracing.continued(task.trace),
        tracing.span("template run", attributes) as span,
    ):
        yield
        span.set_attribute("callboard.task.status", task.status)


class _ActiveRun:
    """One run under way in this process, from its claim on."""

    def __init__(self) -> None:
        self.work: asyncio.Task[None]
        self.running: asyncio.Future[None]
        self.creator = ""
        self.is_cancelled = False
        self.is_lost = False
        self._has_begun = False
        self._is_stopped = False

    def begin(self, running: asyncio.Future[None]) -> None:
        self.running = running
        self._has_begun = True
        if self.is_cancelled or self._is_stopped:
            running.cancel()

    def cancel(self) -> None:
        """End the run, as its cancellation was requested."""
        self.is_cancelled = True
        self._end()

    def lose(self) -> None:
        """Stop and write nothing: another process has claimed the run."""
        self.is_lost = True
        self._end()

    def stop(self) -> None:
        """Stop, and release the run: this process ends."""
        self._is_stopped = True
        self._end()

    def _end(self) -> None:
        if self._has_begun:
            self.running.cancel()
