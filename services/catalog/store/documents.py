"""Documents of the store to the catalog's words and back.

Entities are stored as JSON text: their keys may hold dots and dollars, to which a
document store gives other meanings, and no field inside of them is queried there.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from services.catalog.model import (
    ClosedFile,
    EntityRevision,
    FileState,
    LinkedFile,
    LocationRef,
    RepositoryPath,
    RootLocation,
    StoredEntity,
    StoredRelation,
)
from services.catalog.store.pending import PendingChange
from shared.contracts.catalog import Cause
from shared.contracts.entity import Entity
from shared.kit.documents.mongo import Document


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def entity_document(stored: StoredEntity) -> Document:
    """A live entity's document, without its pending events."""
    return {
        "_id": stored.ref,
        "uid": stored.uid,
        "revision": stored.revision,
        "entity": _text(stored.entity.raw),
        "relations": _text([[r.type, r.target, r.inverse] for r in stored.relations]),
        "location": stored.location,
        "origin": stored.origin,
        "location_key": stored.location_key,
        "created": stored.created.isoformat(),
        "updated": stamp(stored.updated),
        "cause": stored.cause.model_dump_json(exclude_none=True),
        "errors": _text(stored.errors),
        "parents": list(stored.parents),
        "deleted": False,
    }


def stamp(moment: datetime) -> str:
    """A moment (UTC) as text of one length, so that text sorts as time does."""
    return moment.isoformat(timespec="microseconds")


def tombstone(ref: str, revision: int, moment: datetime) -> Document:
    """A deleted entity's document, without its pending events."""
    return {
        "_id": ref,
        "revision": revision,
        "updated": stamp(moment),
        "deleted": True,
    }


def stored_entity(document: Document) -> StoredEntity:
    """The entity in a live document."""
    return StoredEntity(
        ref=document["_id"],
        uid=document["uid"],
        revision=document["revision"],
        entity=Entity(orjson.loads(document["entity"])),
        relations=tuple(
            StoredRelation(*r) for r in orjson.loads(document["relations"])
        ),
        location=document["location"],
        origin=document["origin"],
        location_key=document["location_key"],
        created=datetime.fromisoformat(document["created"]),
        updated=datetime.fromisoformat(document["updated"]),
        cause=Cause.model_validate_json(document["cause"]),
        errors=tuple(orjson.loads(document["errors"])),
        parents=tuple(document["parents"]),
    )


def root_document(root: RootLocation) -> Document:
    """A root's document; `source` is absent where a root has none: it is unique."""
    source = {"source": root.source} if root.source else {}
    return {
        **source,
        "_id": root.name,
        "id": root.id,
        "type": root.location.type,
        "target": root.location.target,
        "buckets": sorted(root.providers),
        "created": root.created.isoformat(),
        "files": _text([_file(state) for state in root.files.values()]),
        "settled": root.settled,
        "rules": root.rules,
        "version": root.version,
        "registrant": root.registrant,
        "closed": _text(
            {
                name: [
                    file.location,
                    _place(file.place) if file.place else None,
                    file.entity,
                    file.commit,
                    list(file.includes),
                    file.is_copy,
                ]
                for name, file in root.closed.items()
            }
        ),
    }


def stored_root(document: Document) -> RootLocation:
    """The root in a document."""
    states = [_state(item) for item in orjson.loads(document["files"])]
    return RootLocation(
        location=LocationRef(document["type"], document["target"]),
        providers=frozenset(document["buckets"]),
        created=datetime.fromisoformat(document["created"]),
        id=document["id"],
        files={(state.parent, state.location): state for state in states},
        settled=document["settled"],
        rules=document["rules"],
        version=document["version"],
        # Not kept by versions before it was.
        registrant=document.get("registrant", ""),
        source=document.get("source", ""),
        closed={
            name: _closed_file(item)
            for name, item in orjson.loads(document.get("closed", "{}")).items()
        },
    )


def _closed_file(item: Sequence[Any]) -> ClosedFile:
    # Versions before this was stored knew nothing of includes and copies.
    location, place, entity, commit, *more = item
    includes, is_copy = more or ((), False)
    return ClosedFile(
        location,
        _stored_place(place) if place else None,
        entity,
        commit,
        tuple(includes),
        is_copy,
    )


def _file(state: FileState) -> list[Any]:
    return [
        state.parent,
        state.location,
        state.digest,
        state.etag,
        _place(state.place) if state.place else None,
        [_place(place) for place in state.includes],
        list(state.errors),
        [state.linked.location, _place(state.linked.place)] if state.linked else None,
        state.was_admitted,
    ]


def _state(item: Sequence[Any]) -> FileState:
    # Versions before these were stored knew nothing of links, and of admission.
    parent, location, digest, etag, place, includes, errors, *more = item
    linked = more[0] if more else None
    was_admitted = more[1] if len(more) > 1 else True
    return FileState(
        parent,
        location,
        digest,
        etag,
        _stored_place(place) if place else None,
        tuple(map(_stored_place, includes)),
        tuple(errors),
        LinkedFile(linked[0], _stored_place(linked[1])) if linked else None,
        was_admitted,
    )


def _place(place: RepositoryPath) -> list[Any]:
    return [place.host, place.repository, place.branch, place.path, place.folds_case]


def _stored_place(item: Sequence[Any]) -> RepositoryPath:
    # Versions before this was stored took all names for the same in any case.
    host, repository, branch, path, *more = item
    return RepositoryPath(host, repository, branch, path, *(more or (True,)))


def revision_id(ref: str, revision: int) -> str:
    """The id of an entry: made of ref and number, so that writing it twice is once."""
    return f"{ref}@{revision}"


def revision_document(pending: PendingChange) -> Document:
    """The history's entry of a pending event: the event itself, under its own id."""
    identity = revision_id(pending["key"], pending["revision"])
    return {"_id": identity, "event": pending["value"]}


def stored_revision(document: Document) -> EntityRevision:
    """The entry in a document."""
    event = orjson.loads(document["event"])
    data = event["data"]
    return EntityRevision(
        revision=data["revision"],
        at=datetime.fromisoformat(event["time"]),
        actor=data["actor"],
        cause=Cause.model_validate(data["cause"]),
        changed=tuple(data["changed"]),
        entity=None if data["entity"] is None else Entity(data["entity"]),
    )
