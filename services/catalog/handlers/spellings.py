"""Brings stored roots to what their hosts say of the case of repositories' names.

Versions before took all names for the same in any case, and a host may get an
integration of another type.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.ingestion import reload_root
from services.catalog.model import (
    ClosedFile,
    FileState,
    RepositoryPath,
    RootLocation,
)
from services.catalog.ports import DescriptorSources
from shared.contracts.errors import CallboardError


async def restore_root(catalog: CatalogContext, root: RootLocation) -> None:
    """Show a root that was stored; one with old spellings is stored anew."""
    current_root = _respelled(root, catalog.sources)
    if current_root == root:
        catalog.state.put_root(root)
        return
    stored = await catalog.roots.put(current_root)
    if stored is not None:
        catalog.state.put_root(stored)
    else:
        # Another process was faster.
        await reload_root(catalog, root.name)


def _respelled(root: RootLocation, sources: DescriptorSources) -> RootLocation:
    closed_places = (file.place for file in root.closed.values())
    places = [place for state in root.files.values() for place in state.places]
    places += [place for place in closed_places if place is not None]
    folds_case = {host: sources.folds_case(host) for host in {p.host for p in places}}
    files, closed = root.files, root.closed
    if any(place.folds_case != folds_case[place.host] for place in places):
        files = {key: _file(state, folds_case) for key, state in files.items()}
        closed = {ref: _closed_file(file, folds_case) for ref, file in closed.items()}
    source = root.source
    if source:
        # The address may be none of its host any more.
        with suppress(CallboardError):
            source = sources.source(root.location).text
    return replace(root, files=files, closed=closed, source=source)


def _file(state: FileState, folds_case: Mapping[str, bool]) -> FileState:
    return replace(
        state,
        place=_place(state.place, folds_case) if state.place else None,
        includes=tuple(_place(place, folds_case) for place in state.includes),
    )


def _closed_file(file: ClosedFile, folds_case: Mapping[str, bool]) -> ClosedFile:
    place = _place(file.place, folds_case) if file.place else None
    return replace(file, place=place)


def _place(place: RepositoryPath, folds_case: Mapping[str, bool]) -> RepositoryPath:
    return replace(place, folds_case=folds_case[place.host])
