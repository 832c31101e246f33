"""The work beside the requests: loading, the outbox, consumers, takeovers, scans."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from prometheus_client import Gauge

from services.catalog.events import EntityChangeFollower, Pushes
from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.recent import RecentChangesUpdater
from services.catalog.handlers.scanning import DesiredLocations, begin, scan
from services.catalog.handlers.state_follower import StateFollower
from services.catalog.handlers.takeovers import Takeovers
from services.catalog.loading import ReadModelLoader
from services.catalog.settings import Settings
from services.catalog.store.entities import MongoEntityStore
from shared.contracts.errors import CallboardError, Unavailable
from shared.contracts.topics import ENTITY_CHANGED, GIT_PUSH
from shared.kit.events.bus import KafkaBus, LiveReader
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.events.outbox import OutboxRelay
from shared.kit.observability import logs
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

NAME = "catalog"
BACKOFF = Backoff.every(1.0)
log = logs.get_logger(NAME)
OUTBOX = Gauge(
    "callboard_catalog_outbox", "Entities with an event that is not published yet"
)


@dataclass(slots=True)
class Work:
    """The parts of the catalog's work, and its progress."""

    settings: Settings
    catalog: CatalogContext
    desired: DesiredLocations
    store: MongoEntityStore
    relay: OutboxRelay
    recent: RecentChangesUpdater
    follower: StateFollower
    kafka: KafkaBus | None
    loader: ReadModelLoader
    takeovers: Takeovers
    loaded: bool = False
    #: The error that a step of the start waits to pass, for the health check.
    _waits: str = ""
    #: Whether the configured locations have been read for the first time.
    has_begun: bool = False
    #: How often everything was read again since this process began.
    scans: int = 0
    pushes: GroupConsumer | None = None
    change_reader: LiveReader | None = None

    async def run(self) -> None:
        """Start the parts in the order of their dependencies; never returns."""
        async with AsyncExitStack() as stack:
            await self._persist(self.loader.load)
            self.loaded = True
            self.takeovers.activate()
            task = asyncio.create_task(self.takeovers.run(), name="takeovers")
            stack.push_async_callback(tasks.end, task)
            await stack.enter_async_context(self.relay)
            if self.kafka is not None:
                await self._listen(stack, self.kafka)
            await self._persist(self._begin)
            self.has_begun = True
            # Before the scan, which reads several locations at a time: the oldest wins.
            await self.takeovers.settle()
            if self.loader.is_restored:
                # A snapshot and the changes by time: now every revision is compared.
                await self._persist(self._compare)
            keeping = self.loader.keep_current(self.settings.snapshot_seconds)
            task = asyncio.create_task(keeping, name="snapshot")
            stack.push_async_callback(tasks.end, task)
            while True:
                # The first scan finds what was pushed while no process consumed.
                at_once = self.settings.scan_at_once
                await scan(self.catalog, self.desired, at_once, report)
                self.scans += 1
                await self._sweep()
                await asyncio.sleep(self.settings.scan_seconds)

    async def _listen(self, stack: AsyncExitStack, kafka: KafkaBus) -> None:
        log_server = self.settings.event_log
        follower = await stack.enter_async_context(
            EntityChangeFollower(self.catalog, self.follower, self.recent)
        )
        self.change_reader = LiveReader(
            log_server, [ENTITY_CHANGED], follower.batch, on_gap=follower.gap
        )
        await stack.enter_async_context(self.change_reader)
        pushes = await stack.enter_async_context(
            Pushes(self.catalog, self.desired.providers)
        )
        handlers = {GIT_PUSH: pushes}
        self.pushes = GroupConsumer(self.settings.group, log_server, handlers, kafka)
        await stack.enter_async_context(self.pushes)

    async def _sweep(self) -> None:
        """Remove definitions that no entity came to have, once nothing is pending."""
        with contextlib.suppress(Unavailable):
            unused = await self.store.definitions.unused()
            # An event that is still pending may be the only one that names one of them.
            if unused and not await self.relay.depth():
                await self.store.definitions.remove(unused)

    async def _persist(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step until everything that it needs is there."""
        await retry(step, BACKOFF, on=(CallboardError,), note=self._note)
        self._waits = ""

    def _note(self, error: Exception, _: float) -> None:
        self._waits = f": {error}"
        log.warning("catalog_waits", problem=str(error))

    async def _compare(self) -> None:
        differing = await self.follower.compare()
        if differing:
            log.warning("snapshot_differed", entities=len(differing))

    async def _begin(self) -> None:
        await begin(self.catalog, self.desired, report)

    async def check_loaded(self) -> None:
        """Raise Unavailable until the read model is complete."""
        if not self.loaded:
            count = len(self.catalog.state)
            sofar = f", {count:,} entities so far" if count else ""
            raise Unavailable(f"The catalog is being loaded{sofar}{self._waits}")

    async def check_documents(self) -> None:
        """Raise Unavailable unless the documents' engine answers."""
        await self.store.check()
        OUTBOX.set(await self.relay.depth())

    async def check_pushes(self) -> None:
        """Raise Unavailable unless pushes are consumed."""
        if self.pushes is None:
            raise Unavailable("Pushes are not heard yet")
        await self.pushes.check()


def report(source: str, problem: str) -> None:
    """Log a problem that no request waits for."""
    log.warning("source_problem", source=source, problem=problem)
