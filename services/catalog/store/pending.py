"""The event of one change, as it waits inside of the entity's document.

Built by hand and not through the contract's models: ten thousand of them must not cost
seconds. A test reads them back through the contract.
"""

import uuid
from datetime import datetime
from typing import Any, NotRequired

import orjson

from services.catalog.descriptor.definitions import reference_of
from services.catalog.ingest.differences import changed_paths, relation_steps
from services.catalog.model import (
    EntityJson,
    StoredChange,
    StoredEntity,
    StoredRelation,
)
from shared.contracts.catalog import (
    EntityChange,
    EntityCreated,
    EntityDeleted,
    EntityUpdated,
)
from shared.contracts.topics import ENTITY_CHANGED
from shared.contracts.trace import Trace
from shared.kit.events.outbox import PendingEvent

SOURCE = "/catalog"


class PendingChange(PendingEvent):
    """The event of a change, and what the relay keeps its revision by."""

    revision: int
    definition: NotRequired[str]


def pending_event(
    change: StoredChange, revision: int, at: datetime, trace: Trace
) -> PendingChange:
    """The event of a change, which made the entity's `revision`."""
    before, after = change.before, change.after
    model: type[EntityChange] = EntityUpdated if before else EntityCreated
    if after is None:
        model = EntityDeleted
    identity = str(uuid.uuid4())
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": identity,
        "source": SOURCE,
        "type": model.TYPE,
        "subject": change.ref,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        **trace,
        "data": _data(change, revision),
    }
    event: PendingChange = {
        "id": identity,
        "topic": ENTITY_CHANGED,
        "key": change.ref,
        "revision": revision,
        "value": orjson.dumps(envelope).decode(),
    }
    reference = reference_of(after.entity) if after is not None else None
    if reference is not None:
        event["definition"] = reference.hash
    return event


def _data(change: StoredChange, revision: int) -> dict[str, Any]:
    before, after = change.before, change.after
    added, removed = relation_steps(
        before.relations if before else (), after.relations if after else ()
    )
    return {
        "entity_ref": change.ref,
        "revision": revision,
        "entity": _entity_json(after),
        "previous": _entity_json(before) if after is None else None,
        "changed": _changed(before, after),
        "relations_added": [_relation(item) for item in added],
        "relations_removed": [_relation(item) for item in removed],
        "actor": change.actor,
        "cause": change.cause.model_dump(mode="json", exclude_none=True),
    }


def _changed(before: StoredEntity | None, after: StoredEntity | None) -> list[str]:
    if before is None or after is None:
        return []
    paths = changed_paths(before.entity, after.entity)
    if before.relations != after.relations:
        paths.append("relations")
    if before.errors != after.errors:
        paths.append("status.items")
    return paths


def _entity_json(stored: StoredEntity | None) -> EntityJson | None:
    if stored is None:
        return None
    relations = [_relation(item) for item in stored.relations]
    entity = {**stored.entity.raw, "relations": relations}
    if stored.errors:
        entity["status"] = {"items": list(stored.errors)}
    return entity


def _relation(relation: StoredRelation) -> dict[str, str]:
    return {"type": relation.type, "targetRef": relation.target}
