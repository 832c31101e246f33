"""Which entities are orphans, and deleted, when Location entities let them go.

An entity lives as long as a chain of parents leads from it to a root; so two roots may
share a file, and a circle of Location entities does not keep itself alive.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from services.catalog.model import RootLocation
from services.catalog.planning.outcomes import Edge
from services.catalog.planning.view import CatalogView
from shared.guards.turns import in_turns


@dataclass(frozen=True, slots=True)
class OrphanDeletion:
    """The entities that are deleted, in order, and those that stay.

    `remaining` are the parents that a staying entity still has, if it lost one, `roots`
    the Location entity of a root that leads to it.
    """

    deleted: list[str]
    remaining: dict[str, tuple[str, ...]]
    roots: dict[str, str]


async def orphans_of(view: CatalogView, root: RootLocation) -> OrphanDeletion:
    """The orphans that a root leaves when it is taken out of the catalog."""
    ref = root.location.entity_ref

    def is_root(other_ref: str) -> bool:
        return view.is_root(other_ref) and other_ref != ref

    lost_edges = {(ref, emitted) for emitted in view.emitted_by(ref)}
    return await orphan_deletion(view, lost_edges, is_root)


async def orphan_deletion(
    view: CatalogView, lost: Collection[Edge], is_root: Callable[[str], bool]
) -> OrphanDeletion:
    """What follows from losing these edges.

    `is_root` tells whether a ref is a root's own Location entity that stays.
    """
    lost_edges = set(lost)
    parents_by_ref = await parents_below(view, lost_edges)
    remaining_roots = _RemainingRoots(view, lost_edges, is_root)
    deleted: dict[str, None] = {}
    roots: dict[str, str] = {}
    async for ref in in_turns(parents_by_ref):
        root = remaining_roots.find(ref)
        if root is None:
            deleted[ref] = None
        else:
            roots[ref] = root
    remaining = {
        ref: parents_left
        for ref, parents in parents_by_ref.items()
        if ref not in deleted
        and (parents_left := _remaining_parents(ref, parents, lost_edges, deleted))
        != parents
    }
    # Those below go first: cut off half-way, what is left still hangs on something.
    return OrphanDeletion(list(reversed(deleted)), remaining, roots)


async def unreachable_refs(
    view: CatalogView, refs: Collection[str], roots: Iterable[str]
) -> set[str]:
    """Those of all entities to which no chain of parents leads from a root."""
    reachable: set[str] = set()
    queue = deque(roots)
    async for ref in in_turns(_drained(queue)):
        if ref not in reachable:
            reachable.add(ref)
            queue.extend(view.emitted_by(ref))
    return set(refs) - reachable


async def parents_below(
    view: CatalogView, lost_edges: Collection[Edge]
) -> dict[str, tuple[str, ...]]:
    """Everything below a lost edge, with its parents: all that may go."""
    parents_by_ref: dict[str, tuple[str, ...]] = {}
    queue = deque(sorted({ref for _, ref in lost_edges}))
    async for ref in in_turns(_drained(queue)):
        parents = view.parents(ref)
        if parents is None or ref in parents_by_ref:
            continue
        parents_by_ref[ref] = parents
        queue.extend(sorted(view.emitted_by(ref)))
    return parents_by_ref


def _drained(refs: deque[str]) -> Iterator[str]:
    """What is in a queue, and is put there meanwhile."""
    while refs:
        yield refs.popleft()


def _remaining_parents(
    ref: str, parents: tuple[str, ...], lost_edges: set[Edge], deleted: Collection[str]
) -> tuple[str, ...]:
    return tuple(
        parent
        for parent in parents
        if (parent, ref) not in lost_edges and parent not in deleted
    )


class _RemainingRoots:
    """The roots to which chains of parents lead, without the cut edges."""

    def __init__(
        self, view: CatalogView, lost_edges: set[Edge], is_root: Callable[[str], bool]
    ) -> None:
        self._view = view
        self._lost_edges = lost_edges
        self._is_root = is_root

    def find(self, ref: str) -> str | None:
        """The Location entity of a root that leads to an entity, if there is one."""
        visited_refs = {ref}
        queue = [ref]
        while queue:
            current_ref = queue.pop()
            if self._is_root(current_ref):
                return current_ref
            for parent in self._view.parents(current_ref) or ():
                edge = (parent, current_ref)
                if edge not in self._lost_edges and parent not in visited_refs:
                    visited_refs.add(parent)
                    queue.append(parent)
        return None
