"""Takes over what other processes store of roots, and of entities after their roots.

A root closes what lies around a restricted entity. So the roots of an entity that goes,
and those that were stored meanwhile, are taken over before the entity is dropped.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.model import RootLocation, parse_location
from services.catalog.ports import EntityStore, RootLocationStore

#: So many roots, which may have thousands of files each, are loaded at once.
LOAD = 100
#: A write is stamped before it is stored, by another machine's clock: what was stamped
#: this long ago is stored by now, or was never.
MARGIN = timedelta(seconds=30)
#: So long after a root the events of its entities may come.
EVENT_DELAY = timedelta(minutes=1)


class RootFollower:
    """Brings the roots of this process up to the store."""

    def __init__(self, roots: RootLocationStore, state: CatalogState) -> None:
        self._roots = roots
        self._state = state
        #: All roots stamped before this are in the state: it is loaded afterwards.
        self._through = datetime.now(UTC) - MARGIN
        #: When roots were taken over whose entities' events may not have come yet.
        self._loaded: dict[str, datetime] = {}

    def loaded_lately(self, name: str) -> datetime | None:
        """When a root was taken over from the store, if that was not long ago."""
        moment = self._loaded.get(name)
        is_recent = moment is not None and datetime.now(UTC) - moment < EVENT_DELAY
        return moment if is_recent else None

    async def learn(self, names: Collection[str]) -> None:
        """Take over what the store holds of these roots.

        Those that are there come first: one of them may have taken over the closed
        files of another that was removed then.
        """
        ordered_names = sorted(names)
        missing_roots: list[RootLocation] = []
        for start in range(0, len(ordered_names), LOAD):
            missing_roots += await self._load(ordered_names[start : start + LOAD])
        for root in missing_roots:
            if self._state.roots.get(root.name) is root:
                self._state.drop_root(root.name)

    async def _load(self, names: Sequence[str]) -> list[RootLocation]:
        """Show stored roots; those of the state that are not stored any more."""
        roots = self._state.roots
        roots_before = {name: roots.get(name) for name in names}
        stored_roots = {root.name: root for root in await self._roots.load(names)}
        for name, root in stored_roots.items():
            before = roots_before[name]
            # A write of this process may be newer than what was loaded.
            if roots.get(name) is before and (
                before is None
                or before.version != root.version
                or before.created != root.created
            ):
                self._state.put_root(root)
                self._loaded[name] = datetime.now(UTC)
        return [
            root
            for name, root in roots_before.items()
            if root is not None and name not in stored_roots
        ]

    async def learn_changes(self, names: Collection[str] = ()) -> None:
        """Take over these roots, and all that were stored or removed since last time.

        Two queries of an index, whose answers name what was written in half a minute.

        Raises:
            Unavailable: if the store does not answer.
        """
        now = datetime.now(UTC)
        self._loaded = {
            name: moment
            for name, moment in self._loaded.items()
            if now - moment < EVENT_DELAY
        }
        changes = await self._roots.changed_since(self._through)
        state_roots = self._state.roots
        differing_names = {
            name
            for name, version in changes.versions.items()
            if name not in state_roots or state_roots[name].version != version
        }
        removed_names = changes.removed & state_roots.keys()
        await self.learn(differing_names | removed_names | set(names))
        self._through = max(self._through, now - MARGIN)


async def learn(
    store: EntityStore, follower: RootFollower, state: CatalogState, refs: Sequence[str]
) -> set[str]:
    """Show what the store holds of some entities; the names of their roots.

    What is new comes before its root, which could be deleted without it otherwise; what
    changes or goes comes after its root, which may close what it opens.

    Raises:
        Unavailable: if the store does not answer.
    """
    revisions = {ref: state.revision(ref) for ref in refs}
    stored_entities = await store.load(refs)
    entities = [*map(state.get, refs), *stored_entities.values()]
    origins = {entity.origin for entity in entities if entity is not None}
    names = {parse_location(origin).entity_name for origin in origins}
    new_refs = {ref for ref in stored_entities if not revisions[ref]}
    state.put_many([stored_entities[ref] for ref in new_refs])
    await follower.learn_changes(names)
    state.put_many(
        [
            stored
            for ref, stored in stored_entities.items()
            # This process may have deleted it since it was loaded.
            if ref not in new_refs and state.revision(ref)
        ]
    )
    for ref in refs:
        # This process may have made it again since.
        if ref not in stored_entities and state.revision(ref) == revisions[ref]:
            state.drop(ref)
    return names
