"""Which files stay closed although no restricted entity comes from them any more."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from services.catalog.ingest.problems import is_about_restricted
from services.catalog.model import (
    CONFIG,
    ClosedFile,
    EntityJson,
    FileState,
    RootLocation,
    StoredEntity,
    TargetKey,
)
from services.catalog.planning.outcomes import LocationOutcome
from services.catalog.planning.view import CatalogView
from shared.guards.turns import in_turns

#: Bytes of what is noted of an entity.
LONGEST_DESCRIPTION = 8_192


async def closed_files(
    view: CatalogView, outcome: LocationOutcome
) -> Mapping[str, ClosedFile]:
    """A location's closed files after a reading.

    They are noted as their entities come, so that it does not matter how those go.
    What the file brings next decides anew, and so does the entity, where it moved to
    within its source. A file that Git says was renamed is closed where it is now.
    """
    states = outcome.following_states
    own_sources = _own_sources(outcome.root, states)
    bringing: set[str] = set()
    noted: dict[str, ClosedFile] = {}
    async for key, state in in_turns(outcome.states.items()):
        refs = view.emitted(*key)
        asks = any(map(is_about_restricted, state.errors))
        file = ClosedFile(
            state.location, state.place, commit=_commit_of(outcome, state)
        )
        if refs and not asks:
            bringing.add(state.location)
        for ref in filter(view.is_restricted, refs):
            noted[ref] = replace(file, entity=_described(view.get(ref)))
        if asks and (own_sources is None or _source(file) in own_sources):
            noted[state.location] = file
    sources = {state.location: _source(state) for state in states.values()}
    earlier_files = {
        name: await outcome.reading.renamed(file)
        for name, file in outcome.root.closed.items()
        if name not in noted
        and file.location not in bringing
        and not _has_moved(view, name, file, sources)
    }
    return {**earlier_files, **noted}


def _commit_of(outcome: LocationOutcome, state: FileState) -> str:
    cause = outcome.causes.by_location.get(state.location)
    return state.etag or (cause and cause.commit) or ""


def _own_sources(
    root: RootLocation, states: Mapping[TargetKey, FileState]
) -> set[str] | None:
    """The sources of which a location's refused documents count; None: of all.

    Anybody may register any file, or name it in a Location: what it asks for must not
    close its source to others.
    """
    if CONFIG in root.providers:
        return None
    if not root.is_by_operator:
        return set()
    own_ref = root.location.entity_ref
    return {
        _source(state) for (parent, _), state in states.items() if parent == own_ref
    }


def _described(stored: StoredEntity | None) -> EntityJson | None:
    """What policies ask about an entity; None if that is long."""
    if stored is None:
        return None
    entity = stored.entity
    owners = [relation for relation in stored.relations if relation.type == "ownedBy"]
    described = {
        "apiVersion": entity.raw["apiVersion"],
        "kind": entity.kind,
        "metadata": {
            name: value
            for name, value in entity.metadata.items()
            if name not in {"uid", "etag", "description", "links"}
        },
        "spec": {
            name: value for name, value in entity.spec.items() if isinstance(value, str)
        },
        "relations": [
            {"type": relation.type, "targetRef": relation.target} for relation in owners
        ],
    }
    return described if len(orjson.dumps(described)) <= LONGEST_DESCRIPTION else None


def _has_moved(
    view: CatalogView, ref: str, file: ClosedFile, sources: Mapping[str, str]
) -> bool:
    """Whether an entity comes from another file of the same source now."""
    location = view.providing_location(ref)
    return location is not None and sources.get(location) == _source(file)


def _source(file: ClosedFile | FileState) -> str:
    return file.place.key if file.place else file.location
