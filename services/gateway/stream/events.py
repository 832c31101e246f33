"""Consumes every topic and publishes its events in the live stream.

It also discards the claims of changed users and groups. A message that is no event is
skipped; its consumers write it to the dead letters.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from services.gateway.model import LiveEvent
from services.gateway.ports import Memberships, Resources
from services.gateway.stream.hub import LiveHub
from shared.contracts.entity import Entity
from shared.contracts.errors import CallboardError
from shared.contracts.topics import DOCS_BUILT, ENTITY_CHANGED, TEMPLATE_RUN
from shared.kit.events.bus import EventRecord
from shared.kit.observability import logs

#: Cached entities of documentation sites, to which the reading policy is applied.
DOCUMENTED_ENTITIES = 2000
LOOKUP_SECONDS = 2.0


class LiveFeed:
    """Turns records of the log into events of the hub."""

    def __init__(
        self,
        hub: LiveHub,
        resources: Resources,
        memberships: Memberships,
    ) -> None:
        self._hub = hub
        self._resources = resources
        self._memberships = memberships
        self._documented: OrderedDict[str, Entity | None] = OrderedDict()
        self._log = logs.get_logger("gateway")

    async def take(self, records: Sequence[EventRecord]) -> None:
        """Publish the events of one batch, in order."""
        for record in records:
            event = await self._event(record)
            if event is not None:
                self._hub.publish(event)

    async def missed(self) -> None:
        """Discard all state from the log, because messages may have been missed."""
        self._memberships.forget_all()
        self._documented.clear()
        await self._hub.missed()

    async def _event(self, record: EventRecord) -> LiveEvent | None:
        try:
            envelope = orjson.loads(record.value)
            kind, subject = envelope["type"], envelope["subject"]
            data: Mapping[str, Any] = envelope["data"]
            event = LiveEvent("", record.topic, kind, subject, record.value)
            return await self._described(event, data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._log.warning(
                "live_event_skipped", topic=record.topic, reason=type(error).__name__
            )
            return None

    async def _described(self, event: LiveEvent, data: Mapping[str, Any]) -> LiveEvent:
        if event.topic == ENTITY_CHANGED:
            return self._entity_changed(event, data)
        touches = frozenset({event.subject})
        if event.topic == DOCS_BUILT:
            entity = await self._documented_entity(event)
            return replace(event, touches=touches, entity=entity)
        if event.topic == TEMPLATE_RUN:
            touches |= {str(data["template_ref"]).lower()}
            return replace(event, touches=touches, owner=str(data["created_by"]))
        return replace(event, touches=touches)

    def _entity_changed(self, event: LiveEvent, data: Mapping[str, Any]) -> LiveEvent:
        ref = event.subject
        self._memberships.forget(ref)
        if ref in self._documented:
            entity = data.get("entity")
            self._documented[ref] = Entity(entity) if entity else None
        touches = {ref}
        for name in ("relations_added", "relations_removed"):
            for relation in data.get(name) or ():
                touches.add(str(relation["targetRef"]).lower())
        return replace(event, touches=frozenset(touches))

    async def _documented_entity(self, event: LiveEvent) -> Entity | None:
        ref = event.subject
        if ref not in self._documented:
            try:
                async with asyncio.timeout(LOOKUP_SECONDS):
                    entity = await self._resources.entity(ref)
            except (CallboardError, TimeoutError):
                # Without the entity, only services get the event.
                return None
            self._documented[ref] = entity
            if len(self._documented) > DOCUMENTED_ENTITIES:
                self._documented.popitem(last=False)
        return self._documented[ref]
