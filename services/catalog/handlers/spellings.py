"""Brings stored roots to what their hosts say of the case of repositories' names.

Versions before took all names for the same in any case, and a host may get an
integration of another type.
"""

from contextlib import suppress
from dataclasses import replace

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.ingestion import reload_root
from services.catalog.model import FileState, RepositoryPath, RootLocation
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
    hosts = {place.host for state in root.files.values() for place in state.places}
    folds_case = {host: sources.folds_case(host) for host in hosts}

    def place(old: RepositoryPath) -> RepositoryPath:
        if old.folds_case == folds_case[old.host]:
            return old
        return replace(old, folds_case=folds_case[old.host])

    def file(state: FileState) -> FileState:
        return replace(
            state,
            place=place(state.place) if state.place else None,
            includes=tuple(map(place, state.includes)),
        )

    source = root.source
    if source:
        # The address may be none of its host any more.
        with suppress(CallboardError):
            source = sources.source(root.location).text
    files = {key: file(state) for key, state in root.files.items()}
    return replace(root, files=files, source=source)
