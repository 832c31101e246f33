"""Takes a provider from a root; a root without any is deleted with its entities."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from services.catalog.handlers.catalog import CatalogContext, CommandContext
from services.catalog.handlers.dismissal import delete_entities
from services.catalog.handlers.ingestion import reload_root
from services.catalog.handlers.plan_writer import differing_since
from services.catalog.handlers.root_follower import EVENT_DELAY, MARGIN, learn
from services.catalog.model import REGISTERED, RootLocation
from shared.contracts.errors import Conflict

TRIES = 5
#: Whether a root may lose a provider, as it is now; an error says why it may not.
ReleaseCheck = Callable[[RootLocation], Awaitable[bool]]


class _Refused(Exception):
    """The check did not allow it."""


async def release_root(
    catalog: CatalogContext,
    root: RootLocation,
    provider_id: str,
    context: CommandContext,
    check: ReleaseCheck,
) -> bool:
    """Take a provider from a root; one without any is deleted with its entities.

    `check` is called for the root as it is at each try. Before a deletion that is under
    the root's lock: a reading that held it may have brought what the caller must not
    delete, or what has to stay closed.

    Returns whether the root had the provider until now, and the check allowed it.

    Raises:
        CallboardError: that of the check.
        Conflict: if others keep changing the root.
    """
    start = datetime.now(UTC)
    for _ in range(TRIES):
        if provider_id not in root.providers:
            return False
        try:
            if root.providers == {provider_id}:
                is_released = await _try_dismissal(catalog, root, context, check)
            else:
                is_released = await _try_release(catalog, root, provider_id, check)
        except _Refused:
            return False
        if is_released:
            return True
        stored = await reload_root(catalog, root.name)
        if stored is None:
            return False
        root = stored
        # The process that changed it may have written entities that are unknown here.
        refs = await differing_since(catalog.store, catalog.state, start - MARGIN)
        await learn(catalog.store, catalog.root_follower, catalog.state, refs)
    raise Conflict(f"{root.location}: is being changed by others; try again")


async def _try_release(
    catalog: CatalogContext, root: RootLocation, provider_id: str, check: ReleaseCheck
) -> bool:
    """Take a provider from a root that has others; False if others changed it."""
    if not await check(root):
        raise _Refused
    stored = await catalog.roots.put(
        replace(
            root,
            providers=root.providers - {provider_id},
            id=None if provider_id == REGISTERED else root.id,
        )
    )
    if stored is not None:
        catalog.state.put_root(stored)
    return stored is not None


async def _try_dismissal(
    catalog: CatalogContext,
    root: RootLocation,
    context: CommandContext,
    check: ReleaseCheck,
) -> bool:
    """Delete a root and the entities that only it provides; False if others changed it.

    The entities are deleted first: after a crash the root can be deleted again. Another
    process that reads the root meanwhile may write some anew: it stores the root, and
    all of this is done once more, or finds it gone and deletes them itself.
    """
    async with catalog.lock(root):
        # Another process may have stored closed files of it while this waited.
        follower = catalog.root_follower
        await follower.learn([root.name])
        loaded_at = follower.loaded_lately(root.name)
        if loaded_at is not None:
            # Its entities were written before, their events may be under way.
            since = loaded_at - EVENT_DELAY
            refs = await differing_since(catalog.store, catalog.state, since)
            await learn(catalog.store, follower, catalog.state, refs)
        current_root = catalog.state.roots.get(root.name)
        if current_root is None or current_root.providers - root.providers:
            return False
        if not await check(current_root):
            raise _Refused
        await delete_entities(catalog, current_root, context)
        if not await catalog.roots.remove(current_root):
            return False
        catalog.state.drop_root(root.name)
        return True
