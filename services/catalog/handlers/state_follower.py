"""Takes the writes of other replicas over into this process' state.

Replicas publish events of their writes. Requests that cannot wait for an event read the
store.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.catalog.handlers.catalog import CatalogContext
from services.catalog.handlers.plan_writer import differing_since
from services.catalog.handlers.root_follower import MARGIN, learn

LOAD = 500


class StateFollower:
    """Brings the state of this process up to the store."""

    def __init__(self, catalog: CatalogContext) -> None:
        self._catalog = catalog
        self._lock = asyncio.Lock()
        self._catch_up_count = 0
        #: All writes stamped before this are in the state: it is loaded afterwards.
        self._through = datetime.now(UTC) - MARGIN
        self._roots_to_reload: set[str] = set()

    @property
    def through(self) -> datetime:
        """All that was stored before this moment is in the state."""
        return self._through

    def resume(self, through: datetime) -> None:
        """Catch up from this moment on: the state was complete then."""
        self._through = through

    async def learn(self, refs: Sequence[str]) -> None:
        """Take over what the store holds of these entities, and of their roots."""
        catalog = self._catalog
        for start in range(0, len(refs), LOAD):
            part = refs[start : start + LOAD]
            self._roots_to_reload |= await learn(
                catalog.store, catalog.root_follower, catalog.state, part
            )

    async def learn_roots(self, names: set[str]) -> None:
        """Take over what the store holds of these roots."""
        await self._catalog.root_follower.learn(names)

    async def reload_roots(self) -> None:
        """Take over the roots that others stored, with or without an entity's event.

        Those of the last events are loaded in any case: processes of versions before
        this one store roots without the moment that they are found by.

        Raises:
            Unavailable: if the store does not answer.
        """
        names = frozenset(self._roots_to_reload)
        await self._catalog.root_follower.learn_changes(names)
        self._roots_to_reload -= names

    async def compare(self) -> list[str]:
        """Compare all revisions with the store's; returns the refs that differed."""
        state = self._catalog.state
        # Between two of these at most so many of the known entities were written.
        times = (await asyncio.to_thread(sorted, state.updated_times()))[LOAD::LOAD]
        stored_revisions = await self._catalog.store.versions(times)
        current_revisions = state.revisions()
        differing_refs = await asyncio.to_thread(
            _differing, stored_revisions, current_revisions
        )
        await self.learn(differing_refs)
        return differing_refs

    async def catch_up(self) -> list[str]:
        """Take over all that was stored before this call; the refs that differed.

        Calls at the same time share one query of the store.

        Raises:
            Unavailable: if the store does not answer.
        """
        earlier_count = self._catch_up_count
        async with self._lock:
            if self._catch_up_count > earlier_count:
                return []  # a catch-up that began after this call has ended
            self._catch_up_count += 1
            now = datetime.now(UTC)
            differing_refs = await differing_since(
                self._catalog.store, self._catalog.state, self._through
            )
            await self.learn(differing_refs)
            await self.reload_roots()
            self._through = now - MARGIN
            return differing_refs


def _differing(
    stored_revisions: Mapping[str, int], current_revisions: Mapping[str, int]
) -> list[str]:
    refs = sorted({*stored_revisions, *current_revisions})
    return [
        ref
        for ref in refs
        if stored_revisions.get(ref, 0) != current_revisions.get(ref, 0)
    ]
