"""What becomes of one entity: described by a source, moved, or with other problems."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.catalog.ingest.candidates import (
    Candidate,
    etag_of,
    taken_error,
)
from services.catalog.model import (
    StatusItemJson,
    StoredEntity,
)
from shared.contracts.annotations import MANAGED_BY_ORIGIN
from shared.contracts.catalog import Cause
from shared.contracts.entity import Entity
from shared.contracts.errors import Conflict


def is_foreign(before: StoredEntity | None, candidate: Candidate) -> bool:
    """Whether an entity belongs to another location: first registrant wins."""
    return before is not None and before.location_key != candidate.location


def foreign_error(
    candidate: Candidate, owner: StoredEntity | Candidate | None
) -> Conflict:
    """The error of a location whose entity belongs to another."""
    # The location of a restricted entity is hidden from other locations.
    if owner is None or owner.entity.is_restricted:
        return taken_error(candidate.ref, "another location")
    return taken_error(candidate.ref, owner.location)


def apply_candidate(
    before: StoredEntity | None, candidate: Candidate, cause: Cause
) -> StoredEntity | None:
    """What a candidate makes of an entity; None: nothing changes."""
    if before is None:
        return _new_entity(candidate, cause)
    own_parents = candidate.parents
    parents = tuple(dict.fromkeys((*before.parents, *own_parents)))
    if is_foreign(before, candidate):
        parents = own_parents
    if parents[:1] != own_parents[:1] and candidate.origin != before.origin:
        # Who provided it first stays its origin until they let it go.
        candidate = candidate.with_origin(before.origin)
    if before.entity.etag == candidate.etag and parents == before.parents:
        return None
    return replace(
        before,
        entity=_with_identity(candidate.entity, before.uid, candidate.etag),
        relations=candidate.relations,
        location=candidate.location,
        origin=candidate.origin,
        location_key=candidate.location,
        cause=cause,
        errors=candidate.errors,
        parents=parents,
    )


def _new_entity(candidate: Candidate, cause: Cause) -> StoredEntity:
    identity, now = str(uuid.uuid4()), datetime.now(UTC)
    return StoredEntity(
        ref=candidate.ref,
        uid=identity,
        revision=0,
        entity=_with_identity(candidate.entity, identity, candidate.etag),
        relations=candidate.relations,
        location=candidate.location,
        origin=candidate.origin,
        location_key=candidate.location,
        created=now,
        updated=now,
        cause=cause,
        errors=candidate.errors,
        parents=candidate.parents,
    )


def with_problems(
    before: StoredEntity, items: Sequence[StatusItemJson], cause: Cause
) -> StoredEntity:
    """The entity with these items in its status; itself if it has them already."""
    errors = tuple(items)
    if before.errors == errors:
        return before
    etag = etag_of(_without_identity(before.entity), before.relations, errors)
    entity = _with_identity(before.entity, before.uid, etag)
    return replace(before, entity=entity, errors=errors, cause=cause)


def move_entity(
    before: StoredEntity, parents: tuple[str, ...], origin: str, cause: Cause
) -> StoredEntity:
    """The entity under other parents, whose root is its origin now."""
    entity = _without_identity(
        before.entity.with_annotations({MANAGED_BY_ORIGIN: origin})
    )
    etag = etag_of(entity, before.relations, before.errors)
    return replace(
        before,
        entity=_with_identity(entity, before.uid, etag),
        parents=parents,
        origin=origin,
        cause=cause,
    )


def _with_identity(entity: Entity, identity: str, etag: str) -> Entity:
    return entity.with_metadata(uid=identity, etag=etag)


def _without_identity(entity: Entity) -> Entity:
    metadata = {
        name: value
        for name, value in entity.metadata.items()
        if name not in {"uid", "etag"}
    }
    return Entity({**entity.raw, "metadata": metadata})
