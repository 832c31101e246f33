"""Entities as bytes for one reader: whole or cut, without what is hidden from them."""

from collections.abc import Iterable, Sequence

import orjson

from services.catalog.query.fields import cut, needs_derived
from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.records import EntityRecord, tail_of

ENTITIES_AT_ONCE = 500
NAMES_AT_ONCE = 4_000
"""Rendered at a time: a few milliseconds, then others get their turn. Each name of a
path to cut by is looked up in each entity."""


def piece_size(fields: Sequence[str]) -> int:
    """How many entities are cut down to `fields` at a time."""
    names = sum(field.count(".") + 1 for field in fields)
    return min(ENTITIES_AT_ONCE, NAMES_AT_ONCE // max(names, 1))


def render(model: ReadModel, record: EntityRecord, scope: ReaderScope) -> bytes:
    """One whole entity as JSON, its relations without hidden targets."""
    return record.head + _tail(model, record, scope)


def render_all(
    model: ReadModel,
    records: Iterable[EntityRecord],
    fields: Sequence[str],
    scope: ReaderScope,
) -> list[bytes]:
    """Each record as JSON, cut down to `fields` if there are any."""
    if not fields:
        return [record.head + _tail(model, record, scope) for record in records]
    if not needs_derived(fields):
        return _cut_plain(model, records, tuple(fields))
    return [
        orjson.dumps(cut(orjson.loads(render(model, record, scope)), fields))
        for record in records
    ]


def _tail(model: ReadModel, record: EntityRecord, scope: ReaderScope) -> bytes:
    if scope.visible is None or not scope.is_near_hidden(record.entity):
        return record.tail or model.tail(record)
    relations = model.relations(record)
    visible_relations = [
        relation for relation in relations if not scope.hides(relation[1])
    ]
    if len(visible_relations) == len(relations):
        return model.tail(record)
    return tail_of(record, visible_relations)


def _cut_plain(
    model: ReadModel, records: Iterable[EntityRecord], fields: tuple[str, ...]
) -> list[bytes]:
    """Cuts that are the same for all readers are made once and remembered."""
    remembered_bodies = model.projections.cut(fields)
    bodies: list[bytes] = []
    for record in records:
        body = remembered_bodies.get(record.entity)
        if body is None:
            body = orjson.dumps(cut(record.document().raw, fields))
            # A record that was replaced meanwhile must not speak for its successor.
            if model.records[record.entity] is record:
                model.projections.remember(fields, record.entity, body)
        elif model.records[record.entity] is not record:
            body = orjson.dumps(cut(record.document().raw, fields))
        bodies.append(body)
    return bodies
