"""The state of the catalog in this process: entities, their parents, and the roots.

Writes of this process update it directly, writes of other replicas through `events`.
The store is the source of truth. Every method is a lookup, whatever the number of
entities.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.catalog.handlers.refused_names import RefusedNames
from services.catalog.handlers.source_index import SourceIndex
from services.catalog.model import RootLocation, StoredEntity
from services.catalog.ports import Entities, WriteResult
from shared.contracts.annotations import RESTRICTED, VISIBILITY
from shared.guards.turns import in_turns

VISIBILITY_PATH = f"metadata.annotations.{VISIBILITY}"


@dataclass(frozen=True, slots=True)
class EntityPlacement:
    """An entity's revision, parents and file, without its document.

    Documents are stored packed: questions about parents need not unpack them.
    """

    revision: int
    parents: tuple[str, ...]
    location: str
    #: `CatalogState.clock` when it was put here, and the write that did so.
    clock: int
    writer: object
    #: When it was written.
    updated: datetime


class CatalogState:
    """Entities by ref and by who emits them, roots by name, id and repository."""

    def __init__(self, entities: Entities) -> None:
        self.entities = entities
        self.roots: dict[str, RootLocation] = {}
        self._emitted: dict[str, dict[str, set[str]]] = {}
        self._placements: dict[str, EntityPlacement] = {}
        self._by_id: dict[str, dict[str, None]] = {}
        self._by_repository: dict[str, set[str]] = {}
        #: The targets that entities come from, by their sources.
        self.sources: SourceIndex | None = None
        self.refused = RefusedNames()
        #: Counts changes of this state; a reading of a source remembers its value.
        self.clock = 0

    def __len__(self) -> int:
        return len(self._placements)

    def get(self, ref: str) -> StoredEntity | None:
        """The entity with this canonical ref."""
        return self.entities.get(ref)

    def emitted(self, parent: str, location: str) -> frozenset[str]:
        """The refs that a Location entity has from one of its targets."""
        return frozenset(self._emitted.get(parent, {}).get(location, ()))

    def emitted_by(self, parent: str) -> frozenset[str]:
        """The refs that a Location entity has from all of its targets."""
        targets = self._emitted.get(parent, {}).values()
        return frozenset(ref for refs in targets for ref in refs)

    async def apply(self, result: WriteResult, writer: object) -> None:
        """Apply a write of `writer`, in slices that do not hold the loop up."""
        async for ref in in_turns(result.deleted):
            self.drop(ref, writer)
        await self.put_all(result.stored, writer)

    async def put_all(
        self, states: Sequence[StoredEntity], writer: object = None
    ) -> None:
        """Put states, in slices that do not hold the loop up."""
        async for stored in in_turns(states):
            self.put_many([stored], writer)

    def put_many(self, states: Sequence[StoredEntity], writer: object = None) -> None:
        """Put the states that are newer than those of this process."""
        self.clock += 1
        newer: dict[str, StoredEntity] = {}
        for stored in states:
            if self.revision(stored.ref) < stored.revision:
                self._note_owner(stored, writer)
                self._unlink(stored.ref)
                self._link(stored, writer)
                newer[stored.ref] = stored
        self.entities.put_many(newer.values())

    async def link_all(self, states: Sequence[StoredEntity]) -> None:
        """Take over states that the read model has been restored with, in slices."""
        self.clock += 1
        async for stored in in_turns(states):
            self._link(stored, None)

    def drop(self, ref: str, writer: object = None) -> None:
        """Remove an entity."""
        if ref in self._placements:
            self.clock += 1
            self._unlink(ref)
            self.entities.drop(ref)
            self.refused.release(ref, is_own=writer is not None)

    def _note_owner(self, stored: StoredEntity, writer: object) -> None:
        """Note that a refused name belongs to another, or that its owner is hidden."""
        if stored.ref not in self.refused:
            return
        before = self.entities.get(stored.ref)
        if (
            before is None
            or before.location_key != stored.location_key
            or before.entity.is_restricted != stored.entity.is_restricted
        ):
            self.refused.release(stored.ref, is_own=writer is not None)

    def _link(self, stored: StoredEntity, writer: object) -> None:
        placement = EntityPlacement(
            stored.revision,
            stored.parents,
            stored.location,
            self.clock,
            writer,
            stored.updated,
        )
        self._placements[stored.ref] = placement
        for parent in placement.parents:
            refs_by_location = self._emitted.setdefault(parent, {})
            if placement.location not in refs_by_location:
                refs_by_location[placement.location] = set()
                if self.sources is not None:
                    self.sources.add(parent, placement.location)
            refs_by_location[placement.location].add(stored.ref)

    def _unlink(self, ref: str) -> None:
        placement = self._placements.pop(ref, None)
        if placement is None:
            return
        for parent in placement.parents:
            refs_by_location = self._emitted.get(parent, {})
            refs = refs_by_location.get(placement.location, set())
            refs.discard(ref)
            if not refs:
                refs_by_location.pop(placement.location, None)
                if self.sources is not None:
                    self.sources.discard(parent, placement.location)
            if not refs_by_location:
                self._emitted.pop(parent, None)

    def put_root(self, root: RootLocation) -> None:
        """Take over a root's state."""
        before = self.drop_root(root.name)
        self.roots[root.name] = root
        if self.sources is not None:
            self.sources.add_root(root)
        for ref in self.refused.add(root):
            # Its owner may have gone while this root was being read.
            if ref not in before and ref not in self._placements:
                self.refused.release(ref, is_own=True)
        if root.id is not None:
            self._by_id.setdefault(root.id, {})[root.name] = None
        for key in self._keys_of(root):
            self._by_repository.setdefault(key, set()).add(root.name)

    def drop_root(self, name: str) -> set[str]:
        """Remove a root; returns the names that it was refused."""
        self.clock += 1
        root = self.roots.pop(name, None)
        if root is None:
            return set()
        if self.sources is not None:
            self.sources.discard_root(name)
        if root.id is not None:
            self._by_id[root.id].pop(name)
            if not self._by_id[root.id]:
                del self._by_id[root.id]
        for key in self._keys_of(root):
            names = self._by_repository.get(key, set())
            names.discard(name)
            if not names:
                self._by_repository.pop(key, None)
        return self.refused.discard(root)

    def root_with_id(self, identity: str) -> RootLocation | None:
        """The registered root with this id; of two (a move was cut off) the later."""
        names = self._by_id.get(identity)
        return self.roots[next(reversed(names))] if names else None

    def roots_of(self, repository: str) -> list[RootLocation]:
        """The roots that are read from a repository (`host/repository`)."""
        names = sorted(self._by_repository.get(repository, ()))
        return [self.roots[name] for name in names]

    def _keys_of(self, root: RootLocation) -> set[str]:
        """The repositories whose pushes concern a root.

        What was never read whole has no files to tell them by, but its own address.
        """
        if root.settled or self.sources is None:
            return root.keys
        return root.keys | {self.sources.place(str(root.location)).key}

    def provided_by(self, provider_id: str) -> Iterable[RootLocation]:
        """The roots that a provider names."""
        return [root for root in self.roots.values() if provider_id in root.providers]

    def is_root(self, ref: str) -> bool:
        """Whether a Location entity stands for a root."""
        return ref.rpartition("/")[2] in self.roots

    def is_restricted(self, ref: str) -> bool:
        """Whether an entity is there for its owners and the platform team alone."""
        return self.entities.has_value(ref, VISIBILITY_PATH, RESTRICTED)

    def providing_location(self, ref: str) -> str | None:
        """The location of an entity; None if no location emits it."""
        placement = self._placements.get(ref)
        if placement is None or not placement.parents:
            return None
        return placement.location

    def emitting(self, parent: str) -> list[str]:
        """The locations that a Location entity has entities from."""
        return list(self._emitted.get(parent, ()))

    def targets(self) -> Iterable[tuple[str, str]]:
        """All locations that entities come from, with the Location entity above.

        What comes or goes meanwhile may be left out, or be among them.
        """
        for parent in list(self._emitted):
            for location in list(self._emitted.get(parent, ())):
                yield parent, location

    def revisions(self) -> dict[str, int]:
        """The revision of every entity in this state, by its ref."""
        return {ref: placement.revision for ref, placement in self._placements.items()}

    def updated_times(self) -> list[datetime]:
        """When each entity was written, in no order."""
        return [placement.updated for placement in self._placements.values()]

    def revision(self, ref: str) -> int:
        """The revision of an entity in this state; 0: it is not there."""
        placement = self._placements.get(ref)
        return placement.revision if placement else 0

    def is_overtaken(self, ref: str, since: int, writer: object) -> bool:
        """Whether another writer changed an entity after the clock was `since`."""
        placement = self._placements.get(ref)
        if placement is None or placement.clock <= since:
            return False
        return placement.writer is not writer

    def parents(self, ref: str) -> tuple[str, ...] | None:
        """The Location entities that emit an entity; None: it is not there."""
        placement = self._placements.get(ref)
        return placement.parents if placement else None
