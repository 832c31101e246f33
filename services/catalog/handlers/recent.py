"""Keeps the newest changes current: from the store at start, then as they are told."""

import heapq
from collections.abc import Iterable, Sequence
from contextlib import suppress

from services.catalog.model import StoredEntity
from services.catalog.ports import RevisionLog
from services.catalog.readmodel.recent import MOST_CHANGES, RecentChanges, change_of
from shared.contracts.errors import Invalid
from shared.guards.turns import in_turns


def newest_of(entities: Iterable[StoredEntity]) -> list[StoredEntity]:
    """Those that changed last, as many as there can be changes in the window."""
    return heapq.nlargest(MOST_CHANGES, entities, key=lambda stored: stored.updated)


class RecentChangesUpdater:
    """What changed lately, and how this process comes to know it."""

    def __init__(self, log: RevisionLog) -> None:
        self.changes = RecentChanges()
        self._log = log

    async def consume(self, events: Iterable[str | bytes]) -> None:
        """Take in what events (their JSON) tell; what is no change is passed over."""
        async for event in in_turns(events):
            with suppress(Invalid):
                self.changes.note(change_of(event))

    async def fill(self, entities: Iterable[StoredEntity]) -> None:
        """Take in the newest revisions of entities as they are now.

        Needs no index by time: a revision among the newest belongs to an entity whose
        last one is. From there backwards, as long as that leads to others among them.
        """
        revisions = [(stored.ref, stored.revision) for stored in newest_of(entities)]
        while revisions:
            events = await self._log.events(revisions)
            await self.consume(events.values())
            revisions = self._preceding(revisions, set(events))

    def _preceding(
        self,
        revisions: Sequence[tuple[str, int]],
        published_revisions: set[tuple[str, int]],
    ) -> list[tuple[str, int]]:
        """The revisions before these; those before one that is too old are older."""
        return [
            (ref, revision - 1)
            for ref, revision in revisions
            if revision > 1
            and (
                (ref, revision) not in published_revisions
                or self.changes.holds(ref, revision)
            )
        ]
