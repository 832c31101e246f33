"""Which entities fall when Location entities no longer emit them.

An entity lives as long as a chain of parents leads from it to a root; so two roots may
share a file, and a circle of Location entities does not keep itself alive.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.catalog.handlers.known import Known
from services.catalog.model import StoredEntity

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fall:
    """What goes, and what stays with fewer parents (with those that are left)."""

    deleted: list[StoredEntity]
    kept: list[tuple[StoredEntity, tuple[str, ...]]]


def falling(
    known: Known, lost: Collection[Edge], is_root: Callable[[str], bool]
) -> Fall:
    """What follows from losing these edges (parent, entity).

    `is_root` tells whether a ref is a root's own Location entity that stays.
    """
    cut = set(lost)
    reached: dict[str, StoredEntity] = {}
    waiting = deque(ref for _, ref in cut)
    # Everything below a lost edge might fall; whether it does is asked bottom up.
    while waiting:
        ref = waiting.popleft()
        stored = known.get(ref)
        if stored is None or ref in reached:
            continue
        reached[ref] = stored
        waiting.extend(known.emitted_by(ref))
    alive = _Alive(known, cut, is_root)
    deleted = [stored for ref, stored in reached.items() if not alive(ref)]
    gone = {stored.ref for stored in deleted}
    kept = []
    for ref, stored in reached.items():
        left = tuple(p for p in stored.parents if (p, ref) not in cut and p not in gone)
        if ref not in gone and left != stored.parents:
            kept.append((stored, left))
    return Fall(deleted, kept)


class _Alive:
    """Whether a chain of parents leads to a root, without the cut edges."""

    def __init__(
        self, known: Known, cut: set[Edge], is_root: Callable[[str], bool]
    ) -> None:
        self._known = known
        self._cut = cut
        self._is_root = is_root

    def __call__(self, ref: str) -> bool:
        seen = {ref}
        waiting = [ref]
        while waiting:
            at = waiting.pop()
            if self._is_root(at):
                return True
            stored = self._known.get(at)
            for parent in stored.parents if stored else ():
                if (parent, at) not in self._cut and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return False
