"""Relations: each declared one is held once, and found from both of its ends."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from pyroaring import BitMap

from services.catalog.model import StoredRelation
from services.catalog.readmodel.postings import (
    Posting,
    Tables,
    added,
    members,
    removed,
    union,
)


class Pair(NamedTuple):
    """The two names of one kind of relation, as its ends show it."""

    type: str
    inverse: str


class Adjacency:
    """For each kind of relation and target, the ids of those who declare it.

    Adding the 10,001st component of a group adds one id to one bitmap.
    """

    def __init__(self) -> None:
        self._edges: dict[Pair, dict[str, Posting]] = {}
        self._sources: dict[Pair, BitMap] = {}

    def tables(self) -> Tables:
        """All that `of_tables` needs, in tables that can be divided."""
        tables: Tables = {"sources": dict(self._sources)}
        for pair, targets in self._edges.items():
            tables[f"{pair.type} {pair.inverse}"] = targets
        return tables

    @classmethod
    def of_tables(cls, tables: Tables) -> Self:
        """The adjacency that had these tables."""
        adjacency = cls()
        for pair, sources in tables["sources"].items():
            adjacency._sources[pair] = sources
            adjacency._edges[pair] = tables[f"{pair.type} {pair.inverse}"]
        return adjacency

    def change(
        self,
        entity: int,
        before: Sequence[StoredRelation],
        after: Sequence[StoredRelation],
    ) -> set[StoredRelation]:
        """Moves an entity from its former relations to its new ones; says which."""
        if before == after:
            return set()
        old, new = set(before), set(after)
        for relation in old - new:
            self._remove(entity, relation)
        for relation in new - old:
            self._add(entity, relation)
        new_pairs = {Pair(relation.type, relation.inverse) for relation in new}
        for pair in {
            Pair(relation.type, relation.inverse) for relation in old
        } - new_pairs:
            self._sources[pair].discard(entity)
        return old ^ new

    def _add(self, entity: int, relation: StoredRelation) -> None:
        pair = Pair(relation.type, relation.inverse)
        targets = self._edges.get(pair)
        if targets is None:
            targets = self._edges[pair] = {}
            self._sources[pair] = BitMap()
        targets[relation.target] = added(targets.get(relation.target), entity)
        self._sources[pair].add(entity)

    def _remove(self, entity: int, relation: StoredRelation) -> None:
        targets = self._edges[Pair(relation.type, relation.inverse)]
        rest = removed(targets.get(relation.target), entity)
        if rest is None:
            targets.pop(relation.target, None)
        else:
            targets[relation.target] = rest

    def incoming(self, ref: str) -> Iterator[tuple[str, Posting]]:
        """What a ref shows of others' declarations: the inverse's name and who."""
        for pair, targets in self._edges.items():
            posting = targets.get(ref)
            if posting is not None:
                yield pair.inverse, posting

    def neighbours(self, ref: str) -> Iterator[int]:
        """The ids that declare any relation to a ref."""
        for _, posting in self.incoming(ref):
            yield from members(posting)

    def declaring(self, name: str, ref: str) -> BitMap:
        """The ids that declare a relation of this lower-cased name to `ref`."""
        return union(
            targets.get(ref)
            for pair, targets in self._edges.items()
            if pair.type.lower() == name
        )

    def targets(self, name: str) -> Iterator[tuple[str, Posting]]:
        """All targets of relations declared under a lower-cased name, with who."""
        for pair, targets in self._edges.items():
            if pair.type.lower() == name:
                yield from targets.items()

    def sources(self, name: str) -> BitMap:
        """The ids that declare any relation of this lower-cased name."""
        pairs = self._sources.items()
        return union(posting for pair, posting in pairs if pair.type.lower() == name)

    def inverse_targets(self, name: str) -> Iterator[tuple[str, Posting]]:
        """All targets that show a relation under this name, with who declares it."""
        for pair, targets in self._edges.items():
            if pair.inverse.lower() == name:
                yield from targets.items()
