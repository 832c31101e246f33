"""The newest changes of the whole catalog, each as small as a list shows it.

Bounded and in memory: a window for people, not the history (that is the store's).
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import orjson

from services.catalog.model import CauseJson
from shared.contracts.catalog import remaining_paths
from shared.contracts.entity import Entity, mapping_of
from shared.contracts.errors import Invalid

MOST_CHANGES = 500
"""How many changes are remembered; at the end of them a reader's pages end."""

MOST_PATHS = 100
"""Changed paths of one change; its history has all of them."""

LARGEST_VALUE = 2 * 1024
"""Bytes of a field of `spec` beyond which only its name is kept."""

LARGEST_STATE = 64 * 1024
"""Bytes of a state beyond which it is not kept, and its change shown to few."""

Place = tuple[str, str, int]
"""The place of a change: its time (ISO 8601, UTC), entity and revision."""


@dataclass(frozen=True, slots=True)
class RecentChange:
    """One revision; `state` is what the policy judges it by.

    That is the entity as it was then, or was last where it was deleted, without large
    values; None: too large to be kept. `remaining` are the changed paths for those who
    might not see the state before.
    """

    at: str
    ref: str
    revision: int
    kind: str
    title: str
    actor: str
    cause: CauseJson
    changed: tuple[str, ...]
    deleted: bool
    state: Entity | None = None
    remaining: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        return self.at, self.ref, self.revision


def change_of(event: str | bytes) -> RecentChange:
    """The change in an `entity-changed` event (its JSON).

    Raises:
        Invalid: if it is none.
    """
    try:
        envelope = orjson.loads(event)
        data = envelope["data"]
        entity = Entity(mapping_of(data["entity"] or data["previous"]))
        deleted = data["entity"] is None
        changed = tuple(data["changed"][:MOST_PATHS])
        return RecentChange(
            at=str(envelope["time"]),
            ref=str(data["entity_ref"]),
            revision=int(data["revision"]),
            kind=entity.ref.kind,
            title=entity.display_name,
            actor=str(data["actor"]),
            cause=dict(data["cause"]),
            changed=changed,
            deleted=deleted,
            state=_judged_state(entity),
            remaining=tuple(remaining_paths(changed, entity.raw)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"data: not a change of an entity ({error})") from error


def _judged_state(entity: Entity) -> Entity | None:
    """The fields that conditions test; of a large value only that it exists."""
    spec = {
        key: value if len(orjson.dumps(value)) <= LARGEST_VALUE else ""
        for key, value in entity.spec.items()
    }
    fields = {
        "kind": entity.kind,
        "metadata": entity.metadata,
        "spec": spec,
        "relations": entity.raw.get("relations") or [],
    }
    return Entity(fields) if len(orjson.dumps(fields)) <= LARGEST_STATE else None


class RecentChanges:
    """The newest changes by time; a change that is noted twice counts once."""

    def __init__(self, limit: int = MOST_CHANGES) -> None:
        self._limit = limit
        self._places: list[Place] = []
        self._changes: dict[tuple[str, int], RecentChange] = {}
        self._deletions: dict[str, RecentChange] = {}

    def __len__(self) -> int:
        return len(self._places)

    def holds(self, ref: str, revision: int) -> bool:
        """Whether this revision is among the newest."""
        return (ref, revision) in self._changes

    def note(self, change: RecentChange) -> None:
        """Takes a change in, and lets the oldest go."""
        if self.holds(change.ref, change.revision):
            return
        insort(self._places, change.place)
        self._changes[change.ref, change.revision] = change
        last_deletion = self._deletions.get(change.ref)
        if change.deleted and (
            last_deletion is None or last_deletion.revision < change.revision
        ):
            self._deletions[change.ref] = change
        if len(self._places) > self._limit:
            self._forget(self._places.pop(0))

    def deletion(self, ref: str) -> RecentChange | None:
        """An entity's last deletion, if that is among the newest changes."""
        return self._deletions.get(ref)

    def newest(
        self,
        is_visible: Callable[[RecentChange], bool],
        *,
        limit: int,
        after: Place | None = None,
    ) -> list[RecentChange]:
        """The visible changes, newest first, older than the place `after`."""
        end = len(self._places) if after is None else bisect_left(self._places, after)
        changes = filter(is_visible, self._backwards(end))
        return list(islice(changes, limit))

    def _backwards(self, end: int) -> Iterable[RecentChange]:
        for position in range(end - 1, -1, -1):
            _, ref, revision = self._places[position]
            yield self._changes[ref, revision]

    def _forget(self, place: Place) -> None:
        _, ref, revision = place
        change = self._changes.pop((ref, revision))
        if self._deletions.get(ref) is change:
            del self._deletions[ref]
