"""Deletes what a root brought to the catalog, once nothing names the root any more."""

import contextlib
from datetime import UTC, datetime

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.plan_writer import TRIES, Overtaken
from services.catalog.model import RootLocation, parse_location
from services.catalog.planning.deletions import plan_dismissal
from services.catalog.planning.orphans import unreachable_refs
from shared.contracts.errors import Conflict


async def delete_entities(
    catalog: CatalogContext, root: RootLocation, context: CommandContext
) -> None:
    """Delete the entities that only this root provides; its lock is held.

    Raises:
        Conflict: if others keep changing one of them.
    """
    cause = context.cause.model_copy(update={"location": str(root.location)})
    for _ in range(TRIES):
        writer = catalog.writer(context.actor)
        plan = await plan_dismissal(catalog.state, root, cause)
        # Another root that shares a file may be read or deleted at the same time.
        with contextlib.suppress(Overtaken):
            await writer.apply(plan)
            catalog.on_write()
            return
    raise Conflict(f"{root.location}: is being changed by others; try again")


async def delete_abandoned(catalog: CatalogContext, context: CommandContext) -> None:
    """Delete the entities whose root is gone.

    A process that is killed while it reads a root that another one unregisters may
    leave some. At 100,000 entities this looks at each once, in turns with others.
    """
    state = catalog.state
    root_refs = [root.location.entity_ref for root in state.roots.values()]
    refs = await unreachable_refs(state, state.revisions(), root_refs)
    entities = map(state.get, refs)
    origins = {stored.origin for stored in entities if stored is not None}
    locations = [parse_location(origin) for origin in sorted(origins)]
    names = [location.entity_name for location in locations]
    # Another process may have registered one that is not known here yet.
    existing_names = {root.name for root in await catalog.roots.load(names)}
    for location in locations:
        if location.entity_name not in existing_names:
            root = RootLocation(location, frozenset(), datetime.now(UTC))
            async with catalog.lock(root):
                # It may have been registered again while this waited.
                await catalog.root_follower.learn([root.name])
                if root.name not in state.roots:
                    await delete_entities(catalog, root, context)
