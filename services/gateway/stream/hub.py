"""Delivers live events to readers, stores the latest, drops readers who are too slow.

The policy decides about each event when it is delivered, so a change of groups counts
from the next event on. A position is valid in this process only: after a restart, or
when messages may have been missed, readers are told to read everything again.
"""

import asyncio
import itertools
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from services.gateway.model import Decision, Identity, LiveEvent
from services.gateway.ports import Memberships, PermissionChecker
from shared.contracts.catalog import remaining_paths
from shared.contracts.entity import Entity
from shared.contracts.topics import ENTITY_CHANGED, GIT_PUSH, TEMPLATE_RUN
from shared.guards.numbers import whole_number

STORED_EVENTS = 5000
STORED_BYTES = 8 * 1024 * 1024
#: Cached entities of events: readers get the same events at the same time.
CACHED_ENTITIES = 64
#: Events that a reader may be behind.
QUEUE_SIZE = 500
#: Seconds after which a stream ends, so that its reader authenticates again.
LIFE_SECONDS = 1800.0

Matches = Callable[[Mapping[str, Any], Entity], bool]


class _End:
    """The end of the stream, in a reader's queue."""


class _Reader:
    """One subscription's filter and queue."""

    def __init__(self, topics: Collection[str], entity: str | None) -> None:
        self.topics = frozenset(topics)
        self.entity = entity
        self.queue: asyncio.Queue[LiveEvent | _End | None] = asyncio.Queue(QUEUE_SIZE)

    def wants(self, event: LiveEvent) -> bool:
        if self.topics and event.topic not in self.topics:
            return False
        return self.entity is None or self.entity in event.touches

    def put(self, item: LiveEvent | _End | None) -> bool:
        """Queue an item; False: the reader is too far behind and their stream ends."""
        if not self.queue.full():
            self.queue.put_nowait(item)
            return True
        # The queued events are dropped: the reader resumes after the last event that
        # was delivered, and misses none.
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(_End())
        return False


class LiveHub:
    """`LiveEvents`; fed by `publish` and `missed`."""

    def __init__(
        self,
        guard: PermissionChecker,
        memberships: Memberships,
        matches: Matches,
        *,
        life_seconds: float = LIFE_SECONDS,
    ) -> None:
        self._guard = guard
        self._memberships = memberships
        self._matches = matches
        self._life = life_seconds
        self._entity_in = lru_cache(CACHED_ENTITIES)(entity_in)
        self._shown_document = lru_cache(CACHED_ENTITIES)(shown_document)
        self._readers: set[_Reader] = set()
        self._stored: deque[LiveEvent] = deque()
        self._stored_bytes = 0
        self._newest: dict[str, LiveEvent] = {}
        self._begin()

    @property
    def readers(self) -> int:
        """The number of open streams."""
        return len(self._readers)

    def _begin(self) -> None:
        self._epoch = uuid.uuid4().hex[:12]
        self._last = 0
        self._newest.clear()
        self._stored.clear()
        self._stored_bytes = 0

    def position(self) -> str:
        """The newest event's position."""
        return f"{self._epoch}-{self._last}"

    def publish(self, event: LiveEvent) -> None:
        """Give the event its position, store it, and queue it for its readers."""
        self._last += 1
        event = replace(event, position=self.position())
        self._stored.append(event)
        self._stored_bytes += len(event.document)
        if event.topic == ENTITY_CHANGED:
            self._newest[event.subject] = event
        while len(self._stored) > STORED_EVENTS or self._stored_bytes > STORED_BYTES:
            oldest = self._stored.popleft()
            self._stored_bytes -= len(oldest.document)
            if self._newest.get(oldest.subject) is oldest:
                del self._newest[oldest.subject]
        slow_readers = [
            reader
            for reader in self._readers
            if reader.wants(event) and not reader.put(event)
        ]
        self._readers.difference_update(slow_readers)

    async def missed(self) -> None:
        """Tell readers to read everything again, because events may be missing."""
        self._begin()
        self._readers = {reader for reader in self._readers if reader.put(None)}

    @asynccontextmanager
    async def subscribe(
        self,
        identity: Identity,
        *,
        topics: Collection[str] = (),
        entity: str | None = None,
        after: str | None = None,
    ) -> AsyncIterator[AsyncIterator[LiveEvent | None]]:
        """A stream; see the port."""
        reader = _Reader(topics, entity)
        backlog = self._since(after)
        self._readers.add(reader)
        stream = self._deliver(identity, reader, backlog)
        timer = asyncio.get_running_loop().call_later(self._life, reader.put, _End())
        try:
            yield stream
        finally:
            timer.cancel()
            self._readers.discard(reader)

    def _since(self, after: str | None) -> list[LiveEvent] | None:
        """Events after a position; None: it is too old, or of another process."""
        if not after:
            return []
        epoch, _, number = after.rpartition("-")
        place = whole_number(number, limit=self._last)
        if epoch != self._epoch or place is None:
            return None
        missing = self._last - place
        if missing > len(self._stored):
            return None
        return list(itertools.islice(self._stored, len(self._stored) - missing, None))

    async def _deliver(
        self, identity: Identity, reader: _Reader, backlog: list[LiveEvent] | None
    ) -> AsyncIterator[LiveEvent | None]:
        if backlog is None:
            yield None
        for event in backlog or ():
            if reader.wants(event):
                visible_event = await self._visible(identity, event)
                if visible_event is not None:
                    yield visible_event
        while True:
            item = await reader.queue.get()
            if isinstance(item, _End):
                return
            if item is None:
                yield None
                continue
            visible_event = await self._visible(identity, item)
            if visible_event is not None:
                yield visible_event

    async def _visible(self, identity: Identity, event: LiveEvent) -> LiveEvent | None:
        """What the reader may see of an event; None: nothing."""
        if identity.is_service:
            return event
        if event.topic == GIT_PUSH:
            return None
        decision = await self._decision(identity, event)
        if decision.result != "conditional":
            return event if decision.result == "allow" else None
        if event.topic == TEMPLATE_RUN:
            is_visible = event.owner == identity.subject
        else:
            is_visible = self._meets(decision.conditions or {}, event)
        if not is_visible or event.topic != ENTITY_CHANGED:
            return event if is_visible else None
        return replace(event, document=self._shown_document(event.document))

    async def _decision(self, identity: Identity, event: LiveEvent) -> Decision:
        ownership = await self._memberships.ownership(identity.subject)
        identity = replace(identity, ownership=ownership)
        is_run = event.topic == TEMPLATE_RUN
        return await self._guard.decision(
            identity, "scaffolder.task.read" if is_run else "catalog.entity.read"
        )

    def _meets(self, conditions: Mapping[str, Any], event: LiveEvent) -> bool:
        entity = event.entity
        if event.topic == ENTITY_CHANGED:
            entity = self._entity_in(event.document)
        states = [entity]
        # Older events of an entity that is restricted now stay hidden.
        newest = self._newest.get(event.subject)
        if newest is not None and newest.position != event.position:
            states.append(self._entity_in(newest.document))
        return all(
            state is not None and self._matches(conditions, state) for state in states
        )


def entity_in(document: bytes) -> Entity | None:
    """The entity of a change: the new state, or the last one before a deletion."""
    data = orjson.loads(document)["data"]
    entity = data.get("entity") or data.get("previous")
    return Entity(entity) if entity else None


def shown_document(document: bytes) -> bytes:
    """A change as those see it who might not see the state before it.

    It names no field and no relation that only that state had.
    """
    envelope = orjson.loads(document)
    data = envelope["data"]
    if data.get("entity"):
        data["changed"] = remaining_paths(data.get("changed") or (), data["entity"])
        data["relations_removed"] = []
    return orjson.dumps(envelope)
