"""Entities sorted by a field, kept sorted by what changed since it was last used."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from pyroaring import BitMap

from shared.guards.turns import sort_in_turns

SortKey = tuple[str, str]
"""A lower-cased value, and the entity ref that breaks ties."""

LAST = chr(0x10FFFF)
"""Sorts what has the field, but a value too long to be a term, behind all others."""

BLOCK = 1024
ONE_BY_ONE = 200
SHARE = 50
"""So many changes, or one in this many entities, are moved singly; for more of them,
sorting anew is cheaper."""

FEW_MEMBERS = 64
"""Members up to this many are sorted by themselves, without looking at the blocks."""


class SortIndex:
    """The ids that have a field, by (value, ref), up to a position of the change log.

    The sequence is cut into blocks with a bitmap each: a block without a member of a
    page's entities is passed over at once, and so is one that an offset skips.
    """

    __slots__ = ("_bitmaps", "_blocks", "_keys", "log_position")

    def __init__(self, keys: list[SortKey | None], log_position: int) -> None:
        self._keys = keys
        self.log_position = log_position
        entities = [entity for entity, key in enumerate(keys) if key is not None]
        self._fill(entities)

    @classmethod
    async def sorted_in_turns(
        cls, keys: list[SortKey | None], log_position: int
    ) -> "SortIndex":
        """A new index; others get their turn while it is sorted."""
        index = cls([], log_position)
        index._keys = keys
        entities = [entity for entity, key in enumerate(keys) if key is not None]
        index._cut(await sort_in_turns(entities, keys.__getitem__))
        return index

    def copy(self) -> "SortIndex":
        """The index as it is now, whatever is changed in the original later."""
        index = SortIndex([], self.log_position)
        index._keys = list(self._keys)
        index._blocks = [list(block) for block in self._blocks]
        index._bitmaps = [bitmap.copy() for bitmap in self._bitmaps]
        return index

    def present(self) -> BitMap:
        """The ids that have the field."""
        return BitMap.union(*self._bitmaps) if self._bitmaps else BitMap()

    def _fill(self, entities: list[int]) -> None:
        entities.sort(key=self.key)
        self._cut(entities)

    def _cut(self, entities: list[int]) -> None:
        self._blocks = [entities[i : i + BLOCK] for i in range(0, len(entities), BLOCK)]
        self._bitmaps = [BitMap(block) for block in self._blocks]

    def key(self, entity: int) -> SortKey:
        """The key of an entity that has the field."""
        key = self._keys[entity]
        assert key is not None  # noqa: S101 - narrows; callers pass sorted ids only
        return key

    def value(self, entity: int) -> str:
        """The value of an entity that has the field."""
        return self.key(entity)[0]

    def __contains__(self, entity: int) -> bool:
        return entity < len(self._keys) and self._keys[entity] is not None

    def update(self, changes: Iterable[tuple[int, SortKey | None]]) -> None:
        """Moves the entities whose key has changed."""
        moves = [
            (entity, key)
            for entity, key in changes
            if key != (self._keys[entity] if entity < len(self._keys) else None)
        ]
        if len(moves) > max(ONE_BY_ONE, len(self._keys) // SHARE):
            self._resort(moves)
            return
        for entity, _ in moves:
            if entity in self:
                self._take_out(entity)
        for entity, key in moves:
            if key is not None:
                self._set(entity, key)
                self._insert(entity, key)

    def _resort(self, moves: list[tuple[int, SortKey | None]]) -> None:
        moved_entities = {entity for entity, _ in moves}
        entities = [
            i for block in self._blocks for i in block if i not in moved_entities
        ]
        for entity, key in moves:
            self._set(entity, key)
            if key is not None:
                entities.append(entity)
        self._fill(entities)

    def _set(self, entity: int, key: SortKey | None) -> None:
        if entity >= len(self._keys):
            self._keys.extend([None] * (entity + 1 - len(self._keys)))
        self._keys[entity] = key

    def _take_out(self, entity: int) -> None:
        key = self.key(entity)
        at = self._block_at(key)
        block = self._blocks[at]
        del block[bisect_left(block, key, key=self.key)]
        self._bitmaps[at].discard(entity)
        if not block:
            del self._blocks[at], self._bitmaps[at]
        self._keys[entity] = None

    def _insert(self, entity: int, key: SortKey) -> None:
        if not self._blocks:
            self._fill([entity])
            return
        at = min(self._block_at(key), len(self._blocks) - 1)
        block = self._blocks[at]
        insort(block, entity, key=self.key)
        self._bitmaps[at].add(entity)
        if len(block) > 2 * BLOCK:
            halves = [block[:BLOCK], block[BLOCK:]]
            self._blocks[at : at + 1] = halves
            self._bitmaps[at : at + 1] = [BitMap(half) for half in halves]

    def _block_at(self, key: SortKey) -> int:
        """The first block that reaches up to a key; one too many when none does."""
        return bisect_left(self._blocks, key, key=lambda block: self.key(block[-1]))

    def equal(self, value: str) -> BitMap:
        """The ids whose key has this value."""
        low, high = (value, ""), (value, LAST)
        first, last = self._block_at(low), self._block_at(high)
        entities = BitMap()
        for at in range(first, min(last + 1, len(self._blocks))):
            if first < at < last:
                entities |= self._bitmaps[at]
                continue
            block = self._blocks[at]
            start = bisect_left(block, low, key=self.key)
            entities.update(block[start : bisect_left(block, high, key=self.key)])
        return entities

    def walk(
        self,
        within: BitMap,
        *,
        after: SortKey | None = None,
        backwards: bool = False,
        skip: int = 0,
    ) -> Iterator[int]:
        """The members of `within` in order, from behind `after` on, less `skip`."""
        if len(within) <= FEW_MEMBERS:
            entities = sorted((i for i in within if i in self), key=self.key)
            yield from self._part(entities, after, backwards)[skip:]
            return
        start = 0 if after is None else self._block_at(after)
        order = range(start, len(self._blocks))
        if backwards:
            last = len(self._blocks) - 1
            order = range(last if after is None else min(start, last), -1, -1)
        for at in order:
            block = self._blocks[at]
            members: BitMap | set[int] = within
            if after is not None and at == start:
                block = self._part(block, after, backwards)
            else:
                count = self._bitmaps[at].intersection_cardinality(within)
                if count <= skip:
                    skip -= count
                    continue
                members = set(self._bitmaps[at] & within)
                if backwards:
                    block = block[::-1]
            hits = [entity for entity in block if entity in members]
            yield from hits[skip:]
            skip = max(0, skip - len(hits))

    def _part(
        self, entities: list[int], after: SortKey | None, backwards: bool
    ) -> list[int]:
        """The part of a sorted list behind a key; before it, reversed, backwards."""
        if backwards:
            end = len(entities)
            if after is not None:
                end = bisect_left(entities, after, key=self.key)
            return entities[:end][::-1]
        start = 0
        if after is not None:
            start = bisect_left(entities, after, key=self.key)
            start += start < len(entities) and self._keys[entities[start]] == after
        return entities[start:]
