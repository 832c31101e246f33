"""Passes the log lines of builds to the requests of this process that follow them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

QUEUED = 1000


class BuildLogFeed:
    """The lines of builds for their listeners; a slow listener loses lines."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[asyncio.Queue[str | None]]] = {}

    def say(self, ref: str, line: str) -> None:
        """One line of the log of an entity's build."""
        self._put(ref, line)

    def done(self, ref: str) -> None:
        """The build of an entity ended."""
        self._put(ref, None)

    def _put(self, ref: str, line: str | None) -> None:
        for queue in self._listeners.get(ref, ()):
            if line is None or queue.qsize() < QUEUED:
                queue.put_nowait(line)

    @contextmanager
    def listen(self, ref: str) -> Iterator["Listening"]:
        """Follow an entity's builds from now on."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._listeners.setdefault(ref, []).append(queue)
        try:
            yield Listening(queue)
        finally:
            self._listeners[ref].remove(queue)
            if not self._listeners[ref]:
                del self._listeners[ref]


class Listening:
    """The lines of an entity's builds; None is the end of one."""

    def __init__(self, queue: asyncio.Queue[str | None]) -> None:
        self._queue = queue

    async def lines(self, quiet_seconds: float) -> AsyncIterator[str | None]:
        """Lines as they come; an empty one after so many seconds without any."""
        while True:
            try:
                async with asyncio.timeout(quiet_seconds):
                    yield await self._queue.get()
            except TimeoutError:
                yield ""
