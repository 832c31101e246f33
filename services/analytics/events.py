"""Runs the stream, anew where it ends by an error, and keeps its counts.

Apache Kafka keeps the tables in their changelog topics. The embedded event log forgets
when it ends, so its tables are written to the data folder as well, every ten minutes
and at an end: what was counted since then is lost when a process is killed.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import NoReturn, Self

from services.analytics import snapshot
from services.analytics.stream import GROUP, ActivityStream
from shared.contracts.errors import Unavailable
from shared.kit.config.servers import Server
from shared.kit.events import broker
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

BACKOFF = Backoff(1.0, 10.0)
SNAPSHOT_SECONDS = 600.0


class ActivityConsumer:
    """The stream that runs now, if one does."""

    def __init__(self, server: Server, folder: Path, *, group: str = GROUP) -> None:
        self._server = server
        self._file = folder / snapshot.NAME
        self._group = group
        self._stream: ActivityStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger(GROUP)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="activity-stream")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task, retry_seconds=2 * broker.END_SECONDS)

    async def ready(self) -> ActivityStream:
        """The stream, with complete tables.

        Raises:
            Unavailable: if the tables are being rebuilt.
        """
        if self._stream is None:
            raise Unavailable("The tables of analytics are being rebuilt")
        await self._stream.check()
        return self._stream

    async def check(self) -> None:
        """Raise Unavailable unless the tables can be read."""
        await self.ready()

    async def _run(self) -> None:
        # The edge: Faust fails in many ways, and a stream that ended counts nothing.
        await retry(self._follow_until_lost, BACKOFF, on=(Exception,), note=self._note)

    async def _follow_until_lost(self) -> NoReturn:
        with broker.failing_if_cancelled():
            await self._follow()

    async def _follow(self) -> NoReturn:
        forgets = not (await broker.abilities(self._server)).declares
        stream = ActivityStream(self._server, group=self._group)
        async with contextlib.AsyncExitStack() as stack:
            if forgets:
                await snapshot.restore(self._file, stream.tables.values())
            await stack.enter_async_context(stream.running())
            if forgets:
                stack.push_async_callback(self._save, stream)
                saving = asyncio.create_task(self._keep_saving(stream))
                stack.push_async_callback(tasks.end, saving)
            self._stream = stream
            stack.callback(self._forget)
            await stream.until_ended()

    def _forget(self) -> None:
        self._stream = None

    async def _keep_saving(self, stream: ActivityStream) -> None:
        while True:
            await asyncio.sleep(SNAPSHOT_SECONDS)
            await self._save(stream)

    async def _save(self, stream: ActivityStream) -> None:
        try:
            await snapshot.save(self._file, stream.tables.values())
        except OSError as error:
            self._log.warning("snapshot_failed", error=str(error))

    def _note(self, error: Exception, _: float) -> None:
        self._log.warning("stream_lost", error=str(error) or type(error).__name__)
