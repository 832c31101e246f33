"""Reading again what an entity is made of, and deleting an entity by hand."""

import contextlib
from collections.abc import Mapping

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.handlers.ingestion import ingest
from services.catalog.handlers.plan_writer import TRIES, Overtaken
from services.catalog.model import StoredEntity, TargetKey
from services.catalog.planning.plan import Deletion, IngestionPlan
from shared.contracts.errors import Conflict


def files_of(state: CatalogState, ref: str) -> Mapping[str, set[TargetKey]]:
    """By root, the targets that an entity hangs on: its file and its parents' files.

    Of a Location entity also the targets that it names itself.
    """
    below = _links_above(state, ref)
    files: dict[str, set[TargetKey]] = {}
    for upper_ref in below:
        name = upper_ref.rpartition("/")[2]
        if name in state.roots:
            keys = files.setdefault(name, set())
            keys |= _links_below(below, upper_ref)
            keys.update(key for key in state.roots[name].files if key[0] == ref)
    return files


def _links_above(state: CatalogState, ref: str) -> dict[str, dict[str, TargetKey]]:
    """All that lies above an entity, each with what it leads to, and by which file.

    Each is looked at once, however many ways lead up to it.
    """
    below: dict[str, dict[str, TargetKey]] = {ref: {}}
    queue = [ref]
    while queue:
        current_ref = queue.pop()
        link = state.get(current_ref)
        for parent in link.parents if link else ():
            if parent not in below:
                below[parent] = {}
                queue.append(parent)
            if link:
                below[parent][current_ref] = (parent, link.location)
    return below


def _links_below(
    below: Mapping[str, Mapping[str, TargetKey]], root: str
) -> set[TargetKey]:
    """The files on all ways from a root down."""
    keys: set[TargetKey] = set()
    visited_refs, queue = {root}, [root]
    while queue:
        for child, key in below[queue.pop()].items():
            keys.add(key)
            if child not in visited_refs:
                visited_refs.add(child)
                queue.append(child)
    return keys


async def refresh(
    catalog: CatalogContext, entity: StoredEntity, context: CommandContext
) -> None:
    """Read an entity's sources now; unchanged ones cost a hash."""
    for name, keys in files_of(catalog.state, entity.ref).items():
        only = keys if entity.parents else None
        root = catalog.state.roots.get(name)
        # It may have been unregistered while the one before was read.
        if root is not None:
            await ingest(catalog, root, context, only=only)


async def delete(
    catalog: CatalogContext, entity: StoredEntity, context: CommandContext
) -> None:
    """Delete an entity; if its source still has it, it comes back as a new one.

    Raises:
        Conflict: if others keep changing it.
    """
    files = files_of(catalog.state, entity.ref)
    with catalog.state.refused.withhold(entity.ref):
        await _delete_one(catalog, entity.ref, context)
        for name, keys in files.items():
            own_keys = {
                k for k in keys if k[1] == entity.location and k[0] != entity.ref
            }
            only = own_keys if entity.parents else None
            root = catalog.state.roots.get(name)
            # It may have been unregistered while the entity was deleted.
            if root is not None:
                await ingest(catalog, root, context, only=only, force=True)


async def _delete_one(
    catalog: CatalogContext, ref: str, context: CommandContext
) -> None:
    """Delete an entity as it is now; others may delete it at the same time."""
    plan = IngestionPlan(deletions=(Deletion(ref, context.cause),))
    for _ in range(TRIES):
        if catalog.state.get(ref) is None:
            return
        writer = catalog.writer(context.actor)
        with contextlib.suppress(Overtaken):
            await writer.apply(plan)
            catalog.on_write()
            return
    raise Conflict(f"{ref}: is being changed by others; try again")
