"""Which runs this process works on: claims, at most so many at once, heartbeats.

A run is claimed by a lease in the store. Who creates one here starts it at once; others
are offered by the event of its creation, and a slow look catches what nobody offered,
such as runs left by a process that died.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self

from services.scaffolder.model import TakenOver, Task
from services.scaffolder.ports import TaskStore
from services.scaffolder.runs.running import TaskRun
from shared.contracts.errors import Unavailable
from shared.kit.processes import tasks

HEARTBEAT_SECONDS = 1.0
LOOK_SECONDS = 2.0
MakeRun = Callable[[Task], Awaitable[TaskRun]]
Ended = Callable[[Task], None]


class Pool:
    """The runs of this process.

    `make` prepares a claimed task's run; `ended` hears of every task whose turn here
    is over. `slots` 0 means that this process works on none.
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
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._make = make
        self._owner = owner
        self._slots = slots
        self._ended = ended
        self._heartbeat_seconds = heartbeat_seconds
        self._look_seconds = look_seconds
        self._turns: dict[str, _Turn] = {}
        self._look_now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._is_open = True
        self._was_full = False

    async def __aenter__(self) -> Self:
        if self._slots:
            with contextlib.suppress(Unavailable):
                for task_id in await self._store.left_behind(self._owner):
                    self.offer(task_id, takes_back=True)
            self._looking = asyncio.create_task(self._look(), name="run-looks")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop: what is under way is given back, for another process to go on with."""
        self._is_open = False
        if self._looking is not None:
            await tasks.end(self._looking)
        turns = list(self._turns.values())
        for turn in turns:
            turn.stop()
        await asyncio.gather(*(turn.work for turn in turns), return_exceptions=True)

    @property
    def running(self) -> int:
        """How many runs this process works on."""
        return len(self._turns)

    def offer(self, task_id: str, *, takes_back: bool = False) -> None:
        """Work on this run if there is a slot; else somebody looks for it later."""
        if not self._is_open or task_id in self._turns:
            return
        if self.running >= self._slots:
            self._was_full = True
        else:
            turn = _Turn()
            self._turns[task_id] = turn
            taking = self._take(task_id, turn, takes_back=takes_back)
            turn.work = asyncio.create_task(taking, name=f"run-{task_id}")

    def cancel(self, task_id: str) -> None:
        """Cancel the run if this process works on it; else its holder will hear."""
        turn = self._turns.get(task_id)
        if turn is not None:
            turn.cancel()

    async def check(self) -> None:
        """Raise Unavailable if nobody looks for runs any more."""
        if self._looking is not None and self._looking.done():
            raise Unavailable("The scaffolder does not look for runs any more")

    async def _take(self, task_id: str, turn: "_Turn", *, takes_back: bool) -> None:
        task = None
        try:
            task = await self._store.claim(task_id, self._owner, takes_back=takes_back)
            if task is not None:
                await self._hold(task, turn)
        except (TakenOver, Unavailable):
            # Its new holder, or the next look, goes on with it.
            return
        finally:
            self._turns.pop(task_id, None)
            if task is not None:
                self._ended(task)
            if self._was_full:
                self._was_full = False
                self._look_now.set()

    async def _hold(self, task: Task, turn: "_Turn") -> None:
        run = await self._make(task)
        turn.begin(asyncio.ensure_future(run.go()))
        heart = asyncio.ensure_future(self._beat(task, turn))
        try:
            await asyncio.wait({turn.running})
        finally:
            turn.running.cancel()
            await asyncio.wait({turn.running})
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
        if not turn.running.cancelled():
            turn.running.result()
        elif turn.is_cancelled:
            await run.cancelled()
        elif not turn.is_lost:
            await self._store.release(task)

    async def _beat(self, task: Task, turn: "_Turn") -> None:
        while True:
            await asyncio.sleep(self._heartbeat_seconds)
            try:
                with contextlib.suppress(Unavailable):
                    if await self._store.heartbeat(task):
                        turn.cancel()
            except TakenOver:
                turn.lose()

    async def _look(self) -> None:
        while True:
            free = self._slots - self.running
            if free > 0:
                # A store that does not answer is told by the readiness.
                with contextlib.suppress(Unavailable):
                    for task_id in await self._store.claimable(free):
                        self.offer(task_id)
            self._look_now.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._look_now.wait()


class _Turn:
    """One run in this process, from the claim to the end."""

    def __init__(self) -> None:
        self.work: asyncio.Task[None]
        self.running: asyncio.Future[None]
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
        """End the run: somebody asked for it."""
        self.is_cancelled = True
        self._end()

    def lose(self) -> None:
        """Stop without a word: another process has it."""
        self.is_lost = True
        self._end()

    def stop(self) -> None:
        """Stop, and give it back: this process ends."""
        self._is_stopped = True
        self._end()

    def _end(self) -> None:
        if self._has_begun:
            self.running.cancel()
