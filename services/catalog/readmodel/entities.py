"""The read model: every entity's bytes, the index over them, and their relations.

One event loop writes and reads it; nothing here waits, so a reader sees whole changes.
`put` and `drop` cost what the entity costs, whatever the size of the catalog.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from pyroaring import BitMap

from services.catalog.descriptor.definitions import Reference, reference_of
from services.catalog.model import StoredEntity, StoredRelation
from services.catalog.readmodel.adjacency import Adjacency
from services.catalog.readmodel.changes import ChangeCounter, ChangeLog
from services.catalog.readmodel.inverted import InvertedField, InvertedIndex
from services.catalog.readmodel.orders import LAST, SortIndex, SortKey
from services.catalog.readmodel.postings import Tables, members
from services.catalog.readmodel.projections import Projections
from services.catalog.readmodel.records import (
    EntityRecord,
    fingerprint,
    record_of,
    tail_of,
)
from services.catalog.readmodel.rows import Rows, rows_of
from services.catalog.readmodel.terms import TermCache
from shared.guards.turns import in_turns

BY_REF = ""
"""The name of the order that every entity is in."""

PREPARED = (BY_REF, "metadata.name")
"""The orders that most lists use."""

MOST_ORDERS = 32
"""Fields whose order is kept at a time; each costs some 15 MB per 100,000 entities."""

FEW_CHANGES = 100
"""Of more changed entities, the documents are read in turns with other work."""

NOTHING_SORTED = SortIndex([], 0)
"""The order by a field that no entity has; shared, so never updated."""


class ReadModel:
    """What the catalog holds now; ids are dense, and given again after a `drop`."""

    def __init__(self, first_revision: int | None = None) -> None:
        self.records: list[EntityRecord | None] = []
        self.ids: dict[str, int] = {}
        self.live = BitMap()
        self.index = InvertedIndex()
        self.adjacency = Adjacency()
        self.revision = ChangeCounter(first_revision)
        self.projections = Projections()
        #: Of the entities whose definition is stored apart, by id.
        self.definitions: dict[int, Reference] = {}
        self._free: list[int] = []
        self._log = ChangeLog()
        self._orders: dict[str, SortIndex] = {}
        self._sorting = asyncio.Lock()
        self._terms = TermCache(self.index.fields, self._values_of)
        self._fingerprint = 0

    def __len__(self) -> int:
        return len(self.ids)

    def put(self, stored: StoredEntity) -> bool:
        """Puts an entity; False if a newer revision of it is there already."""
        before = self.record(stored.ref)
        if before is not None and _is_newer(before.stored, stored):
            return False
        # Whatever can fail does so before anything is changed.
        after, new_rows = record_of(stored), rows_of(stored.entity, stored.errors)
        old_rows = None if before is None else _rows(before)
        entity = self._place(after, before)
        self.index.change(entity, old_rows, new_rows)
        old_relations = before.stored.relations if before is not None else ()
        self._relate(entity, old_relations, after.stored.relations)
        self._refer(entity, reference_of(stored.entity))
        self._fingerprint ^= fingerprint(stored)
        if before is not None:
            self._fingerprint ^= fingerprint(before.stored)
        self._changed(entity)
        return True

    def put_many(self, entities: Iterable[StoredEntity]) -> int:
        """Puts entities; returns how many were new or newer."""
        return sum(self.put(stored) for stored in entities)

    def drop(self, ref: str) -> bool:
        """Forgets an entity; False when there is none."""
        entity = self.ids.pop(ref, None)
        record = None if entity is None else self.records[entity]
        if entity is None or record is None:
            return False
        self.index.change(entity, _rows(record), None)
        self._relate(entity, record.stored.relations, ())
        self.records[entity] = None
        self._refer(entity, None)
        self.live.discard(entity)
        self._free.append(entity)
        self._fingerprint ^= fingerprint(record.stored)
        self._changed(entity)
        return True

    def get(self, ref: str) -> StoredEntity | None:
        """An entity as it was put, by its canonical ref."""
        record = self.record(ref)
        if record is None:
            return None
        return dataclasses.replace(record.stored, entity=record.document())

    def record(self, ref: str) -> EntityRecord | None:
        """The record of an entity, by its canonical ref."""
        entity = self.ids.get(ref)
        return None if entity is None else self.records[entity]

    def has_value(self, ref: str, path: str, value: str) -> bool:
        """Whether an entity has a value at a path, both in lower case."""
        entity = self.ids.get(ref)
        return entity is not None and entity in self.index.equal(path, value)

    def entity_bytes(self, ref: str) -> bytes | None:
        """An entity's JSON with relations and status, by its canonical ref."""
        record = self.record(ref)
        return None if record is None else record.head + self.tail(record)

    def checksum(self) -> str:
        """16 hex digits that are equal when two models hold the same revisions."""
        return f"{self._fingerprint:016x}"

    def existing(self, ids: Iterable[int]) -> Iterator[EntityRecord]:
        """The records of ids, in their order."""
        for entity in ids:
            record = self.records[entity]
            if record is not None:
                yield record

    def tail(self, record: EntityRecord) -> bytes:
        """The end of an entity's JSON, from its relations on; remembered."""
        if record.tail is None:
            record.tail = tail_of(record, self.relations(record))
        return record.tail

    def relations(self, record: EntityRecord) -> set[tuple[str, str]]:
        """All relations of an entity as (type, target ref), whoever declared them."""
        relations = {(r.type, r.target) for r in record.stored.relations}
        for name, posting in self.adjacency.incoming(record.ref):
            relations.update(
                (name, other.ref) for other in self.existing(members(posting))
            )
        return relations

    def prepare(self) -> None:
        """Sorts what most lists are sorted by, before the first reader waits for it."""
        for path in PREPARED:
            self.order(path)

    def order(self, path: str, index: SortIndex | None = None) -> SortIndex:
        """Entities by the value at a lower-cased path, or all by ref (`BY_REF`).

        With `index`, that one of the caller's, brought up to date.
        """
        if path != BY_REF and path not in self.index.fields:
            return NOTHING_SORTED
        order = (
            self._orders.get(path)
            if index is None or index is NOTHING_SORTED
            else index
        )
        changed_ids = None if order is None else self._log.since(order.log_position)
        if order is None or changed_ids is None:
            keys: list[SortKey | None] = [None] * len(self.records)
            deque(self._fill_keys(path, keys), maxlen=0)
            order = self._keep_order(path, SortIndex(keys, self._log.end))
        elif changed_ids:
            order.update((i, self._key(self.records[i], path)) for i in changed_ids)
            order.log_position = self._log.end
        return order

    async def order_in_turns(self, path: str) -> SortIndex:
        """As `order`; others get their turn where there is much to sort."""
        if self._is_nearly_sorted(path):
            return self.order(path)
        async with self._sorting:
            order = None
            if not self._is_nearly_sorted(path):
                order = await self._sort(path)
            return self.order(path, order)

    def _is_nearly_sorted(self, path: str) -> bool:
        order = self._orders.get(path)
        if order is None:
            return path != BY_REF and path not in self.index.fields
        changed_ids = self._log.since(order.log_position)
        return changed_ids is not None and len(changed_ids) <= FEW_CHANGES

    async def _sort(self, path: str) -> SortIndex:
        """Brings an order up to date, but for what changes in the meantime."""
        order, position = self._orders.get(path), self._log.end
        ids = None if order is None else self._log.since(order.log_position)
        if order is None or ids is None:
            keys: list[SortKey | None] = [None] * len(self.records)
            async for _ in in_turns(self._fill_keys(path, keys)):
                pass
            order = await SortIndex.sorted_in_turns(keys, position)
            return self._keep_order(path, order)
        changes = [(i, self._key(self.records[i], path)) async for i in in_turns(ids)]
        order.update(changes)
        order.log_position = position
        return order

    def _keep_order(self, path: str, order: SortIndex) -> SortIndex:
        if path not in self._orders and len(self._orders) >= MOST_ORDERS:
            del self._orders[next(iter(self._orders))]
        self._orders[path] = order
        return order

    def containing(self, path: str, text: str) -> BitMap:
        """Entities with a value that contains a lower-cased text; do not change it."""
        return self._find(path, text, prefix=False)

    def starting(self, path: str, text: str) -> BitMap:
        """Entities with a value that starts with a text; as `containing`."""
        return self._find(path, text, prefix=True)

    def _find(self, path: str, text: str, *, prefix: bool) -> BitMap:
        position = self._terms.position_of(path, text, prefix=prefix)
        changed_ids = self._log.since(position) if position >= 0 else None
        return self._terms.find(
            path, text, prefix=prefix, changed_ids=changed_ids, end=self._log.end
        )

    def tables(self) -> dict[str, Tables]:
        """All that a snapshot holds of this model, but for its records."""
        rest = {
            "live": self.live,
            "free": self._free,
            "fingerprint": self._fingerprint,
            "items": self.index.items,
            "definitions": self.definitions,
        }
        fields = {f"field {p}": f.tables() for p, f in self.index.fields.items()}
        return {"rest": rest, "adjacency": self.adjacency.tables(), **fields}

    def take_over(
        self,
        tables: Mapping[str, Tables],
        records: list[EntityRecord | None],
    ) -> None:
        """Hold the tables and the records of a snapshot, and nothing else."""
        self.records = records
        self.ids = {r.ref: r.entity for r in records if r is not None}
        rest = tables["rest"]
        self.live, self._free = rest["live"], rest["free"]
        self._fingerprint, self.definitions = rest["fingerprint"], rest["definitions"]
        fields = {
            name.removeprefix("field "): InvertedField.of_tables(table)
            for name, table in tables.items()
            if name.startswith("field ")
        }
        self.index = InvertedIndex(fields, rest["items"])
        self.adjacency = Adjacency.of_tables(tables["adjacency"])
        self.projections, self._log, self._orders = Projections(), ChangeLog(), {}
        self._terms = TermCache(self.index.fields, self._values_of)
        self.revision.advance()

    def _place(self, record: EntityRecord, before: EntityRecord | None) -> int:
        """Gives a record its predecessor's id, one that is free, or a new one."""
        if before is not None:
            entity = before.entity
        elif self._free:
            entity = self._free.pop()
        else:
            entity = len(self.records)
            self.records.append(None)
        record.entity = entity
        self.records[entity] = record
        self.ids[record.ref] = entity
        self.live.add(entity)
        return entity

    def _relate(
        self,
        entity: int,
        before: tuple[StoredRelation, ...],
        after: tuple[StoredRelation, ...],
    ) -> None:
        for relation in self.adjacency.change(entity, before, after):
            record = self.record(relation.target)
            if record is not None:
                record.tail = None
                self.projections.forget(record.entity)

    def _refer(self, entity: int, reference: Reference | None) -> None:
        if reference is not None:
            self.definitions[entity] = reference
        else:
            self.definitions.pop(entity, None)

    def _changed(self, entity: int) -> None:
        self.projections.forget(entity)
        self._log.note(entity)
        self.revision.advance()

    def _fill_keys(self, path: str, keys: list[SortKey | None]) -> Iterator[None]:
        """Fills in the keys at ids; steps, between which the model may change.

        What changes meanwhile is in the log behind the position of before.
        """
        field = self.index.fields.get(path)
        if path == BY_REF:
            keys[:] = [None if r is None else (r.ref, "") for r in self.records]
        elif field is not None:
            for record in self._below(len(keys), field.present):
                keys[record.entity] = (LAST, record.ref)
                yield
            for value in list(field.values):
                for record in self._below(len(keys), members(field.values.get(value))):
                    key = keys[record.entity]
                    if key is None or value < key[0]:
                        keys[record.entity] = (value, record.ref)
                    yield

    def _below(self, end: int, ids: Iterable[int]) -> Iterator[EntityRecord]:
        # A list, because the set may change between two steps.
        return self.existing([entity for entity in ids if entity < end])

    def _key(self, record: EntityRecord | None, path: str) -> SortKey | None:
        if record is None:
            return None
        if path == BY_REF:
            return record.ref, ""
        rows = _rows(record)
        if values := rows.at(path):
            return min(values), record.ref
        has = any(row_path == path for row_path, _ in rows.values)
        return (LAST, record.ref) if has else None

    def _values_of(self, entity: int, path: str) -> list[str]:
        record = self.records[entity]
        return [] if record is None else _rows(record).at(path)


def _rows(record: EntityRecord) -> Rows:
    return rows_of(record.document(), record.stored.errors)


def _is_newer(current: StoredEntity, new: StoredEntity) -> bool:
    return current.uid == new.uid and current.revision > new.revision
