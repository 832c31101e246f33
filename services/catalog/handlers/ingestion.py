"""One location: read it, plan what changes, and make the catalog hold that."""

from collections.abc import Collection
from dataclasses import replace

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.dismissal import delete_entities
from services.catalog.handlers.location_reader import LocationReader
from services.catalog.handlers.plan_writer import Overtaken
from services.catalog.model import RootLocation, TargetKey
from services.catalog.planning.stages import plan_in_stages
from shared.contracts.errors import Conflict

TRIES = 5


async def ingest(
    catalog: CatalogContext,
    root: RootLocation,
    context: CommandContext,
    *,
    only: Collection[TargetKey] | None = None,
    force: bool = False,
) -> RootLocation:
    """Read a root (or the targets `only` of it) and store what it describes.

    `force` reads those targets even if they look unchanged. The root's new state; the
    given one if it was unregistered meanwhile. The scan leaves out a root whose last
    reading was too expensive.

    Raises:
        Unavailable: if the store, or after a push the Git host, does not answer.
        Conflict: if others keep reading the same root.
    """
    if context.cause.kind == "scan" and catalog.resting_roots.is_resting(root.name):
        return catalog.state.roots.get(root.name, root)
    async with catalog.lock(root):
        # One for all tries: a reading that was overtaken costs as well.
        effort = catalog.effort(str(root.location))
        for _ in range(TRIES):
            current_root = catalog.state.roots.get(root.name)
            if current_root is None:
                # It was unregistered while this waited.
                return root
            writer = catalog.writer(context.actor)
            reader = LocationReader(
                catalog, current_root, context, effort, only=only, force=force
            )
            try:
                with catalog.traced(root), catalog.rights.reading(root):
                    targets = await plan_in_stages(reader, catalog.state, writer)
                if not targets:
                    return _as_read(catalog, current_root)
                only, force = targets, True
            except Overtaken:
                # What was read may be older than what is stored now: it is read again.
                if await reload_root(catalog, root.name) is None:
                    await _take_back(catalog, current_root, context)
            finally:
                catalog.on_write()
                catalog.resting_roots.note(root.name, effort)
    raise Conflict(f"{root.location}: is being read by others; try again")


def _as_read(catalog: CatalogContext, root: RootLocation) -> RootLocation:
    """A root after its reading; from now on it is found by what was read."""
    read_root = catalog.state.roots.get(root.name, root)
    if read_root.keys and catalog.unread_roots:
        catalog.unread_roots.pop(catalog.sources.source(root.location), None)
    return read_root


async def reload_root(catalog: CatalogContext, name: str) -> RootLocation | None:
    """Show a root as it is stored now; None: it was unregistered."""
    for root in await catalog.roots.load([name]):
        catalog.state.put_root(root)
        return root
    catalog.state.drop_root(name)
    return None


async def _take_back(
    catalog: CatalogContext, root: RootLocation, context: CommandContext
) -> None:
    """Delete what was written for a root that another process unregistered."""
    await delete_entities(catalog, root, context)
    registered_again = await reload_root(catalog, root.name)
    if registered_again is not None:
        # What that reading had stored may be deleted now: all of it is read anew.
        catalog.state.put_root(replace(registered_again, files={}))
