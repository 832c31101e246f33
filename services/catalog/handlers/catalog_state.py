"""The state of the catalog in this process: entities, their parents, and the roots.

This process' own writes update it, and those of other replicas through `events`. The
store alone is the truth. Every question is a lookup, however many entities there are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.catalog.handlers.refused_names import RefusedNames
from services.catalog.handlers.source_index import SourceIndex
from services.catalog.model import Root, StoredEntity
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
    at: int
    by: object
    #: When it was written.
    updated: datetime


class CatalogState:
    """Entities by ref and by who emits them, roots by name, id and repository."""

    def __init__(self, entities: Entities) -> None:
        self.entities = entities
        self.roots: dict[str, Root] = {}
        self._emitted: dict[str, dict[str, set[str]]] = {}
        self._links: dict[str, EntityPlacement] = {}
        self._by_id: dict[str, str] = {}
        self._by_repository: dict[str, set[str]] = {}
        #: The targets that entities come from, by their sources.
        self.sources: SourceIndex | None = None
        self.refused = RefusedNames()
        #: Counts what was taken over: whoever reads a source notes where it stood.
        self.clock = 0

    def __len__(self) -> int:
        return len(self._links)

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

    async def show(self, written: WriteResult, by: object) -> None:
        """Take over what `by` wrote, in slices that do not hold the loop up."""
        async for ref in in_turns(written.deleted):
            self.drop(ref, by)
        await self.show_all(written.stored, by)

    async def show_all(self, states: Sequence[StoredEntity], by: object = None) -> None:
        """Take over states, in slices."""
        async for stored in in_turns(states):
            self.put_many([stored], by)

    def put_many(self, states: Sequence[StoredEntity], by: object = None) -> None:
        """Take over states, unless newer ones are known."""
        self.clock += 1
        newer: dict[str, StoredEntity] = {}
        for stored in states:
            if self.revision(stored.ref) < stored.revision:
                self._note_owner(stored, by)
                self._unlink(stored.ref)
                self._link(stored, by)
                newer[stored.ref] = stored
        self.entities.put_many(newer.values())

    async def link_all(self, states: Sequence[StoredEntity]) -> None:
        """Take over states that the read model has been restored with, in slices."""
        self.clock += 1
        async for stored in in_turns(states):
            self._link(stored, None)

    def drop(self, ref: str, by: object = None) -> None:
        """An entity is gone."""
        if ref in self._links:
            self.clock += 1
            self._unlink(ref)
            self.entities.drop(ref)
            self.refused.release(ref, is_own=by is not None)

    def _note_owner(self, stored: StoredEntity, by: object) -> None:
        """Note that a refused name belongs to another, or that its owner is hidden."""
        if stored.ref not in self.refused:
            return
        before = self.entities.get(stored.ref)
        if (
            before is None
            or before.location_key != stored.location_key
            or before.entity.is_restricted != stored.entity.is_restricted
        ):
            self.refused.release(stored.ref, is_own=by is not None)

    def _link(self, stored: StoredEntity, by: object) -> None:
        link = EntityPlacement(
            stored.revision,
            stored.parents,
            stored.location,
            self.clock,
            by,
            stored.updated,
        )
        self._links[stored.ref] = link
        for parent in link.parents:
            at = self._emitted.setdefault(parent, {})
            if link.location not in at:
                at[link.location] = set()
                if self.sources is not None:
                    self.sources.add(parent, link.location)
            at[link.location].add(stored.ref)

    def _unlink(self, ref: str) -> None:
        link = self._links.pop(ref, None)
        if link is None:
            return
        for parent in link.parents:
            at = self._emitted.get(parent, {})
            refs = at.get(link.location, set())
            refs.discard(ref)
            if not refs:
                at.pop(link.location, None)
                if self.sources is not None:
                    self.sources.discard(parent, link.location)
            if not at:
                self._emitted.pop(parent, None)

    def put_root(self, root: Root) -> None:
        """Take over a root's state."""
        before = self.drop_root(root.name)
        self.roots[root.name] = root
        for ref in self.refused.add(root):
            # Its owner may have gone while this root was being read.
            if ref not in before and ref not in self._links:
                self.refused.release(ref, is_own=True)
        if root.id is not None:
            self._by_id[root.id] = root.name
        for key in root.keys:
            self._by_repository.setdefault(key, set()).add(root.name)

    def drop_root(self, name: str) -> set[str]:
        """A root is gone; the names that it was refused."""
        self.clock += 1
        root = self.roots.pop(name, None)
        if root is None:
            return set()
        if root.id is not None and self._by_id.get(root.id) == name:
            del self._by_id[root.id]
        for key in root.keys:
            names = self._by_repository.get(key, set())
            names.discard(name)
            if not names:
                self._by_repository.pop(key, None)
        return self.refused.discard(root)

    def root_with_id(self, identity: str) -> Root | None:
        """The registered root with this id."""
        return self.roots.get(self._by_id.get(identity, ""))

    def roots_of(self, repository: str) -> list[Root]:
        """The roots that were read from a repository (`host/repository`)."""
        names = sorted(self._by_repository.get(repository, ()))
        return [self.roots[name] for name in names]

    def in_bucket(self, bucket: str) -> Iterable[Root]:
        """The roots that a bucket wants."""
        return [root for root in self.roots.values() if bucket in root.buckets]

    def is_root(self, ref: str) -> bool:
        """Whether a Location entity stands for a root."""
        return ref.rpartition("/")[2] in self.roots

    def is_restricted(self, ref: str) -> bool:
        """Whether an entity is there for its owners and the platform team alone."""
        return self.entities.has_value(ref, VISIBILITY_PATH, RESTRICTED)

    def provider(self, ref: str) -> str | None:
        """The location of a shown entity; None if no location emits it."""
        link = self._links.get(ref)
        return link.location if link is not None and link.parents else None

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
        """The revision that is shown of every entity, by its ref."""
        return {ref: link.revision for ref, link in self._links.items()}

    def moments(self) -> list[datetime]:
        """When each entity that is shown was written, in no order."""
        return [link.updated for link in self._links.values()]

    def revision(self, ref: str) -> int:
        """The revision that is shown of an entity; 0: it is not shown."""
        link = self._links.get(ref)
        return link.revision if link else 0

    def overtaken(self, ref: str, since: int, by: object) -> bool:
        """Whether another than `by` has changed an entity since the clock stood so."""
        link = self._links.get(ref)
        return link is not None and link.at > since and link.by is not by

    def parents(self, ref: str) -> tuple[str, ...] | None:
        """The Location entities that emit an entity; None: it is not shown."""
        link = self._links.get(ref)
        return link.parents if link else None
