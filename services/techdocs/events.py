"""The topics that techdocs consumes, and the reconciling that finds missed events."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Self, TypeVar

from services.techdocs.handlers.documented import (
    Resync,
    entities_changed,
    repository_pushed,
    visibility_changed,
)
from services.techdocs.model import CHECK
from services.techdocs.ports import DocsSources, Records, SiteStore
from shared.contracts.catalog import EntityChange
from shared.contracts.envelope import Envelope
from shared.contracts.errors import CallboardError, Invalid
from shared.contracts.events import payload_of
from shared.contracts.gateway import RepositoryPushed
from shared.contracts.topics import ENTITY_CHANGED, GIT_PUSH
from shared.kit.config.servers import Server
from shared.kit.events.bus import Bus, EventRecord, MemoryBus
from shared.kit.events.consumer_group import GroupConsumer
from shared.kit.events.delivery import Handler
from shared.kit.observability import logs, tracing
from shared.kit.processes import tasks
from shared.kit.resilience.retries import Backoff, retry

T = TypeVar("T")
GROUP = "techdocs"
BACKOFF = Backoff(first=0.2, longest=10.0)
#: Neither a broken answer of the catalog nor a full disk ends the reconciling.
PASSING = (CallboardError, OSError, KeyError, TypeError, ValueError)
JOIN_POLL_SECONDS = 1.0
COLLECT_SECONDS = 600.0
UNUSED_SECONDS = 3600.0


def handlers(
    records: Records, sources: DocsSources, nudge: Callable[[], None]
) -> dict[str, Handler]:
    """The handlers of each topic's events; `nudge` wakes the builders."""

    async def entities(envelopes: Sequence[Envelope]) -> None:
        changes = [_payload(envelope, EntityChange) for envelope in envelopes]
        due = await entities_changed(changes, records, sources)
        if await visibility_changed(changes, records, sources) or due:
            nudge()

    async def pushes(envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            with tracing.continued(envelope.trace):
                push = _payload(envelope, RepositoryPushed)
                if await repository_pushed(push, records):
                    nudge()

    return {ENTITY_CHANGED: entities, GIT_PUSH: pushes}


class MemoryGroupConsumer:
    """`GroupConsumer` on a bus in memory: handles each event when it is published."""

    def __init__(self, bus: MemoryBus, by_topic: Mapping[str, Handler]) -> None:
        self._bus = bus
        self._handlers = by_topic
        self.joined = asyncio.Event()

    async def __aenter__(self) -> Self:
        for topic, handler in self._handlers.items():
            self._bus.subscribe(topic, self._one(handler))
        self.joined.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.joined.clear()

    async def check(self) -> None:
        """A bus in memory is always available."""

    @staticmethod
    def _one(handler: Handler) -> Callable[[EventRecord], Awaitable[None]]:
        async def handle(record: EventRecord) -> None:
            await handler([record.envelope()])

        return handle


def make_consumer(
    server: Server | str, bus: Bus, by_topic: Mapping[str, Handler]
) -> GroupConsumer | MemoryGroupConsumer:
    """The consumer group `techdocs`, on the event log or on a bus in memory."""
    if isinstance(bus, MemoryBus):
        return MemoryGroupConsumer(bus, by_topic)
    return GroupConsumer(GROUP, server, by_topic, bus)


def _payload(envelope: Envelope, kind: type[T]) -> T:
    payload = payload_of(envelope)
    if not isinstance(payload, kind):
        raise Invalid(f"type: {envelope.type!r} does not belong on this topic")
    return payload


class DocsReconciler:
    """Reconciles the table with the catalog, checks old sources, deletes old sites."""

    def __init__(
        self,
        resync: Resync,
        records: Records,
        sites: SiteStore,
        nudge: Callable[[], None],
        *,
        joined: asyncio.Event,
        resync_seconds: float,
        recheck_seconds: float,
    ) -> None:
        self._resync = resync
        self._records = records
        self._sites = sites
        self._nudge = nudge
        self._joined = joined
        self._every = resync_seconds
        self._recheck_seconds = recheck_seconds
        self._collected = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("techdocs")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="techdocs-reconcile")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def _run(self) -> None:
        def note(error: Exception, _: float) -> None:
            self._log.warning("catalog_not_compared", error=str(error))

        gap = True
        while True:
            reconcile = partial(self._reconcile, gap=gap)
            await retry(reconcile, BACKOFF, on=PASSING, note=note)
            gap = await self._rest()

    async def _rest(self) -> bool:
        """Wait for the next round; whether pushes may have been missed meanwhile."""
        deadline = time.monotonic() + self._every
        joined = self._joined.is_set()
        while time.monotonic() < deadline:
            await asyncio.sleep(JOIN_POLL_SECONDS)
            if self._joined.is_set() and not joined:
                return True
            joined = self._joined.is_set()
        return False

    async def _reconcile(self, *, gap: bool) -> None:
        due = await self._resync.run()
        if gap:
            due += await self._resync.check_sources()
        before = datetime.now(UTC) - timedelta(seconds=self._recheck_seconds)
        stale = await self._records.stale(before)
        if stale:
            await self._records.ask(stale, CHECK)
        if due or stale:
            self._nudge()
        if time.monotonic() - self._collected > COLLECT_SECONDS:
            await self._collect()

    async def _collect(self) -> None:
        """Delete the sites that no reader can get any more."""
        await self._records.purge()
        used = await self._records.used_sites()
        removed = await asyncio.to_thread(
            lambda: self._sites.collect(used, older_than=UNUSED_SECONDS)
        )
        self._collected = time.monotonic()
        if removed:
            self._log.info("sites_collected", sites=removed)
