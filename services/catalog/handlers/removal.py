"""Which entities are orphans, and deleted, when Locations no longer emit them.

An entity lives as long as a chain of parents leads from it to a root; so two roots may
share a file, and a circle of Location entities does not keep itself alive.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.catalog.handlers.catalog_state import CatalogState
from services.catalog.model import Root

Edge = tuple[str, str]
#: So many entities are looked at before others get their turn.
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class OrphanDeletion:
    """The entities that are deleted, in order, and those that stay (`kept`).

    `kept` has the parents that remain to each of them, `keepers` the Location entity of
    a root that leads to it.
    """

    deleted: list[str]
    kept: dict[str, tuple[str, ...]]
    keepers: dict[str, str]


async def orphans_of(state: CatalogState, root: Root) -> OrphanDeletion:
    """The orphans that a root leaves when it is taken out of the catalog."""
    ref = root.location.entity_ref

    def is_root(other: str) -> bool:
        return other.rpartition("/")[2] in state.roots and other != ref

    return await orphan_deletion(
        state, {(ref, e) for e in state.emitted_by(ref)}, is_root
    )


async def orphan_deletion(
    state: CatalogState, lost: Collection[Edge], is_root: Callable[[str], bool]
) -> OrphanDeletion:
    """What follows from losing these edges (parent, entity).

    `is_root` tells whether a ref is a root's own Location entity that stays.
    """
    cut = set(lost)
    reached: dict[str, tuple[str, ...]] = {}
    waiting = deque(sorted({ref for _, ref in cut}))
    # Everything below a lost edge might fall; whether it does is asked bottom up.
    while waiting:
        ref = waiting.popleft()
        parents = state.parents(ref)
        if parents is None or ref in reached:
            continue
        reached[ref] = parents
        waiting.extend(sorted(state.emitted_by(ref)))
        if len(reached) % CHUNK == 0:
            await asyncio.sleep(0)
    roots = _RemainingRoots(state, cut, is_root)
    deleted: dict[str, None] = {}
    keepers: dict[str, str] = {}
    for count, ref in enumerate(reached, 1):
        keeper = roots.find(ref)
        if keeper is None:
            deleted[ref] = None
        else:
            keepers[ref] = keeper
        if count % CHUNK == 0:
            await asyncio.sleep(0)
    kept = {
        ref: left
        for ref, parents in reached.items()
        if ref not in deleted and (left := _left(ref, parents, cut, deleted)) != parents
    }
    # Those below go first: cut off half-way, what is left still hangs on something.
    return OrphanDeletion(list(reversed(deleted)), kept, keepers)


def _left(
    ref: str, parents: tuple[str, ...], cut: set[Edge], deleted: Collection[str]
) -> tuple[str, ...]:
    return tuple(p for p in parents if (p, ref) not in cut and p not in deleted)


class _RemainingRoots:
    """The roots to which chains of parents lead, without the cut edges."""

    def __init__(
        self, state: CatalogState, cut: set[Edge], is_root: Callable[[str], bool]
    ) -> None:
        self._state = state
        self._cut = cut
        self._is_root = is_root

    def find(self, ref: str) -> str | None:
        """The Location entity of a root that leads to an entity, if there is one."""
        seen = {ref}
        waiting = [ref]
        while waiting:
            at = waiting.pop()
            if self._is_root(at):
                return at
            for parent in self._state.parents(at) or ():
                if (parent, at) not in self._cut and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return None
