"""What counts as a user's own: themselves and their groups, as the catalog says now.

Backstage's rule (`getDefaultOwnershipEntityRefs`): the direct `memberOf` relations.
Forgotten when the catalog tells of a changed user or group, and after a minute.
"""

import asyncio
import time
from collections.abc import Callable

from services.gateway.ports import Resources
from shared.contracts.errors import CallboardError

KEPT_SECONDS = 60.0
#: While the catalog is away its last word counts; nobody gains rights meanwhile.
RETRY_SECONDS = 1.0


class CatalogMemberships:
    """`Memberships` from the catalog, remembered."""

    def __init__(
        self,
        resources: Resources,
        *,
        kept_seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resources = resources
        self._kept = kept_seconds
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asking: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._generation = 0

    async def ownership(self, user_ref: str) -> tuple[str, ...]:
        """The user's canonical ref, then those of their groups."""
        found = self._known.get(user_ref)
        if found is not None and found[0] > self._clock():
            return found[1]
        asking = self._asking.get(user_ref)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(user_ref))
            self._asking[user_ref] = asking
            asking.add_done_callback(lambda _: self._asking.pop(user_ref, None))
        # One reader who leaves must not take the answer away from the others.
        return await asyncio.shield(asking)

    def forget(self, entity_ref: str) -> None:
        """A user or group changed; a group's change may concern any user."""
        if entity_ref.startswith("user:"):
            self._known.pop(entity_ref, None)
        elif entity_ref.startswith("group:"):
            self._known.clear()
        else:
            return
        self._generation += 1

    def forget_all(self) -> None:
        """Changes may have been missed."""
        self._known.clear()
        self._generation += 1

    async def _ask(self, user_ref: str) -> tuple[str, ...]:
        generation = self._generation
        try:
            entity = await self._resources.entity(user_ref)
        except CallboardError:
            stale = self._known.get(user_ref)
            refs = stale[1] if stale is not None else (user_ref,)
            self._known[user_ref] = (self._clock() + RETRY_SECONDS, refs)
            return refs
        groups = {
            str(relation["targetRef"]).lower()
            for relation in (entity or {}).get("relations") or ()
            if relation.get("type") == "memberOf"
        }
        refs = (user_ref, *sorted(groups - {user_ref}))
        # An answer that a change overtook is good for this request only.
        if generation == self._generation:
            self._known[user_ref] = (self._clock() + self._kept, refs)
        return refs
