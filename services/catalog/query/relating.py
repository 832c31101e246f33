"""Filters and facets over relations, in whichever direction they were declared."""

from collections import defaultdict
from collections.abc import Iterator

from pyroaring import BitMap

from services.catalog.query.scopes import ReaderScope
from services.catalog.readmodel import ReadModel
from services.catalog.readmodel.inverted import Bucket
from services.catalog.readmodel.postings import (
    EMPTY,
    Posting,
    cardinality,
    members,
    union,
)


def related_to(model: ReadModel, name: str, target: str, scope: ReaderScope) -> BitMap:
    """The entities with a relation of a lower-cased name to a lower-cased ref."""
    if scope.hides(target):
        return EMPTY
    entities = model.adjacency.declaring(name, target)
    record = model.record(target)
    if record is not None:
        for relation in record.stored.relations:
            entity = model.ids.get(relation.target)
            if entity is not None and relation.inverse.lower() == name:
                entities.add(entity)
    return entities


def has_relation(model: ReadModel, name: str, scope: ReaderScope) -> BitMap:
    """The entities with any relation of a lower-cased name to what may be seen."""
    entities = model.adjacency.sources(name).copy()
    for entity, posting in _shown_by_targets(model, name):
        if cardinality(posting, scope.visible):
            entities.add(entity)
    return entities


def relation_buckets(
    model: ReadModel, name: str, within: BitMap | None, scope: ReaderScope
) -> list[Bucket]:
    """How many entities of `within` have a relation to each target ref."""
    postings: dict[str, Posting] = {}
    for target, posting in model.adjacency.targets(name):
        other_posting = postings.get(target)
        postings[target] = (
            posting if other_posting is None else union((other_posting, posting))
        )
    entities_by_ref: defaultdict[str, list[int]] = defaultdict(list)
    for entity, posting in _shown_by_targets(model, name):
        for record in model.existing(members(posting)):
            entities_by_ref[record.ref].append(entity)
    for ref, entities in entities_by_ref.items():
        postings[ref] = union((postings.get(ref), *entities))
    counts = ((ref, cardinality(ids, within)) for ref, ids in postings.items())
    return sorted((ref, n) for ref, n in counts if n and not scope.hides(ref))


def _shown_by_targets(model: ReadModel, name: str) -> Iterator[tuple[int, Posting]]:
    """Entities that show others' declarations under a name, with who declared them."""
    for target, posting in model.adjacency.inverse_targets(name):
        entity = model.ids.get(target)
        if entity is not None:
            yield entity, posting
