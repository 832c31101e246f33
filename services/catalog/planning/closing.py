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

#: Bytes of what is noted of an entity, and characters of one of its texts.
LONGEST_DESCRIPTION = 8_192
LONGEST_TEXT = 500
#: Entities of one location that are noted, and bytes of what is noted of them: a root
#: is one document of at most 16 MB.
MOST_NOTED = 5_000
MOST_DESCRIBED = 2_000_000


async def closed_files(
    view: CatalogView, outcome: LocationOutcome
) -> Mapping[str, ClosedFile]:
    """A location's closed files after a reading.

    They are noted as their entities come, so that it does not matter how those go.
    What the file brings next decides anew, and so does the entity, where it moved to
    within its source. A file that Git says was renamed is closed where it is now.
    """
    earlier_files = outcome.root.closed
    own_sources = _own_sources(outcome.root, outcome.following_states)
    bringing: set[str] = set()
    noted: dict[str, ClosedFile] = {}
    async for key, state in in_turns(outcome.states.items()):
        refs = view.emitted(*key)
        asks = any(map(is_about_restricted, state.errors))
        file = ClosedFile(state.location, state.place)
        if refs and not asks:
            bringing.add(state.location)
        names = [ref for ref in refs if view.is_restricted(ref)]
        if asks and (own_sources is None or file.source in own_sources):
            names.append(state.location)
        for name in names:
            commit = _commit_of(outcome, state, earlier_files.get(name))
            entity = _described(view.get(name))
            noted[name] = replace(file, commit=commit, entity=entity)
    async for name, file in in_turns(earlier_files.items()):
        if name not in noted and file.location not in bringing:
            followed = await _followed(view, outcome, name, file)
            if followed is not None:
                noted[name] = followed
    return await _bounded(noted)


async def _followed(
    view: CatalogView, outcome: LocationOutcome, ref: str, file: ClosedFile
) -> ClosedFile | None:
    """A closed file whose target was not read; None if its entity moved elsewhere."""
    location = view.providing_location(ref)
    if location == file.location:
        return file
    state = location and outcome.state_at(location)
    if state and state.source == file.source:
        return None
    return await outcome.reading.renamed(file)


def _commit_of(
    outcome: LocationOutcome, state: FileState, earlier_file: ClosedFile | None
) -> str:
    """A commit at which a file was there; "" if none is known."""
    cause = outcome.causes.by_location.get(state.location)
    commit = state.etag or (cause and cause.commit)
    if commit:
        return commit
    is_same = earlier_file is not None and earlier_file.location == state.location
    return earlier_file.commit if earlier_file and is_same else ""


async def _bounded(files: Mapping[str, ClosedFile]) -> Mapping[str, ClosedFile]:
    """As much as fits into the document of the root: of very many, the files alone."""
    if len(files) > MOST_NOTED:
        return {file.location: replace(file, entity=None) for file in files.values()}
    size, bounded = 0, dict[str, ClosedFile]()
    async for name, file in in_turns(files.items()):
        size += len(orjson.dumps(file.entity))
        bounded[name] = file if size <= MOST_DESCRIBED else replace(file, entity=None)
    return bounded


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
    return {state.source for (parent, _), state in states.items() if parent == own_ref}


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
            name: value
            for name, value in entity.spec.items()
            if isinstance(value, str) and len(value) <= LONGEST_TEXT
        },
        "relations": [
            {"type": relation.type, "targetRef": relation.target} for relation in owners
        ],
    }
    return described if len(orjson.dumps(described)) <= LONGEST_DESCRIPTION else None
