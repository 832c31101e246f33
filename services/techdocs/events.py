"""What techdocs hears (topic -> handler), and the looks that catch what was unsaid."""

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
#: Neither a catalog that is away or answers nonsense nor a full disk ends the looks.
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
        asked = await entities_changed(changes, records, sources)
        if await visibility_changed(changes, records, sources) or asked:
            nudge()

    async def pushes(envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            with tracing.continued(envelope.trace):
                push = _payload(envelope, RepositoryPushed)
                if await repository_pushed(push, records):
                    nudge()

    return {ENTITY_CHANGED: entities, GIT_PUSH: pushes}


class HandedOver:
    """`GroupConsumer` on a bus in memory: handles each event when it is published."""

    def __init__(self, bus: MemoryBus, given: Mapping[str, Handler]) -> None:
        self._bus = bus
        self._given = given
        self.joined = asyncio.Event()

    async def __aenter__(self) -> Self:
        for topic, handler in self._given.items():
            self._bus.subscribe(topic, self._one(handler))
        self.joined.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.joined.clear()

    async def check(self) -> None:
        """It is always at work."""

    @staticmethod
    def _one(handler: Handler) -> Callable[[EventRecord], Awaitable[None]]:
        async def handle(record: EventRecord) -> None:
            await handler([record.envelope()])

        return handle


def make_consumer(
    server: Server | str, bus: Bus, given: Mapping[str, Handler]
) -> GroupConsumer | HandedOver:
    """The consumer group `techdocs`, on the event log or on a bus in memory."""
    if isinstance(bus, MemoryBus):
        return HandedOver(bus, given)
    return GroupConsumer(GROUP, server, given, bus)


def _payload(envelope: Envelope, kind: type[T]) -> T:
    found = payload_of(envelope)
    if not isinstance(found, kind):
        raise Invalid(f"type: {envelope.type!r} does not belong on this topic")
    return found


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
        look_seconds: float,
    ) -> None:
        self._resync = resync
        self._records = records
        self._sites = sites
        self._nudge = nudge
        self._joined = joined
        self._every = resync_seconds
        self._look_seconds = look_seconds
        self._collected = time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get_logger("techdocs")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="techdocs-looks")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)

    async def _run(self) -> None:
        def note(error: Exception, _: float) -> None:
            self._log.warning("catalog_not_compared", error=str(error))

        gap = True
        while True:
            look = partial(self._look, gap=gap)
            await retry(look, BACKOFF, on=PASSING, note=note)
            gap = await self._rest()

    async def _rest(self) -> bool:
        """Wait for the next look; whether pushes may have been missed meanwhile."""
        deadline = time.monotonic() + self._every
        joined = self._joined.is_set()
        while time.monotonic() < deadline:
            await asyncio.sleep(JOIN_POLL_SECONDS)
            if self._joined.is_set() and not joined:
                return True
            joined = self._joined.is_set()
        return False

    async def _look(self, *, gap: bool) -> None:
        asked = await self._resync.run()
        if gap:
            asked += await self._resync.check_sources()
        before = datetime.now(UTC) - timedelta(seconds=self._look_seconds)
        stale = await self._records.stale(before)
        if stale:
            await self._records.ask(stale, CHECK)
        if asked or stale:
            self._nudge()
        if time.monotonic() - self._collected > COLLECT_SECONDS:
            await self._collect()

    async def _collect(self) -> None:
        """Remove what nobody can be shown any more."""
        await self._records.purge()
        used = await self._records.used_sites()
        removed = await asyncio.to_thread(
            lambda: self._sites.collect(used, older_than=UNUSED_SECONDS)
        )
        self._collected = time.monotonic()
        if removed:
            self._log.info("sites_collected", sites=removed)
