"""Which files stay closed although no restricted entity comes from them any more."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
from services.catalog.planning.orphans import parents_below
from services.catalog.planning.outcomes import Edge, LocationOutcome
from services.catalog.planning.view import CatalogView
from shared.guards.turns import in_turns

#: Bytes of what is noted of an entity, and characters of one of its texts.
LONGEST_DESCRIPTION = 8_192
LONGEST_TEXT = 500
#: Entities of one location that are noted, and bytes of what is noted of them: a root
#: is one document of at most 16 MB.
MOST_NOTED = 5_000
#: Files that are noted one by one; of more, their sources.
MOST_CLOSED = 10_000
#: Characters of the paths that these include; of more, their sources as well.
MOST_INCLUDED = 3_000_000
MOST_DESCRIBED = 2_000_000


async def endangered_files(
    view: CatalogView, outcome: LocationOutcome, lost: Collection[Edge]
) -> Mapping[str, ClosedFile]:
    """The files of restricted entities that may go now, and were noted at no reading.

    It was broken off, or an earlier version noted none. They are stored before the
    entities go, so that a process that is killed in between leaves none open.
    """
    closed = outcome.root.closed
    refs: set[str] = set()
    # With a Location entity goes what it brings.
    async for ref in in_turns(await parents_below(view, lost)):
        if ref not in closed and view.is_restricted(ref):
            refs.add(ref)
    if not refs:
        return {}
    # What was never read whole has no files yet but those of this reading.
    all_states = (*outcome.root.files.values(), *outcome.states.values())
    states = {state.location: state for state in all_states}
    files: dict[str, ClosedFile] = {}
    async for ref in in_turns(refs):
        state = states.get(view.providing_location(ref) or "")
        if state is not None:
            entity = described(view.get(ref))
            commit = state.etag or ""
            file = ClosedFile(state.location, state.place, entity, commit)
            files[ref] = _with_includes(outcome, file)
    return await bounded(files)


async def closed_files(
    view: CatalogView, outcome: LocationOutcome
) -> Mapping[str, ClosedFile]:
    """A location's closed files after a reading.

    They are noted as their entities come, so that it does not matter how those go.
    What the entity brings next decides anew, and where it moved to within its source.
    A file that Git says was made of a closed one is closed as well; the closed one
    itself is open as soon as it brings something for everybody.
    """
    noted, bringing = await _noted(view, outcome)
    current_files = dict(noted)
    async for name, earlier_file in in_turns(outcome.earlier_closed.items()):
        current = current_files.get(name)
        file = _with_includes(outcome, earlier_file)
        if current is not None and current.source == file.source:
            files = await _copies(view, outcome, file, {current.location})
        else:
            files = await _followed(view, outcome, name, file)
        for copy in files:
            if copy.is_whole_source or copy.location not in bringing:
                # Another file may be closed by this name: of two sources, both are.
                is_first = name not in noted and not copy.is_copy
                noted.setdefault(name if is_first else copy.location, copy)
    return await bounded(noted)


def _with_includes(outcome: LocationOutcome, file: ClosedFile) -> ClosedFile:
    """A closed file with what it included before this reading, if that is known."""
    state = outcome.earlier_state_at(file.location)
    paths = state.included_paths if state else ()
    return replace(file, includes=paths) if paths else file


async def _copies(
    view: CatalogView,
    outcome: LocationOutcome,
    file: ClosedFile,
    locations: Collection[str | None],
    *,
    with_own: bool = False,
) -> Sequence[ClosedFile]:
    """Old versions of a file whose restricted entity comes from its source anew.

    `locations` are where it comes from. Git is asked only if it comes from elsewhere
    now, or if its file was changed. A file with the old content is an old version, not
    one that is only like it: services of one team look alike, and so do skeletons.
    What brings entities of its own is closed, or open, by those. `with_own`: the file
    itself counts as an old version, too, wherever it is now.
    """
    is_changed = file.location in outcome.changed_locations
    if file.location in locations and not is_changed:
        return []
    excluded = {*locations} if with_own else {file.location, *locations}
    files = await outcome.reading.copies(file, same=not with_own)
    if with_own and any(copy.location == file.location for copy in files):
        files = await outcome.reading.copies(file, same=True)
    return [
        replace(copy, is_copy=True)
        for copy in files
        if copy.location not in excluded and not _brings(view, outcome, copy.location)
    ]


def _brings(view: CatalogView, outcome: LocationOutcome, location: str) -> bool:
    """Whether entities come from a file of the location."""
    state = outcome.state_at(location)
    return state is not None and bool(view.emitted(state.parent, location))


async def _noted(
    view: CatalogView, outcome: LocationOutcome
) -> tuple[dict[str, ClosedFile], set[str]]:
    """What a reading closes; and the locations that bring something for everybody."""
    earlier_files = outcome.earlier_closed
    own_sources = _own_sources(outcome.root, outcome.following_states)
    bringing: set[str] = set()
    noted: dict[str, ClosedFile] = {}
    async for key, state in in_turns(outcome.states.items()):
        refs = view.emitted(*key)
        asks = any(map(is_about_restricted, state.errors))
        includes = state.included_paths
        file = ClosedFile(state.location, state.place, includes=includes)
        if refs and not asks:
            bringing.update(state.content_locations)
        names = [ref for ref in refs if view.is_restricted(ref)]
        if asks and (own_sources is None or file.source in own_sources):
            names.append(state.location)
        for name in names:
            commit = await _commit_of(outcome, state, earlier_files.get(name))
            entity = described(view.get(name))
            noted[name] = replace(file, commit=commit, entity=entity)
            if state.linked is not None:
                real = ClosedFile(state.linked.location, state.linked.place)
                noted[real.location] = replace(real, commit=commit, entity=entity)
    return noted, bringing


async def _followed(
    view: CatalogView, outcome: LocationOutcome, name: str, file: ClosedFile
) -> Sequence[ClosedFile]:
    """Where a closed file is now whose target brings its entity no more.

    () if the entity is for everybody; if it moved elsewhere in its source, where its
    old versions are.
    """
    if file.is_whole_source:
        return [file]
    ref = file.entity_ref or name
    location = view.providing_location(ref)
    state = outcome.state_at(location) if location else None
    locations = state.content_locations if state else (location,)
    if file.location in locations:
        if not view.is_restricted(ref):
            return []
        # Perhaps by another root: its target was not read here.
        commit = state and await _commit_of(outcome, state, file)
        current_file = replace(file, commit=commit or file.commit)
        return [current_file, *await _copies(view, outcome, file, locations)]
    if state is not None and state.source == file.source:
        if not view.is_restricted(ref):
            return []
        # What a link led to that leads elsewhere now is an old version, too.
        is_old = file.is_copy or name == file.location
        return await _copies(view, outcome, file, locations, with_own=is_old)
    first, *copies = await outcome.reading.copies(file)
    return [first, *(replace(copy, is_copy=True) for copy in copies)]


async def _commit_of(
    outcome: LocationOutcome, state: FileState, earlier_file: ClosedFile | None
) -> str:
    """A commit at which a file was there; "" if none is known."""
    cause = outcome.causes.by_location.get(state.location)
    commit = state.etag or (cause and cause.commit)
    if not commit and state.errors and state.location in outcome.read_locations:
        # Of a file that cannot be parsed: that it is there has its commit, too.
        [current] = await outcome.reading.copies(ClosedFile(state.location))
        commit = current.commit
    if commit:
        return commit
    is_same = earlier_file is not None and earlier_file.location == state.location
    return earlier_file.commit if earlier_file and is_same else ""


async def bounded(files: Mapping[str, ClosedFile]) -> Mapping[str, ClosedFile]:
    """As much as fits into the document of the root.

    Of very many the files alone, of still more the whole sources that they are in.
    """
    by_location = {file.location: file for file in files.values()}
    included = sum(map(_included, by_location.values()))
    if len(by_location) > MOST_CLOSED or included > MOST_INCLUDED:
        return await _with_whole_sources(by_location.values())
    # All entities of a file have the same includes.
    repeated = sum(map(_included, files.values()))
    if len(files) > MOST_NOTED or repeated > MOST_INCLUDED:
        return {name: replace(file, entity=None) for name, file in by_location.items()}
    size, result = 0, dict[str, ClosedFile]()
    async for name, file in in_turns(files.items()):
        size += len(orjson.dumps(file.entity))
        result[name] = file if size <= MOST_DESCRIBED else replace(file, entity=None)
    return result


async def _with_whole_sources(files: Iterable[ClosedFile]) -> Mapping[str, ClosedFile]:
    """Files alone, but of the sources with the most of them the whole, until it fits.

    Those of few files stay as they are: nobody closes another's repository by theirs.
    """
    by_source: dict[str, dict[str, ClosedFile]] = {}
    async for file in in_turns(files):
        by_source.setdefault(file.source, {})[file.location] = file
    count = sum(map(len, by_source.values()))
    included = {
        source: sum(map(_included, own_files.values()))
        for source, own_files in by_source.items()
    }
    all_included = sum(included.values())

    def share(source: str) -> float:
        return len(by_source[source]) / count + included[source] / (all_included or 1)

    result: dict[str, ClosedFile] = {}
    excess, excess_included = count - MOST_CLOSED, all_included - MOST_INCLUDED
    for source in sorted(by_source, key=share, reverse=True):
        own_files = by_source[source]
        file = next(iter(own_files.values()))
        if (excess > 0 or excess_included > 0) and file.place is not None:
            result[source] = ClosedFile(file.location, file.place.root)
            excess -= len(own_files)
            excess_included -= included[source]
        else:
            result |= {
                location: replace(one, entity=None)
                for location, one in own_files.items()
            }
    return result


def _included(file: ClosedFile) -> int:
    return sum(map(len, file.includes))


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


def described(stored: StoredEntity | None) -> EntityJson | None:
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
