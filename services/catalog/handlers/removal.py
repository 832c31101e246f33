"""Which entities fall when Location entities no longer emit them.

An entity lives as long as a chain of parents leads from it to a root; so two roots may
share a file, and a circle of Location entities does not keep itself alive.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.catalog.handlers.known import Known

Edge = tuple[str, str]
#: So many entities are looked at before others get their turn.
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Fall:
    """What goes, in order, and what stays, with the parents that are left to it."""

    deleted: list[str]
    kept: dict[str, tuple[str, ...]]


async def falling(
    known: Known, lost: Collection[Edge], is_root: Callable[[str], bool]
) -> Fall:
    """What follows from losing these edges (parent, entity).

    `is_root` tells whether a ref is a root's own Location entity that stays.
    """
    cut = set(lost)
    reached: dict[str, tuple[str, ...]] = {}
    waiting = deque(sorted({ref for _, ref in cut}))
    # Everything below a lost edge might fall; whether it does is asked bottom up.
    while waiting:
        ref = waiting.popleft()
        parents = known.parents(ref)
        if parents is None or ref in reached:
            continue
        reached[ref] = parents
        waiting.extend(sorted(known.emitted_by(ref)))
    alive = _Alive(known, cut, is_root)
    deleted: dict[str, None] = {}
    for count, ref in enumerate(reached, 1):
        if not alive(ref):
            deleted[ref] = None
        if count % CHUNK == 0:
            await asyncio.sleep(0)
    kept = {
        ref: left
        for ref, parents in reached.items()
        if ref not in deleted and (left := _left(ref, parents, cut, deleted)) != parents
    }
    # Those below go first: cut off half-way, what is left still hangs on something.
    return Fall(list(reversed(deleted)), kept)


def _left(
    ref: str, parents: tuple[str, ...], cut: set[Edge], deleted: Collection[str]
) -> tuple[str, ...]:
    return tuple(p for p in parents if (p, ref) not in cut and p not in deleted)


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
            for parent in self._known.parents(at) or ():
                if (parent, at) not in self._cut and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return False
