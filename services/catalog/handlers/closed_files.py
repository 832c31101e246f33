"""What closes the sources of a root now, noted or not yet (ADR 18)."""

from collections.abc import AsyncIterator

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.model import ClosedFile, RootLocation
from services.catalog.planning.closing import described
from services.catalog.planning.entities import is_location
from shared.guards.turns import in_turns


def comes_from_source(catalog: CatalogContext, name: str, file: ClosedFile) -> bool:
    """Whether the entity of a closed file comes from its source, by whatever root.

    `name` is what the file is noted by. The same entity from elsewhere, whose name
    anybody may take, closes nothing there.
    """
    ref = file.entity_ref or name
    location = catalog.state.providing_location(ref)
    if file.is_copy and catalog.state.is_restricted(ref):
        return False
    if location is None or location == file.location:
        return location is not None
    return catalog.rights.source(location) == file.source


async def is_closing(catalog: CatalogContext, root: RootLocation) -> bool:
    """Whether anything that a root brings, or brought, is not for everybody."""
    async for _ in _restricted(catalog, root):
        return True
    async for name, file in in_turns(root.closed.items()):
        if not comes_from_source(catalog, name, file):
            return True
    return False


async def unnoted_files(
    catalog: CatalogContext, root: RootLocation
) -> dict[str, ClosedFile]:
    """The files of restricted entities that no whole reading of a root has noted."""
    files: dict[str, ClosedFile] = {}
    includes: dict[str, tuple[str, ...]] = {}
    async for file_state in in_turns(root.files.values()):
        includes[file_state.location] = file_state.included_paths
    async for ref in _restricted(catalog, root):
        location = catalog.state.providing_location(ref)
        if ref not in root.closed and location is not None:
            place = catalog.rights.place(location)
            entity = described(catalog.state.get(ref))
            paths = includes.get(location, ())
            files[ref] = ClosedFile(location, place, entity, includes=paths)
    return files


async def _restricted(
    catalog: CatalogContext, root: RootLocation
) -> AsyncIterator[str]:
    """What a root brings that is not for everybody, also if it was never read whole."""
    state = catalog.state
    queue, visited_refs = [root.location.entity_ref], {root.location.entity_ref}
    while queue:
        async for ref in in_turns(state.emitted_by(queue.pop())):
            if ref in visited_refs:
                continue
            visited_refs.add(ref)
            if state.is_restricted(ref):
                yield ref
            if is_location(ref):
                queue.append(ref)
