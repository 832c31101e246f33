"""Hands live events to readers, remembers the latest, drops who cannot follow.

What a reader may see is asked of the policy when an event is handed over, so a change
of groups counts from the next event on. A position is good in this process only: after
a restart, or when the log may have been missed, readers are told to read again.
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

from services.gateway.model import Identity, LiveEvent
from services.gateway.ports import Memberships, PermissionChecker
from shared.contracts.entity import Entity
from shared.contracts.topics import ENTITY_CHANGED, GIT_PUSH, TEMPLATE_RUN
from shared.guards.numbers import whole_number

REMEMBERED_EVENTS = 5000
REMEMBERED_BYTES = 8 * 1024 * 1024
#: Events whose entity is kept parsed: readers are handed the same ones at a time.
PARSED_EVENTS = 64
#: A reader may be this many events behind.
BEHIND = 500
#: After this long a stream ends, so that its reader proves again who they are.
LIFE_SECONDS = 1800.0

Matches = Callable[[Mapping[str, Any], Entity], bool]


class _End:
    """In a reader's queue: the stream is over."""


class _Reader:
    """One subscription's filter and queue."""

    def __init__(self, topics: Collection[str], entity: str | None) -> None:
        self.topics = frozenset(topics)
        self.entity = entity
        self.queue: asyncio.Queue[LiveEvent | _End | None] = asyncio.Queue(BEHIND)

    def wants(self, event: LiveEvent) -> bool:
        if self.topics and event.topic not in self.topics:
            return False
        return self.entity is None or self.entity in event.touches

    def put(self, item: LiveEvent | _End | None) -> bool:
        """False: the reader is too far behind, its stream ends here."""
        if not self.queue.full():
            self.queue.put_nowait(item)
            return True
        # Nothing of what waits is handed over: the reader resumes after the last
        # event that it did get, and misses none.
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
        self._entity_in = lru_cache(PARSED_EVENTS)(entity_in)
        self._readers: set[_Reader] = set()
        self._ring: deque[LiveEvent] = deque()
        self._ring_bytes = 0
        self._newest: dict[str, LiveEvent] = {}
        self._begin()

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return len(self._readers)

    def _begin(self) -> None:
        self._epoch = uuid.uuid4().hex[:12]
        self._last = 0
        self._newest.clear()
        self._ring.clear()
        self._ring_bytes = 0

    def position(self) -> str:
        """The newest event's position."""
        return f"{self._epoch}-{self._last}"

    def publish(self, event: LiveEvent) -> None:
        """Give the event its position, remember it, hand it to its readers."""
        self._last += 1
        event = replace(event, position=self.position())
        self._ring.append(event)
        self._ring_bytes += len(event.document)
        if event.topic == ENTITY_CHANGED:
            self._newest[event.subject] = event
        while (
            len(self._ring) > REMEMBERED_EVENTS or self._ring_bytes > REMEMBERED_BYTES
        ):
            oldest = self._ring.popleft()
            self._ring_bytes -= len(oldest.document)
            if self._newest.get(oldest.subject) is oldest:
                del self._newest[oldest.subject]
        slow = [r for r in self._readers if r.wants(event) and not r.put(event)]
        self._readers.difference_update(slow)

    async def missed(self) -> None:
        """Events may have been missed: readers shall read everything again."""
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
        """Events after a position; None: it is too old, or not from here."""
        if not after:
            return []
        epoch, _, number = after.rpartition("-")
        place = whole_number(number, limit=self._last)
        if epoch != self._epoch or place is None:
            return None
        missing = self._last - place
        if missing > len(self._ring):
            return None
        return list(itertools.islice(self._ring, len(self._ring) - missing, None))

    async def _deliver(
        self, identity: Identity, reader: _Reader, backlog: list[LiveEvent] | None
    ) -> AsyncIterator[LiveEvent | None]:
        if backlog is None:
            yield None
        for event in backlog or ():
            if reader.wants(event) and await self._visible(identity, event):
                yield event
        while True:
            item = await reader.queue.get()
            if isinstance(item, _End):
                return
            if item is None or await self._visible(identity, item):
                yield item

    async def _visible(self, identity: Identity, event: LiveEvent) -> bool:
        if identity.is_service:
            return True
        if event.topic == GIT_PUSH:
            return False
        ownership = await self._memberships.ownership(identity.subject)
        identity = replace(identity, ownership=ownership)
        if event.topic == TEMPLATE_RUN:
            decision = await self._guard.decision(identity, "scaffolder.task.read")
            mine = event.owner == identity.subject
            return decision.result == "allow" or (
                decision.result == "conditional" and mine
            )
        decision = await self._guard.decision(identity, "catalog.entity.read")
        if decision.result != "conditional":
            return decision.result == "allow"
        entity = event.entity
        if event.topic == ENTITY_CHANGED:
            entity = self._entity_in(event.document)
        states = [entity]
        # Of one that was restricted since, nothing is told again.
        newest = self._newest.get(event.subject)
        if newest is not None and newest.position != event.position:
            states.append(self._entity_in(newest.document))
        conditions = decision.conditions or {}
        return all(
            state is not None and self._matches(conditions, Entity(state))
            for state in states
        )


def entity_in(document: bytes) -> Mapping[str, Any] | None:
    """The entity that a change is about: as it is now, or was when it was deleted."""
    data = orjson.loads(document)["data"]
    found: Mapping[str, Any] | None = data.get("entity") or data.get("previous")
    return found
