"""Updates the newest changes: from the store at start, then from events."""

import heapq
from collections.abc import Iterable, Sequence
from contextlib import suppress

from services.catalog.model import StoredEntity
from services.catalog.ports import RevisionLog
from services.catalog.readmodel.recent import MOST_CHANGES, RecentChanges, change_of
from shared.contracts.errors import Invalid
from shared.guards.turns import in_turns


def newest_of(entities: Iterable[StoredEntity]) -> list[StoredEntity]:
    """The entities that changed last, as many as the window has changes."""
    return heapq.nlargest(MOST_CHANGES, entities, key=lambda stored: stored.updated)


class RecentChangesUpdater:
    """The newest changes, updated from events and from stored revisions."""

    def __init__(self, log: RevisionLog) -> None:
        self.changes = RecentChanges()
        self._log = log

    async def consume(self, events: Iterable[str | bytes]) -> None:
        """Note the changes in events (their JSON); other events are ignored."""
        async for event in in_turns(events):
            with suppress(Invalid):
                self.changes.note(change_of(event))

    async def fill(self, entities: Iterable[StoredEntity]) -> None:
        """Take in the newest revisions of entities as they are now.

        Needs no index by time: a revision is among the newest only if its entity's last
        revision is. From there it goes backwards, as long as it meets new revisions.
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
        """The revisions before these, without those before one that is too old."""
        return [
            (ref, revision - 1)
            for ref, revision in revisions
            if revision > 1
            and (
                (ref, revision) not in published_revisions
                or self.changes.holds(ref, revision)
            )
        ]
