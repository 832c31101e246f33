"""Builds what is due: workers claim one entity after another and build its site.

The table of records has what is due, so a process that is killed loses no build.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Self

from services.techdocs.handlers.build_sources import BuildTools
from services.techdocs.handlers.builds import build
from services.techdocs.handlers.progress import BuildLogFeed
from services.techdocs.model import Documented, Outcome
from shared.contracts.errors import Unavailable

RENEW_SECONDS = 20.0
SWEEP_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
#: After so many idle rounds the generator is warmed up: not during a start.
WARM_AFTER_ROUNDS = 6
LOG = logging.getLogger("techdocs")
Finished = Callable[[Documented, Outcome, float], None]
#: Puts a build into the trace of the request that made it due.
Traced = Callable[[Documented], AbstractContextManager[object]]


class BuildQueue:
    """At most `concurrency` builds at a time in this process.

    `finished` is called with every outcome, for logs and metrics; `traced` is entered
    around every build.
    """

    def __init__(
        self,
        tools: BuildTools,
        progress: BuildLogFeed,
        *,
        concurrency: int,
        finished: Finished | None = None,
        traced: Traced = contextlib.nullcontext,
    ) -> None:
        self._tools = tools
        self._progress = progress
        self._concurrency = concurrency
        self._finished = finished
        self._traced = traced
        self._wake = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._idle_rounds = 0

    async def __aenter__(self) -> Self:
        self._workers = [
            asyncio.create_task(self._work(), name=f"build-{number}")
            for number in range(self._concurrency)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def nudge(self) -> None:
        """Wake the workers: a build is due."""
        self._wake.set()

    async def check(self) -> None:
        """Raise Unavailable if a worker has ended."""
        if not self._workers or any(worker.done() for worker in self._workers):
            raise Unavailable("The builders of techdocs are not at work")

    async def _work(self) -> None:
        while True:
            # A task of its own: an unforeseen error ends one build, not the worker.
            turn = asyncio.create_task(self._turn())
            try:
                await asyncio.wait({turn})
            except asyncio.CancelledError:
                turn.cancel()
                await asyncio.gather(turn, return_exceptions=True)
                raise
            error = turn.exception()
            if error is not None:
                # The table is unavailable; a claim is free again after its lease.
                LOG.warning("build_turn_failed", exc_info=error)
            if error is not None or not turn.result():
                await self._idle()

    async def _turn(self) -> bool:
        record = await self._tools.records.claim()
        if record is not None:
            with self._traced(record):
                await self._one(record)
        return record is not None

    async def _idle(self) -> None:
        try:
            # Not `wait_for`: that loses a cancellation which comes with the wake-up.
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            self._idle_rounds += 1
            if self._idle_rounds >= WARM_AFTER_ROUNDS:
                await self._tools.generator.warm_up()
        else:
            self._wake.clear()

    async def _one(self, record: Documented) -> None:
        started_at = time.monotonic()

        def say(line: str) -> None:
            self._progress.say(record.ref, line)

        try:
            async with _renewed(record.ref, self._tools.records.renew):
                outcome = await build(record, self._tools, say)
            await self._tools.records.finish(record, outcome)
        except Unavailable as error:
            say(f"warn: {error}; trying again")
            wait = min(2.0 ** min(record.tries, 20), LONGEST_WAIT_SECONDS)
            await self._tools.records.postpone(record, wait)
        else:
            if self._finished is not None:
                self._finished(record, outcome, time.monotonic() - started_at)
        finally:
            self._progress.done(record.ref)
        self._wake.set()


@contextlib.asynccontextmanager
async def _renewed(
    ref: str, renew: Callable[[str], Awaitable[bool]]
) -> AsyncIterator[None]:
    """Hold the claim for as long as the work takes."""

    async def hold() -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with contextlib.suppress(Unavailable):
                await renew(ref)

    task = asyncio.create_task(hold())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
