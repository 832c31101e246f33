"""What search hears (topic -> handler), and the looks that catch what was not said."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self

from services.search.handlers import take_entities, take_sites
from services.search.measures import CHANGES, LAG_SECONDS, RECORDS
from services.search.ports import Alias, Owners
from services.search.resync import ENTITIES, PARTS, OwnedRecords, catch_up, compare
from shared.contracts.envelope import Envelope
from shared.contracts.errors import CallboardError
from shared.contracts.topics import DOCS_BUILT, ENTITY_CHANGED
from shared.kit.config.servers import Server
from shared.kit.events.bus import Bus
from shared.kit.events.workers import SharedWork
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

GROUP = "search"
SETTLE_SECONDS = 1.5
DEAF_SECONDS = 0.5
BACKOFF = Backoff(first=0.2, longest=5.0)
#: Neither an owner that is away or answers nonsense nor a full disk ends the looks.
PASSING = (CallboardError, OSError, KeyError, TypeError, ValueError)


def shared_work(
    alias: Alias,
    owners: Owners,
    server: Server | str,
    bus: Bus,
    *,
    batch: int,
    within: float,
) -> SharedWork:
    """The consumer group `search`: one commit of the index per batch of events."""

    async def entities(envelopes: Sequence[Envelope]) -> None:
        news = await take_entities(alias, owners, envelopes)
        _measure(ENTITY_CHANGED, envelopes, news)

    async def sites(envelopes: Sequence[Envelope]) -> None:
        news = await take_sites(alias, owners, envelopes)
        _measure(DOCS_BUILT, envelopes, news)

    handlers = {ENTITY_CHANGED: entities, DOCS_BUILT: sites}
    return SharedWork(GROUP, server, handlers, bus, batch=batch, within=within)


def _measure(topic: str, envelopes: Sequence[Envelope], news: int) -> None:
    CHANGES.labels(topic).inc(news)
    for envelope in envelopes:
        told = envelope.time.timestamp()
        LAG_SECONDS.labels(topic).observe(max(0.0, time.time() - told))


class IndexReconciler:
    """Compares the index with its owners by checksums, at start and regularly; repairs.

    As long as events are not heard (`hears` is false: a group takes seconds to be
    joined anew) it looks twice a second instead, so that nothing waits for them.
    """

    def __init__(
        self,
        alias: Alias,
        owners: Owners,
        seconds: float,
        hears: Callable[[], bool] = lambda: True,
    ) -> None:
        self._alias = alias
        self._owners = owners
        self._seconds = seconds
        self._hears = hears
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("search")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="search-looks")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def _run(self) -> None:
        await self._compare(lambda: True)
        while True:
            await self._pause()
            await self._compare(lambda: not self._hears())

    async def _compare(self, settled: Callable[[], bool]) -> None:
        def note(error: Exception, _: float) -> None:
            self._log.warning("owners_not_compared", error=str(error))

        await retry(
            lambda: self._look(settled=settled()), BACKOFF, on=PASSING, note=note
        )

    async def _pause(self) -> None:
        end = time.monotonic() + self._seconds
        deaf = not self._hears()
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, DEAF_SECONDS))
            if deaf or not self._hears():
                return

    async def _look(self, *, settled: bool) -> None:
        failed: CallboardError | None = None
        for part in PARTS:
            try:
                await self._look_at(part, settled=settled)
            except CallboardError as error:
                # One owner that is away is no reason to fall behind the other.
                failed = failed or error
        if failed is not None:
            raise failed

    async def _look_at(self, part: OwnedRecords, *, settled: bool) -> None:
        """A difference may be an event on its way: it is given time to arrive."""
        alias = self._alias
        if not settled:
            if (await compare(alias.live, self._owners, part)).reached:
                await self._keep(part)
                return
            await asyncio.sleep(min(SETTLE_SECONDS, self._seconds))
        changes = await catch_up(alias, self._owners, part)
        if changes:
            CHANGES.labels("snapshot").inc(changes)
            self._log.info("caught_up", part=part.name, changes=changes)
        RECORDS.set(await alias.live.index.count())

    async def _keep(self, part: OwnedRecords) -> None:
        """What a look is for beside comparing: what others left behind, the figure."""
        if part is ENTITIES:
            await self._alias.completed()
            RECORDS.set(await self._alias.live.index.count())
